import type { ApplicationClient } from '@concordat/sdk';
import { perSecond } from './arithmetic.ts';
import { workerStats } from './bench-network.ts';
import { drawDial, fullScaleFor, sparkline } from './dial.ts';

/** Where the speedometer is shown. */
export interface Display {
  readonly write: (text: string) => void;
  /** Moving pictures are for people at a terminal. */
  readonly interactive: boolean;
}

/** The white paper's throughput (section 7), transactions a second. */
export const paperPerSecond = 1_600;
const frameMs = 80;
const plainMs = 500;
/** Stretch that "now" is the mean of, milliseconds. */
const nowWindowMs = 600;

/** A live gauge of throughput, and of the latency to commit on all nodes. */
export class Speedometer {
  readonly #display: Display;
  readonly #client: ApplicationClient;
  readonly #timer: NodeJS.Timeout;
  readonly #total: number;
  readonly #label: string;
  readonly #startedMs = performance.now();
  readonly #seen: { readonly atMs: number; readonly count: number }[] = [];
  readonly #history: number[] = [];
  #count = 0;
  #latency = '';
  #drawnLines = 0;
  #asking = false;

  constructor(
    display: Display,
    options: {
      readonly client: ApplicationClient;
      readonly label: string;
      readonly total: number;
    },
  ) {
    this.#display = display;
    this.#client = options.client;
    this.#label = options.label;
    this.#total = options.total;
    this.#timer = setInterval(() => this.#show(), display.interactive ? frameMs : plainMs);
    if (display.interactive) this.#show();
  }

  /** So many more transactions are committed. */
  committed(transactions: number): void {
    this.#count += transactions;
    this.#seen.push({ atMs: performance.now(), count: this.#count });
  }

  get #now(): number {
    const nowMs = performance.now();
    const from = nowMs - nowWindowMs;
    while ((this.#seen[1]?.atMs ?? Number.POSITIVE_INFINITY) < from) this.#seen.shift();
    const [base] = this.#seen;
    const before = base && base.atMs < from ? base : { atMs: this.#startedMs, count: 0 };
    return perSecond(this.#count - before.count, nowMs - Math.max(before.atMs, from));
  }

  #show(): void {
    this.#askLatency();
    const now = this.#now;
    const elapsedMs = Math.max(1, performance.now() - this.#startedMs);
    const average = perSecond(this.#count, elapsedMs);
    this.#history.push(now);
    const figures = `${format(now)} tx/s now   ${format(average)} average   ${format(this.#count)} of ${format(this.#total)}`;
    const { write, interactive } = this.#display;
    if (!interactive) {
      write(`  ${this.#label}: ${figures}${this.#latency}\n`);
      return;
    }
    const fullScale = fullScaleFor(Math.max(...this.#history));
    const lines = [
      ...drawDial({ perSecond: now, average, fullScale, mark: paperPerSecond }),
      `${this.#label}: ${figures}`,
      `${sparkline(this.#history, 46)}`,
      `receipt → commit on all nodes${this.#latency}`,
      `the notch at ${format(paperPerSecond)} is the white paper's prototype`,
    ];
    const back = this.#drawnLines > 0 ? `\u001b[${this.#drawnLines}A` : '';
    this.#drawnLines = lines.length;
    write(back + lines.map((line) => `\u001b[2K  ${line}\n`).join(''));
  }

  #askLatency(): void {
    if (this.#asking) return;
    this.#asking = true;
    workerStats(this.#client)
      .then(({ commitOnAll: { count, p50, p99 } }) => {
        if (count > 0) this.#latency = `  p50 ${p50.toFixed(0)} ms  p99 ${p99.toFixed(0)} ms`;
      })
      // A gauge that misses a reading shows the one before; the load itself reports failures.
      .catch(() => {})
      .finally(() => {
        this.#asking = false;
      });
  }

  /** Draws the last picture and stops. */
  stop(): void {
    clearInterval(this.#timer);
    this.#show();
  }
}

const format = (value: number): string => Math.round(value).toLocaleString('en-US');
