import { CodedError } from '@concordat/std';
import { simulateConsensus } from './consensus/simulation.ts';
import { simulateNetwork } from './network/run.ts';

/** What is simulated: whole networks, or machines of consensus alone. */
export const levels = ['network', 'consensus'] as const;
/** One of {@link levels}. */
export type Level = (typeof levels)[number];

/** Length of the part with faults, unless told otherwise. */
export const defaultTicks: Readonly<Record<Level, number>> = { network: 500, consensus: 2_000 };

/** Virtual time of one tick in a network, milliseconds. */
const tickMs = 20;
/** Virtual time a tick of consensus stands for, milliseconds: the default of a node. */
const consensusTickMs = 20;

/** What one run did, in numbers that can be added up. */
export interface SeedSummary {
  readonly seed: number;
  readonly virtualMs: number;
  readonly transactions: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  /** Digest of all that happened; absent where there is none. */
  readonly trace?: string;
}

/** How a run ended. */
export type SeedResult =
  | { readonly seed: number; readonly ok: true; readonly summary: SeedSummary }
  | {
      readonly seed: number;
      readonly ok: false;
      readonly code: string;
      readonly message: string;
      /** What happened last. */
      readonly lines: readonly string[];
    };

/** One run to make. */
export interface SeedTask {
  readonly level: Level;
  readonly seed: number;
  readonly ticks: number;
}

/** Makes one run; a broken promise is a result, not a throw. */
export async function runSeed(task: SeedTask): Promise<SeedResult> {
  const { seed } = task;
  let lines: readonly string[] = [];
  try {
    const summary =
      task.level === 'consensus'
        ? consensusSummary(task)
        : await networkSummary(task, (last) => {
            lines = last;
          });
    return { seed, ok: true, summary };
  } catch (error) {
    const code = error instanceof CodedError ? String(error.code) : 'BROKEN_SIMULATOR';
    const message = error instanceof CodedError ? error.message : String((error as Error).stack);
    return { seed, ok: false, code, message, lines };
  }
}

function consensusSummary({ seed, ticks }: SeedTask): SeedSummary {
  const { healedAfterTicks, crashes, ...rest } = simulateConsensus(seed, ticks);
  const { committed, views, reconfigurations, reads, retired, flexible, restored, relayed } = rest;
  return {
    seed,
    virtualMs: (ticks + healedAfterTicks) * consensusTickMs,
    transactions: committed,
    counts: { views, reads, retired, restored, relayed, delivered: rest.delivered },
    faults: { crash: crashes, reconfiguration: reconfigurations, 'flexible-quorum': flexible },
  };
}

async function networkSummary(
  { seed, ticks }: SeedTask,
  onLines: (lines: readonly string[]) => void,
): Promise<SeedSummary> {
  const onEnd = ({ lines }: { readonly lines: readonly string[] }): void => onLines(lines);
  const ran = await simulateNetwork(seed, { chaosMs: ticks * tickMs, onEnd });
  const { virtualMs, transactions, faults, trace, alarms, seed: _seed, ...counts } = ran;
  const found = Object.entries(alarms).map(([code, times]) => [`found ${code}`, times]);
  return {
    seed,
    virtualMs,
    transactions,
    counts: { ...counts, ...Object.fromEntries(found) },
    faults,
    trace,
  };
}
