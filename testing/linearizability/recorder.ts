import type { Action, Operation, Result } from './operation.ts';

/** A call under way; exactly one of its methods is to be called, once. */
export interface Call {
  /** The answer came. */
  returned(result: Result): void;
  /** Nobody can say whether it had an effect: no answer, or one that leaves it open. */
  unknown(): void;
  /** The answer says that it had no effect and never will. */
  failed(): void;
}

/** Least step between two moments of a history, in the clock's unit. */
const leastStep = 1e-6;

/**
 * Records what the clients of one process call and are told. Moments come from a clock (wall time
 * or simulated ticks) and grow with every event, so that what was seen in order counts as ordered.
 */
export class HistoryRecorder {
  readonly #now: () => number;
  readonly #finished: Operation[] = [];
  readonly #open = new Map<number, Omit<Operation, 'result'>>();
  #last = Number.NEGATIVE_INFINITY;
  #calls = 0;

  /** @param now the clock: any unit, never backwards by much */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Notes that a client sends something now. */
  call(client: string, key: string, action: Action): Call {
    const id = this.#calls++;
    this.#open.set(id, { client, key, action, called: this.#moment() });
    const finish = (result: Operation['result']): void => {
      const begun = this.#open.get(id);
      if (!begun) throw new RangeError(`call ${id} of ${client} has ended before`);
      this.#open.delete(id);
      const isAnswer = typeof result === 'object';
      this.#finished.push({ ...begun, ...(isAnswer && { returned: this.#moment() }), result });
    };
    return {
      returned: finish,
      unknown: () => finish('unknown'),
      failed: () => finish('failed'),
    };
  }

  /** Everything called so far, in the order of the calls; what is still open is `unknown`. */
  history(): Operation[] {
    const open = Array.from(this.#open.values(), (begun) => ({
      ...begun,
      result: 'unknown' as const,
    }));
    return [...this.#finished, ...open].sort((a, b) => a.called - b.called);
  }

  /** Operations recorded, ended or not. */
  get size(): number {
    return this.#calls;
  }

  #moment(): number {
    this.#last = Math.max(this.#now(), this.#last + leastStep);
    return this.#last;
  }
}
