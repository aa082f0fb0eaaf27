import { renderTable } from '@concordat/cli';
import {
  executeBare,
  executeBareTransactions,
  type ObservedTransaction,
} from '@concordat/ethereum';
import {
  foreseenSchedule,
  optimisticSchedule,
  type ScheduledTransaction,
} from '../parallel/schedule.ts';
import { loadAverage } from '../process-figures.ts';
import { allBlocks, paperBlocks } from '../workloads/mainnet-set.ts';
import { transferSet } from '../workloads/token-set.ts';
import type { SectionOptions } from './section.ts';

/** Transactions of a batch of the ledger. */
const perBatch = 100;
const executorCounts = [2, 4, 8] as const;
/** Microseconds: nothing, and about what a message between threads costs at its best. */
const handovers = [0, 5] as const;

/** One workload as several executors would run it. */
export interface ParallelRow {
  readonly workload: string;
  /** Execution by the one engine, microseconds a transaction. */
  readonly micros: number;
  /** Share of transactions that read what another of their batch wrote. */
  readonly dependent: number;
  /** Times as fast as one executor without handover, by handover and number of executors. */
  readonly speedups: readonly (readonly number[])[];
  /** The same without handover, were all dependencies known beforehand. */
  readonly foreseen: readonly number[];
}

/** What optimistic parallel execution of batches would bring. */
export interface ParallelFigures {
  readonly id: 'parallel';
  readonly rows: readonly ParallelRow[];
  readonly load: number;
}

type Run = (observe?: (transaction: ObservedTransaction) => void) => Promise<number>;

/** Executes workloads, observes what they read and write, and simulates the schedules. */
export async function parallelSection({ quick, say }: SectionOptions): Promise<ParallelFigures> {
  const rows: ParallelRow[] = [];
  for (const kind of ['plain', 'token', 'swap', 'storage'] as const) {
    say(kind);
    const count = quick ? 500 : 2_000;
    const { chain, deployment, transfers } = transferSet(kind, 2 * count);
    const job = {
      chain,
      engine: 'own' as const,
      before: [...deployment, ...transfers.slice(0, count)],
      transactions: transfers.slice(count),
    };
    rows.push(
      await rowOf(
        kind,
        async (observe) => (await executeBareTransactions(withObserver(job, observe))).executeMs,
      ),
    );
  }
  for (const [name, blocks] of [
    ['mainnet 2015-2018', paperBlocks()],
    ...(quick ? [] : [['mainnet 2015-2024', allBlocks()] as const]),
  ] as const) {
    say(name);
    rows.push(
      await rowOf(name, async (observe) => {
        const job = { blocks, engine: 'own' as const };
        return (await executeBare(withObserver(job, observe))).executeMs;
      }),
    );
  }
  return { id: 'parallel', rows, load: loadAverage() };
}

const withObserver = <Job extends object>(
  job: Job,
  observe: ((transaction: ObservedTransaction) => void) | undefined,
) => (observe === undefined ? job : { ...job, observe });

async function rowOf(workload: string, run: Run): Promise<ParallelRow> {
  await run();
  const ms = await run();
  const seen: ObservedTransaction[] = [];
  await run((transaction) => seen.push(transaction));
  const gas = seen.reduce((sum, { gasUsed }) => sum + gasUsed, 0);
  const microsPerGas = (ms * 1_000) / gas;
  const batches = Array.from({ length: Math.ceil(seen.length / perBatch) }, (_, at) =>
    scheduled(seen.slice(at * perBatch, (at + 1) * perBatch), microsPerGas),
  );
  const spans = (executors: number, handover: number): number =>
    batches.reduce(
      (sum, batch) => sum + optimisticSchedule(batch, executors, handover).makespan,
      0,
    );
  const alone = spans(1, 0);
  return {
    workload,
    micros: (ms * 1_000) / seen.length,
    dependent: batches.reduce((sum, batch) => sum + dependents(batch), 0) / seen.length,
    speedups: handovers.map((handover) =>
      executorCounts.map((executors) => alone / spans(executors, handover)),
    ),
    foreseen: executorCounts.map(
      (executors) =>
        alone / batches.reduce((sum, batch) => sum + foreseenSchedule(batch, executors), 0),
    ),
  };
}

/** Fees of the coinbase are a sum in any order: what nearly every transaction writes is left out. */
function scheduled(
  batch: readonly ObservedTransaction[],
  microsPerGas: number,
): ScheduledTransaction[] {
  const writers = new Map<string, number>();
  for (const { writes } of batch) {
    for (const key of writes) if (key.length === 20) writers.set(key, (writers.get(key) ?? 0) + 1);
  }
  const shared = new Set(
    [...writers].filter(([, count]) => count > 0.9 * batch.length).map(([key]) => key),
  );
  const without = (keys: ReadonlySet<string>): ReadonlySet<string> =>
    new Set([...keys].filter((key) => !shared.has(key)));
  return batch.map(({ reads, writes, gasUsed }) => ({
    cost: gasUsed * microsPerGas,
    reads: without(reads),
    writes: without(writes),
  }));
}

function dependents(batch: readonly ScheduledTransaction[]): number {
  const written = new Set<string>();
  let count = 0;
  for (const { reads, writes } of batch) {
    if ([...reads].some((key) => written.has(key))) count++;
    for (const key of writes) written.add(key);
  }
  return count;
}

/** The section as people read it. */
export function renderParallel({ rows, load }: ParallelFigures): string {
  const header = [
    'workload',
    'µs each',
    'dependent',
    ...handovers.flatMap((handover) =>
      executorCounts.map((executors) => `${executors} at +${handover} µs`),
    ),
    ...executorCounts.map((executors) => `${executors} foreseen`),
  ];
  const lines = rows.map(({ workload, micros, dependent, speedups, foreseen }) => [
    workload,
    micros.toFixed(1),
    `${(dependent * 100).toFixed(0)} %`,
    ...[...speedups.flat(), ...foreseen].map((speedup) => speedup.toFixed(2)),
  ]);
  const method = `optimistic execution of batches of ${perBatch} on several executors, simulated from observed reads and writes; times as fast as one executor`;
  return `\n(i) parallel execution, a simulation\n  ${method}\n  load average ${load.toFixed(1)}\n\n${renderTable(header, lines, 'right')}`;
}
