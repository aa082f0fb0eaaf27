import type { ReplayFigures, ReplayStatus } from '../../chain-reader.ts';
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
    const status = chain.replayStatus();
    return status ? replayToJson(status) : null;
  }),
];

/** `matches` says, figure by figure, whether execution here gave what the real header holds. */
function replayToJson({ number, hash, transactions, executed, real }: ReplayStatus): unknown {
  const [ours, theirs] = [figuresToJson(executed), figuresToJson(real)];
  const matches = Object.entries(theirs).map(([name, value]) => [name, ours[name] === value]);
  return {
    number: toQuantity(number),
    hash: toData(hash),
    transactions: toQuantity(transactions),
    executed: ours,
    real: theirs,
    matches: Object.fromEntries(matches),
  };
}

function figuresToJson(figures: ReplayFigures): Record<string, string> {
  const { gasUsed, logsBloom, transactionsRoot, receiptsRoot } = figures;
  return {
    gasUsed: toQuantity(gasUsed),
    logsBloom: toData(logsBloom),
    transactionsRoot: toData(transactionsRoot),
    ...(receiptsRoot && { receiptsRoot: toData(receiptsRoot) }),
  };
}
