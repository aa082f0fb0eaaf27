/** Log-linear buckets: 16 a power of two, so a value is known to about 6 %. */
const bucketCount = 29 * 16;

const bucketOf = (micros: number): number => {
  if (micros < 16) return micros;
  const exponent = 31 - Math.clz32(micros);
  return (exponent - 3) * 16 + ((micros >>> (exponent - 4)) & 15);
};

/** Smallest value of a bucket, microseconds. */
const floorOf = (bucket: number): number => {
  if (bucket < 16) return bucket;
  const exponent = Math.floor(bucket / 16) + 3;
  return 2 ** (exponent - 4) * (16 + (bucket % 16));
};

/** Percentiles of what was recorded, milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/**
 * Latencies of the last one to two windows: recent enough for a gauge, many enough for a tail.
 * Recording allocates nothing.
 */
export class LatencyHistogram {
  readonly #windowMs: number;
  readonly #all = new Float64Array(bucketCount);
  #current = new Uint32Array(bucketCount);
  #previous = new Uint32Array(bucketCount);
  #windowStart = 0;

  constructor(windowMs = 5_000) {
    this.#windowMs = windowMs;
  }

  /** Records one latency in milliseconds; `nowMs` is any clock that does not run backwards. */
  record(latencyMs: number, nowMs: number): void {
    this.#turn(nowMs);
    const micros = Math.min(0x7fff_ffff, Math.max(0, Math.round(latencyMs * 1000)));
    const bucket = bucketOf(micros);
    this.#current[bucket] = (this.#current[bucket] as number) + 1;
    this.#all[bucket] = (this.#all[bucket] as number) + 1;
  }

  /**
   * Everything since the start as pairs of a bucket's smallest latency (milliseconds) and its
   * count, empty ones left out: two readings tell what lies between them.
   */
  buckets(): readonly (readonly [ms: number, count: number])[] {
    return [...this.#all.entries()]
      .filter(([, count]) => count > 0)
      .map(([bucket, count]) => [floorOf(bucket) / 1000, count]);
  }

  /** Percentiles over the current and the previous window. */
  summary(nowMs: number): LatencySummary {
    this.#turn(nowMs);
    const counts = this.#current.map((count, at) => count + (this.#previous[at] as number));
    const total = counts.reduce((sum, count) => sum + count, 0);
    const at = (share: number) => percentile(counts, Math.max(1, Math.ceil(total * share)));
    return { count: total, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
  }

  #turn(nowMs: number): void {
    const age = nowMs - this.#windowStart;
    if (age < this.#windowMs) return;
    const spent = this.#previous;
    this.#previous = age < 2 * this.#windowMs ? this.#current : new Uint32Array(bucketCount);
    this.#current = spent.fill(0);
    this.#windowStart = nowMs;
  }
}

function percentile(counts: Uint32Array, rank: number): number {
  let seen = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) {
    seen += counts[bucket] as number;
    if (seen >= rank) return floorOf(bucket) / 1000;
  }
  return 0;
}
