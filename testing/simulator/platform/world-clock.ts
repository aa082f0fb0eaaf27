import { setImmediate as realImmediate } from 'node:timers';
import { EventQueue } from './event-queue.ts';
import type { VirtualProcess } from './virtual-process.ts';

/** Something arranged for later. */
export interface Arranged {
  cancel(): void;
}

/** A paused process is looked after this often, milliseconds. */
const pauseStepMs = 50;

/** Unix time at which virtual time begins: 2026-01-01. */
export const epochMs = Date.UTC(2026, 0, 1);

/**
 * Virtual time and everything that happens in it, one event after the other. Between two events all
 * promises that can settle do, so that what runs next depends on nothing but what ran before.
 */
export class WorldClock {
  readonly #queue = new EventQueue();
  readonly #onEvent: (process: VirtualProcess | undefined) => void;
  #nowMs = 0;
  #orders = 0;
  #events = 0;
  #current: VirtualProcess | undefined;

  /** @param onEvent called after each event, once everything it led to at once has happened */
  constructor(onEvent: (process: VirtualProcess | undefined) => void) {
    this.#onEvent = onEvent;
  }

  /** Milliseconds of virtual time. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events so far. */
  get events(): number {
    return this.#events;
  }

  /** The process whose code runs now; undefined for what belongs to none. */
  get current(): VirtualProcess | undefined {
    return this.#current;
  }

  /** What the wall clock of the running process shows: milliseconds since 1970. */
  get wallMs(): number {
    const { rate, offsetMs } = this.#current?.clock ?? { rate: 1, offsetMs: 0 };
    return epochMs + offsetMs + this.#nowMs * rate;
  }

  /** What the monotonic clock of the running process shows, milliseconds. */
  get monotonicMs(): number {
    return this.#nowMs * (this.#current?.clock.rate ?? 1);
  }

  /**
   * Arranges something after a delay of virtual time, on behalf of a process; of nobody, when it
   * must happen whatever becomes of them.
   */
  after(delayMs: number, process: VirtualProcess | undefined, action: () => void): Arranged {
    let cancelled = false;
    this.#push(delayMs, () => {
      if (cancelled || process?.alive === false) return;
      if (process && this.#isHeldUp(process)) {
        if (process.backlog.length === 0) this.#catchUp(process);
        process.backlog.push(() => {
          if (!cancelled) this.#act(process, action);
        });
        return;
      }
      this.#act(process, action);
    });
    return {
      cancel: () => {
        cancelled = true;
      },
    };
  }

  #push(delayMs: number, run: () => void): void {
    this.#queue.push({ atMs: this.#nowMs + Math.max(0, delayMs), order: this.#orders++, run });
  }

  #act(process: VirtualProcess | undefined, action: () => void): void {
    this.#current = process;
    this.#events += 1;
    action();
  }

  /** Paused, or not done yet with what was due while it was. */
  #isHeldUp({ pausedUntilMs, backlog }: VirtualProcess): boolean {
    return pausedUntilMs > this.#nowMs || backlog.length > 0;
  }

  /** Does what was due during a pause, one after the other, once it is over. */
  #catchUp(process: VirtualProcess): void {
    const { pausedUntilMs } = process;
    // Looked at again soon, since a pause may be cut short.
    this.#push(Math.min(pausedUntilMs - this.#nowMs, pauseStepMs), () => {
      if (!process.alive) return;
      if (process.pausedUntilMs <= this.#nowMs) process.backlog.shift()?.();
      if (process.backlog.length > 0) this.#catchUp(process);
    });
  }

  /** Arranges something after a delay by the running process's own clock, on its behalf. */
  afterOwn(delayMs: number, action: () => void): Arranged {
    const process = this.#current;
    return this.after(delayMs / (process?.clock.rate ?? 1), process, action);
  }

  /** Lets virtual time pass until a moment, or until `done` says so after an event. */
  async run(untilMs: number, done: () => boolean = () => false): Promise<void> {
    while (!done()) {
      const { first } = this.#queue;
      if (!first || first.atMs > untilMs) break;
      this.#queue.pop();
      this.#nowMs = first.atMs;
      const before = this.#events;
      first.run();
      if (this.#events === before) continue;
      await new Promise<void>((settled) => realImmediate(settled));
      this.#onEvent(this.#current);
      this.#current = undefined;
    }
    if (!done()) this.#nowMs = Math.max(this.#nowMs, untilMs);
  }
}
