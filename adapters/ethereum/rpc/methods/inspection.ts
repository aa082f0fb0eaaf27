import type { BlockView, ReplayFigures, ReplayProgress } from '../../chain-reader.ts';
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
    const progress = chain.replayProgress?.();
    const block = chain.block('latest');
    return progress && block ? replayToJson(progress, block) : null;
  }),
];

/** How far the replay of a real block is; `matches` is true once every comparable figure is equal. */
const replayToJson = (progress: ReplayProgress, block: BlockView): unknown => ({
  number: toQuantity(block.header.number),
  hash: toData(block.hash),
  transactions: toQuantity(block.transactionHashes.length),
  executed: figuresToJson(progress.executed),
  expected: figuresToJson(progress.expected),
  complete: progress.complete,
  matches: progress.matches,
});

const figuresToJson = (figures: ReplayFigures): unknown => ({
  gasUsed: toQuantity(figures.gasUsed),
  logsBloom: toData(figures.logsBloom),
  transactionsRoot: toData(figures.transactionsRoot),
  ...(figures.receiptsRoot && { receiptsRoot: toData(figures.receiptsRoot) }),
});
