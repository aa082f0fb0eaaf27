import type { Submitted } from '@concordat/worker-enclave';
import type { BlockReference, ChainView, SubmittedTransaction } from '../../chain-reader.ts';
import { keccak256 } from '../../crypto.ts';
import { blockNumber } from '../block-parameter.ts';
import { maxCallDataBytes } from '../call-parameters.ts';
import { RpcError, refusalToRpc } from '../errors.ts';
import { receiptToJson, transactionToJson } from '../format.ts';
import { toData } from '../hex.ts';
import { type CallContext, type Method, method } from '../method.ts';
import { count, data, hash, looseCount, optional, required } from '../parameters.ts';
import { submit } from '../submit.ts';

const rawBytes = required(data(maxCallDataBytes));
/** Longest and default wait of `eth_sendRawTransactionSync`, milliseconds (EIP-7966). */
const maxSyncWaitMs = 60_000;
const defaultSyncWaitMs = 20_000;

/** Sending transactions, and finding those that are committed. */
export const transactionMethods: readonly Method[] = [
  method('eth_sendRawTransaction', [rawBytes], async (context, raw) => {
    const answer = await submitted(context, raw);
    if (!answer.ok) throw refusalToRpc(answer);
    return answer.result.hash;
  }),
  method('eth_sendRawTransactionSync', [rawBytes, optional(looseCount)], sendSync),
  method('eth_getTransactionByHash', [required(hash)], ({ chain }, of) => {
    const view = chain.transactionByHash(of);
    return view ? transactionToJson(view) : null;
  }),
  method('eth_getTransactionByBlockHashAndIndex', [required(hash), required(count)], transactionAt),
  method(
    'eth_getTransactionByBlockNumberAndIndex',
    [required(blockNumber), required(count)],
    transactionAt,
  ),
  method('eth_getTransactionReceipt', [required(hash)], ({ chain }, of) => {
    const receipt = chain.receiptByHash(of);
    return receipt ? receiptToJson(receipt) : null;
  }),
  method('eth_getRawTransactionByHash', [required(hash)], rawByHash),
  method('debug_getRawTransaction', [required(hash)], rawByHash),
];

interface OfChain {
  readonly chain: ChainView;
}

function transactionAt({ chain }: OfChain, at: BlockReference, index: number): unknown {
  const view = chain.transactionByIndex(at, index);
  return view ? transactionToJson(view) : null;
}

function rawByHash({ chain }: OfChain, of: Uint8Array): string {
  const view = chain.transactionByHash(of);
  return view ? toData(view.raw) : '0x';
}

const submitted = (
  context: CallContext,
  raw: Uint8Array,
): Promise<Submitted<SubmittedTransaction>> =>
  new Promise((resolve) => submit(context, raw, 'commit', resolve));

/** EIP-7966: answers with the receipt; after the wait with error 4 and the hash to ask again for. */
async function sendSync(
  context: CallContext,
  raw: Uint8Array,
  waitMs: number | undefined,
): Promise<unknown> {
  const boundMs = Math.min(waitMs || defaultSyncWaitMs, maxSyncWaitMs);
  const answer = await within(boundMs, submitted(context, raw));
  const hashBytes = keccak256(raw);
  if (answer === undefined || (!answer.ok && answer.code === 'TRANSACTION_UNKNOWN')) {
    const why = `the transaction was accepted but is not committed after ${boundMs} ms`;
    throw new RpcError('TRANSACTION_UNDECIDED', why, toData(hashBytes));
  }
  if (!answer.ok) throw refusalToRpc(answer);
  const receipt = context.chain.receiptByHash(hashBytes);
  if (!receipt) throw new RpcError('INTERNAL_ERROR', 'committed transaction without a receipt');
  return receiptToJson(receipt);
}

async function within<Value>(ms: number, promise: Promise<Value>): Promise<Value | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
