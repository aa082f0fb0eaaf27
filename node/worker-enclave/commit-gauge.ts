import type { Flight } from './speculative-chain.ts';
import type { Stats } from './stats.ts';

const maxWaiting = 4_096;

/**
 * Measures the white paper's latency: receipt on the leader until commit is known on every node.
 * Bounded: while some node is away, the oldest measurements are given up.
 */
export class CommitGauge {
  readonly #stats: Stats;
  #waiting: { readonly height: number; readonly receivedMs: Float64Array }[] = [];

  constructor(stats: Stats) {
    this.#stats = stats;
  }

  /** A block of this leader was committed on a majority. */
  committed({ height, submissions }: Flight): void {
    const receivedMs = new Float64Array(submissions.length);
    for (let at = 0; at < submissions.length; at++) {
      receivedMs[at] = submissions[at]?.receivedMs ?? 0;
    }
    this.#waiting.push({ height, receivedMs });
    if (this.#waiting.length > maxWaiting) this.#waiting = this.#waiting.slice(maxWaiting / 2);
  }

  /** Every node has committed up to this height. */
  committedByAll(height: number, nowMs: number): void {
    let count = 0;
    for (const { height: own, receivedMs } of this.#waiting) {
      if (own > height) break;
      count += 1;
      for (const received of receivedMs) {
        this.#stats.commitOnAllLatency.record(nowMs - received, nowMs);
      }
    }
    if (count > 0) this.#waiting.splice(0, count);
  }
}
