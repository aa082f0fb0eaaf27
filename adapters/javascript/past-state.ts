import type { Write } from '@concordat/kv';
import {
  type BinaryReader,
  type BinaryWriter,
  DecodeError,
  fromLatin1,
  toLatin1,
} from '@concordat/std';
import { privateTable, publicTable } from './tables.ts';

/** What a committed transaction of the past wrote to the application's maps, and its receipt. */
export interface PastState {
  readonly view: number;
  readonly seqno: number;
  /** Writes to the two tables of records; no others are sent to an application. */
  readonly writes: readonly Write[];
  /** JSON. */
  readonly receipt: Uint8Array;
}

/** What an application may ask for by `ccf.historical.getStateRange`. */
export interface WantedRange {
  /** Drawn by the application; 0 to 2^32-1. */
  readonly handle: number;
  /** Seqnos, both ends inclusive; at most {@link maxRangeLength} of them. */
  readonly start: number;
  readonly end: number;
}

/** What became of a range: states of all of it, or the code of why there are none. */
export interface FetchedRange {
  readonly wanted: WantedRange;
  /** Empty when there are states. */
  readonly code: string;
  readonly states: readonly PastState[];
}

/** Transactions of one range. */
export const maxRangeLength = 1_000;
/** Bytes of the states of one range, and of all that an application keeps. */
export const maxRangeBytes = 16 * 1024 * 1024;

/** Whether a range is one that can be asked for. */
export const isRange = ({ start, end }: Pick<WantedRange, 'start' | 'end'>): boolean =>
  Number.isSafeInteger(start) &&
  Number.isSafeInteger(end) &&
  start >= 1 &&
  end >= start &&
  end - start < maxRangeLength;

/** About what a state takes in memory, bytes. */
export function bytesOfState({ writes, receipt }: PastState): number {
  let bytes = 256 + receipt.length;
  for (const { key, value } of writes) bytes += 128 + key.length + (value?.length ?? 0);
  return bytes;
}

const absent = 0;
const present = 1;

/** u64 view | u64 seqno | bytes receipt | u32 count | (u8 public | bytes key | u8 has | value?)... */
export function writeState(writer: BinaryWriter, state: PastState): void {
  const { view, seqno, receipt, writes } = state;
  writer.u64(view).u64(seqno).bytes(receipt).u32(writes.length);
  for (const { table, key, value } of writes) {
    writer.u8(table === publicTable ? 1 : 0).bytes(fromLatin1(key));
    if (value === undefined) writer.u8(absent);
    else writer.u8(present).bytes(value);
  }
}

/** Reads what {@link writeState} wrote. @throws DecodeError */
export function readState(reader: BinaryReader): PastState {
  const [view, seqno, receipt, count] = [reader.u64(), reader.u64(), reader.bytes(), reader.u32()];
  const writes: Write[] = [];
  for (let at = 0; at < count; at++) {
    const table = reader.u8() === 1 ? publicTable : privateTable;
    const key = toLatin1(reader.bytes());
    const has = reader.u8();
    if (has > present) throw new DecodeError('INVALID', 'a write of the past');
    writes.push(has === absent ? { table, key } : { table, key, value: reader.bytes() });
  }
  return { view, seqno, receipt, writes };
}
