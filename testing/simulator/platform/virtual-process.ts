/** How a clock deviates from virtual time. */
export interface ClockError {
  /** Seconds this clock counts in one second. */
  rate: number;
  /** What it is ahead when virtual time begins, milliseconds. */
  offsetMs: number;
}

/**
 * A process of a simulated machine: what its code arranged for later happens only while it lives,
 * waits while it is paused, and is timed by its own clock.
 */
export class VirtualProcess {
  readonly name: string;
  readonly clock: ClockError = { rate: 1, offsetMs: 0 };
  /** Virtual time until which it does nothing; what was due meanwhile then happens in order. */
  pausedUntilMs = 0;
  /** What was due while it was paused. */
  readonly backlog: (() => void)[] = [];
  #alive = true;

  constructor(name: string) {
    this.name = name;
  }

  /** Whether it still runs. */
  get alive(): boolean {
    return this.#alive;
  }

  /** Ends it between two events: nothing of it happens any more. */
  kill(): void {
    this.#alive = false;
  }
}
