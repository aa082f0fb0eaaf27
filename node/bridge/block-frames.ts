import type { BinaryReader } from '@concordat/std';
import { readFlag } from './control.ts';
import type { FrameBuilder } from './frame-builder.ts';

/** The write sets of one transaction, as bytes nobody on the way parses. */
export interface WriteSetPair {
  readonly publicWrites: Uint8Array;
  readonly privateWrites: Uint8Array;
}

/** One executed transaction of a batch; becomes one leaf. */
export interface BatchTransaction extends WriteSetPair {
  /** 32 bytes; absent when the transaction claims nothing. */
  readonly claimsDigest?: Uint8Array;
}

/** One block of a worker's transactions, for a follower or a replay. */
export interface AppliedBlock {
  readonly view: number;
  readonly height: number;
  readonly firstSeqno: number;
  readonly timeMs: number;
  /** False: committed already, so it can go straight into the base. */
  readonly speculative: boolean;
  readonly transactions: readonly WriteSetPair[];
}

/** Writes a block that a worker is to take up. */
export function writeApplied(frame: FrameBuilder, block: AppliedBlock): void {
  frame.u64(block.view).u64(block.height).u64(block.firstSeqno).u64(block.timeMs);
  frame.flag(block.speculative).u32(block.transactions.length);
  for (const { publicWrites, privateWrites } of block.transactions) {
    frame.bytes(publicWrites).bytes(privateWrites);
  }
}

/** Reads a list of them. @throws DecodeError */
export function readAppliedBlocks(reader: BinaryReader): AppliedBlock[] {
  const count = reader.u32();
  const blocks: AppliedBlock[] = [];
  for (let index = 0; index < count; index++) {
    const [view, height, firstSeqno] = [reader.u64(), reader.u64(), reader.u64()];
    const [timeMs, speculative, size] = [reader.u64(), readFlag(reader), reader.u32()];
    const transactions: WriteSetPair[] = [];
    for (let at = 0; at < size; at++) {
      transactions.push({ publicWrites: reader.bytes(), privateWrites: reader.bytes() });
    }
    blocks.push({ view, height, firstSeqno, timeMs, speculative, transactions });
  }
  return blocks;
}

/** Writes one transaction of a batch. */
export function writeTransaction(frame: FrameBuilder, transaction: BatchTransaction): void {
  const { publicWrites, privateWrites, claimsDigest } = transaction;
  frame
    .bytes(publicWrites)
    .bytes(privateWrites)
    .flag(claimsDigest !== undefined);
  if (claimsDigest !== undefined) frame.raw(claimsDigest);
}

/** Reads a batch's. @throws DecodeError */
export function readTransactions(reader: BinaryReader): BatchTransaction[] {
  const count = reader.u32();
  const transactions: BatchTransaction[] = [];
  for (let index = 0; index < count; index++) {
    const [publicWrites, privateWrites] = [reader.bytes(), reader.bytes()];
    transactions.push(
      readFlag(reader)
        ? { publicWrites, privateWrites, claimsDigest: reader.raw(32) }
        : { publicWrites, privateWrites },
    );
  }
  return transactions;
}
