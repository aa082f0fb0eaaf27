import { syncBuiltinESMExports } from 'node:module';
import * as workerThreads from 'node:worker_threads';
import type { Thread } from './preparing-threads.ts';

/** Tells a thread what it is for. */
export const preparingData = 'concordat preparing thread';

// Kept: the binding of the module goes once threads are forbidden.
const ThreadClass = workerThreads.Worker;

/** Mebibytes of a thread's heap for old and for young objects: it keeps results of 60 bytes. */
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

/**
 * From now on nothing but {@link startPreparingThread} makes threads here. The flag that allows threads
 * would otherwise lift the permission model: a thread can be started without its parent's flags.
 */
export function forbidThreads(): void {
  const forbidden = class {
    constructor() {
      throw new Error('no threads but those that prepare requests');
    }
  };
  Object.defineProperty(ThreadClass.prototype, 'constructor', { value: forbidden });
  const module = process.getBuiltinModule('node:worker_threads') as { Worker: unknown };
  module.Worker = forbidden;
  syncBuiltinESMExports();
}
