import { median } from '../arithmetic.ts';
import type { LatencyFigures } from '../mainnet-run.ts';

/** Medians of p50 and of p99 over rounds. */
export const medianLatency = (rounds: readonly LatencyFigures[]): LatencyFigures => ({
  p50: median(rounds.map(({ p50 }) => p50)),
  p99: median(rounds.map(({ p99 }) => p99)),
});
