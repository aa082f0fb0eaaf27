import type { BlockReference, BlockView, ChainView } from '../../chain-reader.ts';
import { blockNumber, blockReference } from '../block-parameter.ts';
import { RpcError } from '../errors.ts';
import { blockToJson, receiptToJson, transactionToJson } from '../format.ts';
import { toData, toQuantity } from '../hex.ts';
import { type Method, method } from '../method.ts';
import { count, flag, hash, optional, required } from '../parameters.ts';

/** keccak256 of the RLP of an empty list: a block without uncles. */
const noUncles = '0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347';

/** Blocks, their counts, receipts and uncles. */
export const blockMethods: readonly Method[] = [
  method('eth_getBlockByNumber', [required(blockNumber), optional(flag)], blockJson),
  method('eth_getBlockByHash', [required(hash), optional(flag)], blockJson),
  method('eth_getBlockTransactionCountByNumber', [required(blockNumber)], transactionCount),
  method('eth_getBlockTransactionCountByHash', [required(hash)], transactionCount),
  method('eth_getBlockReceipts', [required(blockReference)], ({ chain }, at) => {
    const receipts = chain.receiptsOfBlock(at);
    return receipts ? receipts.map(receiptToJson) : null;
  }),
  method('eth_getUncleCountByBlockNumber', [required(blockNumber)], uncleCount),
  method('eth_getUncleCountByBlockHash', [required(hash)], uncleCount),
  method('eth_getUncleByBlockNumberAndIndex', [required(blockNumber), required(count)], uncle),
  method('eth_getUncleByBlockHashAndIndex', [required(hash), required(count)], uncle),
];

interface OfChain {
  readonly chain: ChainView;
}

function blockJson({ chain }: OfChain, at: BlockReference, full: boolean | undefined): unknown {
  const block = chain.block(at);
  if (!block) return null;
  if (!full) return blockToJson(block, block.transactionHashes.map(toData));
  const transactions = block.transactionHashes.map((_, index) => {
    const view = chain.transactionByIndex(block.hash, index);
    return view ? transactionToJson(view) : null;
  });
  return blockToJson(block, transactions);
}

function transactionCount({ chain }: OfChain, at: BlockReference): unknown {
  const block = chain.block(at);
  return block ? toQuantity(block.transactionHashes.length) : null;
}

function uncleCount({ chain }: OfChain, at: BlockReference): unknown {
  const block = chain.block(at);
  if (!block) return null;
  refuseForeignUncles(block);
  return '0x0';
}

function uncle({ chain }: OfChain, at: BlockReference, _index: number): unknown {
  const block = chain.block(at);
  if (block) refuseForeignUncles(block);
  return null;
}

/** A replayed public block may name uncles of the public network, which are not kept here. */
function refuseForeignUncles(block: BlockView): void {
  if (toData(block.header.unclesHash) === noUncles) return;
  throw new RpcError('RESOURCE_NOT_FOUND', 'uncles of replayed blocks are not kept');
}
