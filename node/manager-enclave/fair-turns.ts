interface Waiting {
  settle(hasTurn: boolean): void;
}

/**
 * Few turns at a time for many: nobody has two, whoever asks for more waits in a line of its own, and
 * the lines are served one after another.
 */
export class FairTurns {
  readonly #atATime: number;
  readonly #maxWaiting: number;
  /** Who has a turn. */
  readonly #busy = new Set<string>();
  /** The next in turn first. */
  readonly #lines = new Map<string, Waiting[]>();

  /** @param maxWaiting of one asker; with more it is told at once that there is no turn */
  constructor(atATime: number, maxWaiting: number) {
    this.#atATime = atATime;
    this.#maxWaiting = maxWaiting;
  }

  /** Waits for a turn, which is to be given back. False: not in time, or too many wait already. */
  take(who: string, timeoutMs: number): Promise<boolean> {
    const line = this.#lines.get(who) ?? [];
    if (line.length >= this.#maxWaiting) return Promise.resolve(false);
    return new Promise((resolve) => {
      const one: Waiting = {
        settle: (hasTurn) => {
          clearTimeout(timer);
          resolve(hasTurn);
        },
      };
      const timer = setTimeout(() => {
        // It was not the turn of those behind it: their line stays where it is.
        this.#setLine(who, this.#without(who, one));
        one.settle(false);
      }, timeoutMs);
      line.push(one);
      this.#lines.set(who, line);
      this.#serve();
    });
  }

  /** Ends the turn of somebody who has one. */
  giveBack(who: string): void {
    this.#busy.delete(who);
    this.#serve();
  }

  #serve(): void {
    for (const [who, [one]] of [...this.#lines]) {
      if (this.#busy.size >= this.#atATime) return;
      if (this.#busy.has(who) || one === undefined) continue;
      this.#leave(who, one);
      this.#busy.add(who);
      one.settle(true);
    }
  }

  /** Takes one out of its line; what is left of it goes behind the others. */
  #leave(who: string, one: Waiting): void {
    const line = this.#without(who, one);
    this.#lines.delete(who);
    this.#setLine(who, line);
  }

  #without(who: string, one: Waiting): Waiting[] {
    return this.#lines.get(who)?.filter((other) => other !== one) ?? [];
  }

  #setLine(who: string, line: Waiting[]): void {
    if (line.length > 0) this.#lines.set(who, line);
    else this.#lines.delete(who);
  }
}
