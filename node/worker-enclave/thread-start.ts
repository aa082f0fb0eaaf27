import type { Thread } from './preparing-threads.ts';

// Not imported: a binding of the module, once made, would keep what `forbidThreads` takes away.
const threads = process.getBuiltinModule('node:worker_threads');
const modules = process.getBuiltinModule('node:module');
const ThreadClass = threads.Worker;

/** Tells a thread what it is for. */
const preparingData = 'concordat preparing thread';

/** Whether this is a preparing thread of a worker enclave, not the enclave's main thread. */
export const isPreparingThread = (): boolean =>
  !threads.isMainThread && threads.workerData === preparingData;

/** How a preparing thread speaks to the main one; absent there. */
export const preparingPort = (): typeof threads.parentPort => threads.parentPort;

/**
 * Mebibytes of a thread's heap for old and for young objects: it keeps results of 70 bytes. Beyond, V8
 * may end the whole process instead of the thread, so what preparing takes has to be bounded.
 */
const oldMebibytes = 128;
const youngMebibytes = 16;

/**
 * Starts this very program once more as a thread, with an isolate of its own: same measured file,
 * same flags, empty environment. Nothing of this thread's objects is passed to it.
 */
export const startPreparingThread = (): Thread =>
  new ThreadClass(process.argv[1] as string, {
    name: 'preparing',
    argv: [],
    env: {},
    workerData: preparingData,
    resourceLimits: {
      maxOldGenerationSizeMb: oldMebibytes,
      maxYoungGenerationSizeMb: youngMebibytes,
    },
  }) as Thread;

const refused = (): Error => new Error('no threads but those that prepare requests');

/**
 * From now on nothing but {@link startPreparingThread} makes threads here. The flag that allows threads
 * would otherwise lift the permission model: a thread can be started without its parent's flags.
 */
export function forbidThreads(): void {
  const forbidden = class {
    constructor() {
      throw refused();
    }
  };
  // Hooks of the module loader run in a thread of the runtime's own, which starts others as it likes.
  (modules as { register: unknown }).register = () => {
    throw refused();
  };
  Object.defineProperty(ThreadClass.prototype, 'constructor', { value: forbidden });
  (threads as { Worker: unknown }).Worker = forbidden;
  // Bindings that were imported before.
  modules.syncBuiltinESMExports();
}
