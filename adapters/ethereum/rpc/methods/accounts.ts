import { blockReference } from '../block-parameter.ts';
import { toData, toQuantity } from '../hex.ts';
import { type Method, method } from '../method.ts';
import { address, optional, required, storageKey } from '../parameters.ts';

/** Reads of one account. Code and storage are subject to the network's read policy. */
export const accountMethods: readonly Method[] = [
  method(
    'eth_getBalance',
    [required(address), optional(blockReference)],
    ({ chain }, account, at = 'latest') => toQuantity(chain.account(account, at).balance),
  ),
  method(
    'eth_getTransactionCount',
    [required(address), optional(blockReference)],
    ({ chain }, account, at = 'latest') =>
      toQuantity(at === 'pending' ? chain.pendingNonce(account) : chain.account(account, at).nonce),
  ),
  method(
    'eth_getCode',
    [required(address), optional(blockReference)],
    ({ chain, actor }, account, at = 'latest') => toData(chain.code(account, actor, at)),
  ),
  method(
    'eth_getStorageAt',
    [required(address), required(storageKey), optional(blockReference)],
    ({ chain, actor }, account, slot, at = 'latest') =>
      toData(chain.storageAt(account, slot, actor, at)),
  ),
];
