import type { BlockReference, ChainView, FeeHistoryBlock } from '../../chain-reader.ts';
import { blockNumber } from '../block-parameter.ts';
import { invalidParameter, RpcError } from '../errors.ts';
import { toQuantity } from '../hex.ts';
import { type Method, method } from '../method.ts';
import { list, looseCount, optional, required } from '../parameters.ts';

/** Blocks of one `eth_feeHistory`, as Geth bounds it. */
const maxHistoryBlocks = 1_024;
/** Reward percentiles of one `eth_feeHistory`, as Geth bounds it. */
const maxPercentiles = 100;
/** Blob gas price while no block carries blobs (EIP-4844, MIN_BASE_FEE_PER_BLOB_GAS). */
const idleBlobBaseFee = '0x1';

/** What to pay for gas. There is no market: a batch is ordered as it arrives, without bids. */
export const feeMethods: readonly Method[] = [
  method('eth_gasPrice', [], ({ chain }) => toQuantity(chain.baseFeePerGas)),
  method('eth_maxPriorityFeePerGas', [], () => '0x0'),
  method('eth_blobBaseFee', [], () => idleBlobBaseFee),
  method(
    'eth_feeHistory',
    [required(looseCount), required(blockNumber), optional(list(percentile, maxPercentiles))],
    ({ chain }, blocks, newest, percentiles) => feeHistory(chain, blocks, newest, percentiles),
  ),
];

function percentile(value: unknown, at: string): number {
  if (typeof value !== 'number' || !(value >= 0 && value <= 100)) {
    throw invalidParameter(at, 'not a percentile from 0 to 100');
  }
  return value;
}

function feeHistory(
  chain: ChainView,
  blocks: number,
  newest: BlockReference,
  percentiles: readonly number[] | undefined,
): unknown {
  checkAscending(percentiles ?? []);
  if (blocks === 0) return { oldestBlock: '0x0', gasUsedRatio: null };
  const head = chain.blockNumber();
  if (typeof newest === 'number' && newest > head) {
    const why = `request beyond head block: requested ${newest}, head ${head}`;
    throw new RpcError('SERVER_ERROR', why);
  }
  const history = chain.feeHistory(Math.min(blocks, maxHistoryBlocks), newest);
  const last = history.at(-1);
  if (!last) throw new RpcError('SERVER_ERROR', 'header not found');
  const next = last.number === head ? undefined : chain.block(last.number + 1);
  const nextBaseFee = next?.header.baseFeePerGas ?? chain.baseFeePerGas;
  const json: Record<string, unknown> = {
    oldestBlock: toQuantity(history[0]!.number),
    baseFeePerGas: [...history.map((block) => block.baseFeePerGas), nextBaseFee].map(toQuantity),
    gasUsedRatio: history.map((block) => block.gasUsed / block.gasLimit),
    baseFeePerBlobGas: [...history, last].map(() => idleBlobBaseFee),
    blobGasUsedRatio: history.map(() => 0),
  };
  if (percentiles && percentiles.length > 0) {
    json.reward = history.map((block) => rewards(block, percentiles));
  }
  return json;
}

function checkAscending(percentiles: readonly number[]): void {
  for (let index = 1; index < percentiles.length; index++) {
    if (percentiles[index]! < percentiles[index - 1]!) {
      throw invalidParameter('argument 2', 'percentiles must not descend');
    }
  }
}

/** Priority fees at percentiles of the block's gas, cheapest transaction first. */
function rewards(block: FeeHistoryBlock, percentiles: readonly number[]): string[] {
  const sorted = [...block.rewards].sort((a, b) => (a.priorityFee < b.priorityFee ? -1 : 1));
  let index = 0;
  let gas = sorted[0]?.gasUsed ?? 0;
  return percentiles.map((wanted) => {
    const threshold = (block.gasUsed * wanted) / 100;
    while (gas < threshold && index < sorted.length - 1) gas += sorted[++index]!.gasUsed;
    return toQuantity(sorted[index]?.priorityFee ?? 0);
  });
}
