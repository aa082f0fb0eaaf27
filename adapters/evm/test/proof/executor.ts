import type { AppliedTransaction, SignedTransaction } from '../../../ethereum/executor.ts';
import type { BlockEnvironment } from '../../index.ts';
import type { Changes, World } from './world.ts';

/** One transaction on one state in one block, or several that follow each other in it. */
export interface Execution extends SignedTransaction {
  /** A fork by its name in `@ethereumjs/common`. */
  readonly fork: string;
  readonly chainId: bigint;
  readonly world: World;
  readonly block: BlockEnvironment;
  /** What follows in the same block, on what the engine has cached by then. */
  readonly followers?: readonly SignedTransaction[];
}

/** How a transaction ended. */
export type Outcome =
  | { readonly refused: string }
  | (AppliedTransaction & { readonly refused?: never; readonly changes: Changes });

/** An engine under proof: an outcome for each transaction of an execution; nothing is kept of it. */
export type Executor = (execution: Execution) => Promise<readonly Outcome[]>;

/**
 * Whether status and output tell nothing. Frontier keeps a contract whose code it cannot pay for; the
 * library calls that a failure. Only the status depends on it, which receipts have from Byzantium on.
 */
export const hasVagueStatus = (
  fork: string,
  fields: Pick<SignedTransaction['fields'], 'to'>,
): boolean => fork === 'chainstart' && fields.to === undefined;
