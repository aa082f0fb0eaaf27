import type { Admitted, Outcome, Refused } from '@concordat/worker-enclave';
import { type Chain, type ExecutionPlace, queuedOf } from './chain.ts';
import type { BatchPlace } from './chain-batch.ts';
import type { SubmittedTransaction } from './chain-reader.ts';
import { EthereumError } from './errors.ts';
import type { DecodedTransaction } from './transaction.ts';

/** A decoded transaction and the chain it is for. */
export interface EthereumTransaction {
  readonly chain: Chain;
  readonly transaction: DecodedTransaction;
  /** Why it is not executed: the chains were configured anew after it was admitted. */
  readonly refused?: EthereumError;
}

type Outcomes = readonly Outcome<SubmittedTransaction>[];

/** A batch under way. */
interface Run {
  readonly batch: readonly Admitted<EthereumTransaction>[];
  readonly place: BatchPlace;
  readonly outcomes: Outcome<SubmittedTransaction>[];
  /** Transactions kept so far. */
  leaf: number;
}

/** Executes the transactions of a batch in order. Only the reference engine makes it wait. */
export function executeBatch(
  batch: readonly Admitted<EthereumTransaction>[],
  place: BatchPlace,
): Outcomes | Promise<Outcomes> {
  return executeFrom(0, { batch, place, outcomes: [], leaf: 0 });
}

function executeFrom(start: number, run: Run): Outcomes | Promise<Outcomes> {
  const { batch, place } = run;
  for (let at = start; at < batch.length; at++) {
    const asked = (batch[at] as Admitted<EthereumTransaction>).transaction;
    const outcome = execute(asked, { set: place.set, env: place.env, leaf: run.leaf });
    if (outcome instanceof Promise) {
      return outcome.then((settled) => {
        settle(run, asked, settled);
        return executeFrom(at + 1, run);
      });
    }
    settle(run, asked, outcome);
  }
  return run.outcomes;
}

function execute(
  { chain, transaction, refused }: EthereumTransaction,
  place: ExecutionPlace,
): Outcome<SubmittedTransaction> | Promise<Outcome<SubmittedTransaction>> {
  if (refused !== undefined) return refusalOf(refused);
  try {
    const result = chain.execute(transaction, place);
    if (result instanceof Promise) return result.then(kept, (error) => dropped(chain, error));
    return kept(result);
  } catch (error) {
    return dropped(chain, error);
  }
}

function settle(
  run: Run,
  { chain, transaction, refused }: EthereumTransaction,
  outcome: Outcome<SubmittedTransaction>,
): void {
  if (outcome.ok) run.leaf++;
  run.outcomes.push(outcome);
  // Its nonce is not used.
  if (refused !== undefined) chain.queue.settled(queuedOf(transaction), transaction.fields.nonce);
  else chain.settled(transaction);
}

const kept = (result: SubmittedTransaction): Outcome<SubmittedTransaction> => ({
  ok: true,
  result,
});

function dropped(chain: Chain, error: unknown): Refused {
  if (!(error instanceof EthereumError)) throw error;
  chain.abandon(error);
  return refusalOf(error);
}

/**
 * A refusal under the framework's code, which travels between nodes; `reason` is our own. Anything
 * but a coded error is a bug and goes on.
 */
export function refusalOf(error: unknown): Refused {
  if (!(error instanceof EthereumError)) throw error;
  const { code: reason, message, details } = error;
  const code = reason === 'POOL_FULL' ? 'OVERLOADED' : 'INVALID_TRANSACTION';
  return { ok: false, code, message, details: { ...details, reason } };
}
