import type { AppliedTransaction, SignedTransaction } from '../../../ethereum/executor.ts';
import type { BlockEnvironment } from '../../index.ts';
import type { Changes, World } from './world.ts';

/** One transaction on one state in one block. */
export interface Execution extends SignedTransaction {
  /** A fork by its name in `@ethereumjs/common`. */
  readonly fork: string;
  readonly chainId: bigint;
  readonly world: World;
  readonly block: BlockEnvironment;
}

/** How an execution ended. */
export type Outcome =
  | { readonly refused: string }
  | (AppliedTransaction & { readonly refused?: never; readonly changes: Changes });

/** An engine under proof: takes an execution, gives its outcome, and keeps nothing of it. */
export type Executor = (execution: Execution) => Outcome | Promise<Outcome>;
