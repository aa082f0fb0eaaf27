import type { ReadView } from '@concordat/kv';
import type { SharingRow } from './key-rows.ts';
import { readRow, readRows, sequenceKey, tables } from './tables.ts';

/** A sharing as the ledger has it, of whatever age. */
export interface RecordedSharing {
  /** Number of the ceremony that dealt it. */
  readonly number: number;
  readonly row: SharingRow;
}

/** Every sharing of every key there ever was, oldest first: recovery copies are of any of them. */
export function* recordedSharings(view: ReadView): Generator<RecordedSharing> {
  for (const [key, row] of readRows(view, tables.sharings)) yield { number: Number(key), row };
}

/** The sharing that a ceremony dealt; undefined when it dealt none. */
export const recordedSharing = (view: ReadView, ceremony: number): SharingRow | undefined =>
  readRow(view, tables.sharings, sequenceKey(ceremony));
