import type { Level, SeedSummary } from './run-seed.ts';

const barColumns = 30;

/** Adds up what many runs did. */
export class Report {
  readonly #level: Level;
  readonly #count: number;
  readonly #sinceMs: number;
  readonly #counts = new Map<string, number>();
  readonly #faults = new Map<string, number>();
  #done = 0;
  #virtualMs = 0;
  #transactions = 0;
  #longestHealingMs = 0;

  /** @param sinceMs when the first run began, by the monotonic clock */
  constructor(level: Level, count: number, sinceMs: number) {
    this.#level = level;
    this.#count = count;
    this.#sinceMs = sinceMs;
  }

  /** Adds one run. */
  add({ virtualMs, transactions, counts, faults }: SeedSummary): void {
    this.#done += 1;
    this.#virtualMs += virtualMs;
    this.#transactions += transactions;
    const { healedAfterMs = 0, ...rest } = counts;
    this.#longestHealingMs = Math.max(this.#longestHealingMs, healedAfterMs);
    addUp(this.#counts, rest);
    addUp(this.#faults, faults);
  }

  /** Whether another tenth is done. */
  get isRound(): boolean {
    const tenths = (done: number): number => Math.floor((10 * done) / this.#count);
    return tenths(this.#done) > tenths(this.#done - 1);
  }

  /** One line for a terminal. */
  progress(nowMs: number): string {
    const filled = Math.floor((barColumns * this.#done) / this.#count);
    const bar = '='.repeat(filled).padEnd(barColumns);
    const { hours, minutes } = this.#times(nowMs);
    return `[${bar}] ${this.#done}/${this.#count} seeds, ${hours} simulated hours in ${minutes} min `;
  }

  /** What it all came to. */
  text(nowMs: number): string {
    const { hours, minutes, perMinute } = this.#times(nowMs);
    const faults = [...this.#faults.values()].reduce((sum, count) => sum + count, 0);
    const healing =
      this.#level === 'network'
        ? `\nlongest healing: ${(this.#longestHealingMs / 1000).toFixed(1)} s of virtual time`
        : '';
    return [
      `${this.#done} seeds without a violation in ${minutes} min: ${hours} simulated hours, ${faults} faults`,
      `committed transactions: ${this.#transactions}, ${perMinute} a minute of real time`,
      `faults: ${listOf(this.#faults)}`,
      `also: ${listOf(this.#counts)}${healing}`,
    ].join('\n');
  }

  #times(nowMs: number) {
    const minutes = (nowMs - this.#sinceMs) / 60_000;
    return {
      hours: (this.#virtualMs / 3_600_000).toFixed(2),
      minutes: minutes.toFixed(1),
      perMinute: Math.round(this.#transactions / Math.max(minutes, 1e-9)),
    };
  }
}

function addUp(sums: Map<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) {
    sums.set(name, (sums.get(name) ?? 0) + count);
  }
}

const listOf = (sums: ReadonlyMap<string, number>): string =>
  Array.from(sums, ([name, count]) => `${name} ${count}`).join(', ');
