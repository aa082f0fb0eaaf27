import { LatencyHistogram, type LatencySummary } from './latency-histogram.ts';

const secondsKept = 16;

/** Events a second over the last seconds, without a timer. */
class Rate {
  readonly #counts = new Float64Array(secondsKept);
  #second = 0;

  add(count: number, nowMs: number): void {
    this.#advance(nowMs);
    const slot = this.#second % secondsKept;
    this.#counts[slot] = (this.#counts[slot] as number) + count;
  }

  /** Mean a second over the last whole seconds, at most 15. */
  perSecond(seconds: number, nowMs: number): number {
    this.#advance(nowMs);
    let sum = 0;
    for (let back = 1; back <= seconds; back++) {
      sum += this.#counts[(this.#second - back + secondsKept) % secondsKept] as number;
    }
    return sum / seconds;
  }

  #advance(nowMs: number): void {
    const second = Math.floor(nowMs / 1000) + secondsKept;
    for (let at = Math.max(this.#second + 1, second - secondsKept + 1); at <= second; at++) {
      this.#counts[at % secondsKept] = 0;
    }
    if (second > this.#second) this.#second = second;
  }
}

/** What `GET /app/stats` answers under `pipeline`. Latencies are milliseconds. */
export interface PipelineStats {
  readonly transactions: {
    readonly received: number;
    readonly committed: number;
    readonly dropped: number;
    readonly refused: number;
    readonly overloaded: number;
    readonly lost: number;
    readonly forwarded: number;
    readonly forwardedIn: number;
    /** Admitted with what a preparing thread had made of them. */
    readonly prepared: number;
  };
  readonly committedPerSecond: { readonly last: number; readonly last10: number };
  /** Receipt of the request on this node to durable commit on a majority. */
  readonly commitLatencyMs: LatencySummary;
  /** Receipt on the leader to commit known on every node. */
  readonly commitOnAllLatencyMs: LatencySummary;
  /** The same since the start: pairs of a latency and how often it occurred. */
  readonly latencyBucketsMs: {
    readonly commit: readonly (readonly [ms: number, count: number])[];
    readonly commitOnAll: readonly (readonly [ms: number, count: number])[];
  };
  readonly batches: { readonly executed: number; readonly meanTransactions: number };
  readonly blocksCommitted: number;
}

/** Counters of one worker. Plain fields: they are bumped on the hot path. */
export class Stats {
  received = 0;
  committed = 0;
  dropped = 0;
  refused = 0;
  overloaded = 0;
  lost = 0;
  forwarded = 0;
  forwardedIn = 0;
  prepared = 0;
  batches = 0;
  batchedTransactions = 0;
  blocksCommitted = 0;
  readonly commitLatency = new LatencyHistogram();
  readonly commitOnAllLatency = new LatencyHistogram();
  readonly #rate = new Rate();

  /** Counts the leaves of a committed block. */
  blockCommitted(leaves: number, nowMs: number): void {
    this.blocksCommitted += 1;
    this.committed += leaves;
    this.#rate.add(leaves, nowMs);
  }

  snapshot(nowMs: number): PipelineStats {
    const { received, committed, dropped, refused, overloaded, lost } = this;
    const { forwarded, forwardedIn, prepared, batches } = this;
    const rate = (seconds: number) => Math.round(this.#rate.perSecond(seconds, nowMs) * 10) / 10;
    const mean = batches === 0 ? 0 : this.batchedTransactions / batches;
    return {
      transactions: {
        received,
        committed,
        dropped,
        refused,
        overloaded,
        lost,
        forwarded,
        forwardedIn,
        prepared,
      },
      committedPerSecond: { last: rate(1), last10: rate(10) },
      commitLatencyMs: this.commitLatency.summary(nowMs),
      commitOnAllLatencyMs: this.commitOnAllLatency.summary(nowMs),
      latencyBucketsMs: {
        commit: this.commitLatency.buckets(),
        commitOnAll: this.commitOnAllLatency.buckets(),
      },
      batches: { executed: batches, meanTransactions: Math.round(mean * 100) / 100 },
      blocksCommitted: this.blocksCommitted,
    };
  }
}
