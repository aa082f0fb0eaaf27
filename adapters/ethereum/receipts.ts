import { bloomOf, encodeReceipt } from './block.ts';
import type { ReceiptView } from './chain-reader.ts';
import type { TransactionRecord } from './records.ts';
import { transactionFields } from './transaction.ts';

/** EIP-2718 form of a receipt: the leaf of the receipts root. */
export function consensusForm(record: TransactionRecord): Uint8Array {
  const { status, cumulativeGasUsed, logs, raw } = record;
  const first = raw[0] as number;
  const type = first >= 0xc0 ? 0 : first;
  return encodeReceipt({ type, status, cumulativeGasUsed, logs });
}

/** Where a transaction stands in its chain. */
export interface BlockPlace {
  readonly number: number;
  readonly index: number;
  readonly blockHash: Uint8Array;
}

/** The receipt of a stored transaction. */
export function receiptOf(record: TransactionRecord, place: BlockPlace): ReceiptView {
  const { number, index, blockHash } = place;
  const fields = transactionFields(record.raw);
  return {
    transactionHash: record.hash,
    transactionIndex: index,
    blockHash,
    blockNumber: number,
    from: record.from,
    ...(fields.to === undefined ? {} : { to: fields.to }),
    ...(record.contractAddress === undefined ? {} : { contractAddress: record.contractAddress }),
    type: fields.type,
    status: record.status,
    gasUsed: record.gasUsed,
    cumulativeGasUsed: record.cumulativeGasUsed,
    effectiveGasPrice: record.effectiveGasPrice,
    logs: record.logs.map((log, i) => ({
      ...log,
      blockNumber: number,
      blockHash,
      transactionHash: record.hash,
      transactionIndex: index,
      logIndex: record.firstLog + i,
    })),
    logsBloom: bloomOf(record.logs),
  };
}
