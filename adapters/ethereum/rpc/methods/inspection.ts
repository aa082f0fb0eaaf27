import { toData, toQuantity } from '../hex.ts';
import { type Method, method } from '../method.ts';
import { hash, required } from '../parameters.ts';

/** `txpool_*` and what only this network has: `concordat_*`. */
export const inspectionMethods: readonly Method[] = [
  // Transactions wait for a batch, not in a pool, and what is not committed is not shown.
  method('txpool_status', [], () => ({ pending: '0x0', queued: '0x0' })),
  method('txpool_content', [], () => ({ pending: {}, queued: {} })),
  method('txpool_inspect', [], () => ({ pending: {}, queued: {} })),
  method('concordat_getTransactionId', [required(hash)], ({ chain }, of) => {
    return chain.transactionId(of) ?? null;
  }),
  method('concordat_chain', [], ({ chain }) => ({
    name: chain.name,
    chainId: toQuantity(chain.chainId),
    hardfork: chain.hardfork,
    zeroFee: chain.zeroFee,
    gasLimit: toQuantity(chain.gasLimit),
    replay: chain.replay,
  })),
  method('concordat_replayStatus', [], ({ chain }) => {
    if (!chain.replay) return null;
    const block = chain.block('latest');
    return block ? { hash: toData(block.hash) } : null;
  }),
];
