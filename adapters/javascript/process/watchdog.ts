import { Worker } from 'node:worker_threads';

/** Places in the memory that is shared with the watching thread. */
const places = { running: 0, serial: 1 } as const;

/**
 * A thread that watches the one applications run in: one request that runs too long is interrupted,
 * a process that holds too much memory is ended. Heap has a limit of its own; buffers do not.
 */
export class Watchdog {
  readonly #shared = new Int32Array(new SharedArrayBuffer(8));

  constructor(limits: { readonly maxRequestMs: number; readonly maxMemoryMebibytes: number }) {
    const { maxRequestMs, maxMemoryMebibytes } = limits;
    const data = { shared: this.#shared, maxRequestMs, maxKibibytes: maxMemoryMebibytes * 1024 };
    const thread = new Worker(`(${watch.toString()})()`, { eval: true, workerData: data, env: {} });
    thread.unref();
  }

  /** A request begins, for the first time or again. */
  began(): void {
    const shared = this.#shared;
    Atomics.add(shared, places.serial, 1);
    if (Atomics.exchange(shared, places.running, 1) === 0) Atomics.notify(shared, places.running);
  }

  /** No request is running. */
  ended(): void {
    Atomics.store(this.#shared, places.running, 0);
  }
}

/** The thread's program, as text: it must use nothing of this module. */
function watch(): void {
  const { workerData } = process.getBuiltinModule('node:worker_threads');
  const { shared, maxRequestMs, maxKibibytes } = workerData as {
    readonly shared: Int32Array;
    readonly maxRequestMs: number;
    readonly maxKibibytes: number;
  };
  const pollMs = Math.min(10, Math.max(1, maxRequestMs / 10));
  // Without /proc there is only the high-water mark, which begins at that of the parent process.
  const beganKibibytes = process.resourceUsage().maxRSS;
  const kibibytes = (): number => {
    try {
      return process.memoryUsage.rss() / 1024;
    } catch {
      return process.resourceUsage().maxRSS - beganKibibytes;
    }
  };
  for (;;) {
    Atomics.wait(shared, 0, 0);
    let serial = Atomics.load(shared, 1);
    let since = performance.now();
    while (Atomics.load(shared, 0) === 1) {
      Atomics.wait(shared, 0, 1, pollMs);
      if (kibibytes() > maxKibibytes) process.kill(process.pid, 'SIGKILL');
      const now = Atomics.load(shared, 1);
      if (now !== serial) {
        serial = now;
        since = performance.now();
      } else if (performance.now() - since > maxRequestMs) {
        process.kill(process.pid, 'SIGINT');
        since = performance.now();
      }
    }
  }
}
