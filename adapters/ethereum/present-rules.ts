import type { ReadView } from '@concordat/kv';
import type { Admitted, BatchSet, Refused } from '@concordat/worker-enclave';
import { type EthereumTransaction, refusalOf } from './batch-execution.ts';
import { type Chain, queuedOf } from './chain.ts';
import { EthereumError } from './errors.ts';
import { readAccount, tableSource } from './state-source.ts';
import { checkStateless } from './stateless.ts';
import type { DecodedTransaction } from './transaction.ts';

/** Refusal of a transaction for a chain that nobody configured, or no longer. */
export const unknownChain = (name: string): EthereumError =>
  new EthereumError('UNKNOWN_CHAIN', `no chain is called ${name}`);

/**
 * Checks what the chain's rules and its head tell of a transaction.
 * @throws EthereumError see {@link checkStateless}
 */
export function checkByRules(chain: Chain, transaction: DecodedTransaction, view: ReadView): void {
  const { config, fork } = chain;
  const baseFee = chain.baseFeeAfter(chain.head(view));
  checkStateless(transaction, fork, { gasLimit: config.gasLimit, baseFee, blobBaseFee: 0n });
}

/**
 * An admitted transaction for the chain as it is now (`chain`; undefined when it is gone): a vote may
 * have put it into the place of the one that admitted the transaction.
 */
export function byPresentRules(
  admitted: Admitted<EthereumTransaction>,
  chain: Chain | undefined,
  set: BatchSet,
): Admitted<EthereumTransaction> | Refused {
  const { chain: before, transaction: known } = admitted.transaction;
  if (chain === before) return admitted;
  const { name, space } = before.config;
  try {
    if (chain === undefined) throw unknownChain(name);
    const transaction = chain.decode(known.raw);
    checkByRules(chain, transaction, set);
    return { ...admitted, transaction: { chain, transaction } };
  } catch (error) {
    const queued = queuedOf(known);
    const sender = readAccount(tableSource(set, space), queued.sender);
    before.queue.settled(queued, sender?.nonce ?? 0n);
    return refusalOf(error);
  }
}
