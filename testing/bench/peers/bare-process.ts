/**
 * One measurement of `executeBare` or `executeBareTransactions` in a process of its own, so that
 * nothing another measurement has compiled or remembered helps it. Argument: JSON of `BareJob`.
 */
import { type EngineName, executeBare, executeBareTransactions } from '@concordat/ethereum';
import { perSecond } from '../arithmetic.ts';
import { type TransferKind, transferSet } from '../workloads/token-set.ts';

/** What is to be executed. */
export type BareJob =
  | {
      readonly kind: 'mainnet';
      readonly engine: EngineName;
      readonly warmUpBlocks: readonly number[];
      readonly blocks: readonly number[];
    }
  | {
      readonly kind: TransferKind;
      readonly engine: EngineName;
      readonly warmUp: number;
      readonly count: number;
    };

/** What it printed. */
export interface BareAnswer {
  readonly transactions: number;
  /** Decoding, sender recovery and execution. */
  readonly perSecond: number;
  /** Execution with the senders known. */
  readonly executedPerSecond: number;
}

async function run(job: BareJob): Promise<BareAnswer> {
  if (job.kind === 'mainnet') {
    const { engine, blocks, warmUpBlocks } = job;
    if (warmUpBlocks.length > 0) await executeBare({ blocks: warmUpBlocks, engine });
    const figures = await executeBare({ blocks, engine });
    if (figures.wrongBlocks > 0) throw new Error(`${figures.wrongBlocks} blocks differ`);
    const { transactions, decodeMs, executeMs } = figures;
    return {
      transactions,
      perSecond: perSecond(transactions, decodeMs + executeMs),
      executedPerSecond: perSecond(transactions, executeMs),
    };
  }
  const { kind, engine, warmUp, count } = job;
  const { chain, deployment, transfers } = transferSet(kind, warmUp + count);
  const figures = await executeBareTransactions({
    chain,
    engine,
    before: [...deployment, ...transfers.slice(0, warmUp)],
    transactions: transfers.slice(warmUp),
  });
  if (figures.failed > 0) throw new Error(`${figures.failed} transactions failed`);
  const { decodeMs, executeMs } = figures;
  return {
    transactions: count,
    perSecond: perSecond(count, decodeMs + executeMs),
    executedPerSecond: perSecond(count, executeMs),
  };
}

process.stdout.write(
  `${JSON.stringify(await run(JSON.parse(process.argv[2] ?? '') as BareJob))}\n`,
);
