import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';

/**
 * Places in the memory that is shared with the watching thread. `request` holds which request runs
 * and its state in one, so that what is meant for one never meets the next; nothing ever changes
 * `pause`.
 */
const places = { request: 0, collected: 1, pause: 2 } as const;
/** The lowest three bits; `settled`: the request has run to its end or was interrupted; no interruption is meant for it. */
const states = { running: 1, settled: 2, tooLong: 3, tooLarge: 4 } as const;
const idle = 0;
const [stateBits, maxSerial] = [3, 2 ** 28 - 1];

/** Why a request was interrupted: its time is over, or what others left lies in its way. */
export type Interruption = 'tooLong' | 'tooLarge';

/**
 * A thread that watches the one applications run in: one request that runs too long is interrupted,
 * a process that holds too much memory is ended. Heap has a limit of its own; buffers do not.
 *
 * What a process occupies is partly what earlier requests left and nobody has collected yet. So it
 * is ended only at a request before which everything was collected; any other is interrupted,
 * for {@link collect} and another beginning.
 */
export class Watchdog {
  readonly #shared = new Int32Array(new SharedArrayBuffer(12));
  readonly #collect = collector();
  #serial = 0;

  constructor(limits: { readonly maxRequestMs: number; readonly maxMemoryMebibytes: number }) {
    const { maxRequestMs, maxMemoryMebibytes } = limits;
    const data = { shared: this.#shared, maxRequestMs, maxKibibytes: maxMemoryMebibytes * 1024 };
    const thread = new Worker(`(${watch.toString()})()`, { eval: true, workerData: data, env: {} });
    thread.unref();
  }

  /** A request begins, for the first time or again. */
  began(): void {
    const shared = this.#shared;
    this.#serial = this.#next;
    const before = Atomics.exchange(shared, places.request, this.#now(states.running));
    if (before === idle) Atomics.notify(shared, places.request);
  }

  /**
   * The request has run to its end: from here on it is not interrupted. Where an interruption is
   * on its way already, this waits for it and does not return.
   */
  settle(): void {
    const running = this.#now(states.running);
    const settled = this.#now(states.settled);
    if (Atomics.compareExchange(this.#shared, places.request, running, settled) === running) return;
    for (;;);
  }

  /** Takes the interruption that has arrived; undefined when none was sent. */
  interrupted(): Interruption | undefined {
    const before = Atomics.exchange(this.#shared, places.request, this.#now(states.settled));
    if (before === this.#now(states.tooLong)) return 'tooLong';
    return before === this.#now(states.tooLarge) ? 'tooLarge' : undefined;
  }

  /** Collects what nobody holds, so that the next request answers for its own memory alone. */
  collect(): void {
    this.#collect();
    Atomics.store(this.#shared, places.collected, this.#next);
  }

  /** No request is running. */
  ended(): void {
    Atomics.store(this.#shared, places.request, idle);
  }

  get #next(): number {
    return this.#serial === maxSerial ? 1 : this.#serial + 1;
  }

  #now(state: number): number {
    return (this.#serial << stateBits) | state;
  }
}

/** The engine's collector, which only a context that is made under a flag shows. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { readonly flavor: string }) => void;
  setFlagsFromString('--no-expose-gc');
  return () => collect({ flavor: 'last-resort' });
}

/** The thread's program, as text: it must use nothing of this module. */
function watch(): void {
  const { workerData } = process.getBuiltinModule('node:worker_threads');
  const { shared, maxRequestMs, maxKibibytes } = workerData as {
    readonly shared: Int32Array;
    readonly maxRequestMs: number;
    readonly maxKibibytes: number;
  };
  const [request, collected, pause] = [0, 1, 2];
  const [none, running, tooLong, tooLarge] = [0, 1, 3, 4];
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
  // Whoever is interrupted is told so before, so that it waits for the signal.
  const interrupt = (serial: number, why: number): void => {
    const from = (serial << 3) | running;
    if (Atomics.compareExchange(shared, request, from, (serial << 3) | why) === from) {
      process.kill(process.pid, 'SIGINT');
    }
  };
  for (;;) {
    Atomics.wait(shared, request, none);
    let watched = Atomics.load(shared, request) >>> 3;
    let since = performance.now();
    for (;;) {
      Atomics.wait(shared, pause, 0, pollMs);
      const word = Atomics.load(shared, request);
      if (word === none) break;
      const serial = word >>> 3;
      if (serial !== watched) since = performance.now();
      watched = serial;
      const occupied = kibibytes();
      if (occupied > maxKibibytes) {
        // Twice as much is nothing others left, and would not wait for an interruption.
        const own = Atomics.load(shared, collected) === serial || occupied > 2 * maxKibibytes;
        if (own) process.kill(process.pid, 'SIGKILL');
        interrupt(serial, tooLarge);
      } else if (performance.now() - since > maxRequestMs) interrupt(serial, tooLong);
    }
  }
}
