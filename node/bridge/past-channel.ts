import { type BinaryReader, DecodeError } from '@concordat/std';
import { readFlag } from './control.ts';
import type { EncodedFrame, FrameBuilder } from './frame-builder.ts';
import { maxCodeBytes } from './snapshot-channel.ts';

/** What a worker asks of the committed ledger: transactions by seqno, both ends inclusive. */
export interface PastRequest {
  readonly kind: 'past';
  readonly id: number;
  readonly from: number;
  readonly to: number;
  /** Whether each comes with its receipt. */
  readonly receipts: boolean;
}

/** One committed transaction as the manager shows it to a worker. */
export interface PastTransaction {
  readonly seqno: number;
  readonly view: number;
  /** Empty, as are the private ones, unless the transaction was made by this worker's adapters. */
  readonly publicWrites: Uint8Array;
  readonly privateWrites: Uint8Array;
  /** JSON; empty when none was asked for. */
  readonly receipt: Uint8Array;
}

/**
 * The manager's answer: consecutive transactions from the first one asked for on, at least one and
 * not always all; or, with a code of the catalogue of `core/api`, why there is none.
 */
export interface PastReply {
  readonly kind: 'pastReply';
  readonly id: number;
  readonly code?: string;
  readonly transactions: readonly PastTransaction[];
}

/** Transactions of one reply. */
export const maxPastTransactions = 512;
/** Frame type of {@link PastRequest}. */
export const pastType = 71;
/** Frame type of {@link PastReply}. */
export const pastReplyType = 71;

/** Writes the body of a frame that was begun with its type. */
export const writePast = (frame: FrameBuilder, request: PastRequest): EncodedFrame =>
  frame.u32(request.id).u64(request.from).u64(request.to).flag(request.receipts).finish();

/** Reads it; the caller checks that nothing follows. @throws DecodeError */
export function readPast(reader: BinaryReader): PastRequest {
  const [id, from, to] = [reader.u32(), reader.u64(), reader.u64()];
  return { kind: 'past', id, from, to, receipts: readFlag(reader) };
}

/** Writes the body of a frame that was begun with its type. */
export function writePastReply(frame: FrameBuilder, reply: PastReply): EncodedFrame {
  const { id, code = '', transactions } = reply;
  frame.u32(id).text(code).u32(transactions.length);
  for (const { seqno, view, publicWrites, privateWrites, receipt } of transactions) {
    frame.u64(seqno).u64(view).bytes(publicWrites).bytes(privateWrites).bytes(receipt);
  }
  return frame.finish();
}

/** Reads it; the caller checks that nothing follows. @throws DecodeError */
export function readPastReply(reader: BinaryReader): PastReply {
  const [id, code, count] = [reader.u32(), reader.text(maxCodeBytes), reader.u32()];
  if (count > maxPastTransactions || (code === '') === (count === 0)) {
    throw new DecodeError('INVALID', `${count} transactions of the past`);
  }
  const transactions: PastTransaction[] = [];
  for (let at = 0; at < count; at++) {
    const [seqno, view] = [reader.u64(), reader.u64()];
    const [publicWrites, privateWrites] = [reader.bytes(), reader.bytes()];
    transactions.push({ seqno, view, publicWrites, privateWrites, receipt: reader.bytes() });
  }
  return { kind: 'pastReply', id, ...(code !== '' && { code }), transactions };
}
