/** The middle of some numbers; the mean of the two middle ones of an even count; NaN of none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/** The smallest value that at least this share (0-1] of all values do not exceed; NaN of none. */
export function percentile(values: ArrayLike<number>, share: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(1, Math.ceil(sorted.length * share)) - 1] as number;
}

/** Events a second. */
export const perSecond = (events: number, ms: number): number => (events * 1_000) / ms;

/** Our figure over a peer's; undefined without a peer. */
export const ratio = (own: number, peer: number | undefined): number | undefined =>
  peer === undefined || peer === 0 ? undefined : own / peer;

/** What the rate of several rounds is told as. */
export interface Spread {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** Median, lowest and highest of several rounds. */
export const spreadOf = (values: readonly number[]): Spread => ({
  median: median(values),
  lowest: Math.min(...values),
  highest: Math.max(...values),
});

/** Pairs of a value and how often it occurred. */
export type Buckets = readonly (readonly [value: number, count: number])[];

/** What was counted between two readings of the same growing buckets. */
export function bucketsBetween(before: Buckets, after: Buckets): Buckets {
  const known = new Map(before);
  return after
    .map(([value, count]) => [value, count - (known.get(value) ?? 0)] as const)
    .filter(([, count]) => count > 0);
}

/** As {@link percentile}, of values counted in buckets in ascending order. */
export function percentileOfBuckets(buckets: Buckets, share: number): number {
  const total = buckets.reduce((sum, [, count]) => sum + count, 0);
  const rank = Math.max(1, Math.ceil(total * share));
  let seen = 0;
  for (const [value, count] of buckets) {
    seen += count;
    if (seen >= rank) return value;
  }
  return Number.NaN;
}
