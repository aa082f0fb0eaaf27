import type { ReadView, TableDeclaration, TransactionSet } from '@concordat/kv';
import { fromUtf8, isHex64, utf8 } from '@concordat/std';

/** What the ledger says of the snapshot at a height: what every node's own must be. */
export interface SnapshotRecord {
  /** Hex, 32 bytes: digest of its manifest. */
  readonly digest: string;
  /** Number of chunks, the manifest included. */
  readonly chunks: number;
  /** Plaintext bytes of all chunks. */
  readonly bytes: number;
}

/** Records kept: a newcomer looks for that of the snapshot it began from, which is a new one. */
const keptRecords = 64;
const table = 'concordat.snapshots';

/** Private: whoever has no key has nothing to compare. Keys are heights of 16 decimal digits. */
export const snapshotTables: readonly TableDeclaration[] = [{ name: table, kind: 'ordered' }];

const keyOf = (height: number): string => String(height).padStart(16, '0');

/** What a state says of the snapshot at a height; undefined when nothing. */
export function recordedSnapshot(view: ReadView, height: number): SnapshotRecord | undefined {
  const value = view.table(table).get(keyOf(height));
  return value && readRecord(value);
}

/** The newest height of which a state has a record; undefined when there is none. */
export function newestRecordedSnapshot(view: ReadView): number | undefined {
  for (const [key] of view.table(table).range({ reverse: true, limit: 1 })) return Number(key);
  return undefined;
}

/** Records a snapshot in an open write set; the oldest records make room. */
export function recordSnapshot(set: TransactionSet, height: number, record: SnapshotRecord): void {
  const records = set.table(table);
  const { digest, chunks, bytes } = record;
  records.set(keyOf(height), utf8(JSON.stringify({ digest, chunks, bytes })));
  const keys = Array.from(records.range(), ([key]) => key);
  for (const key of keys.slice(0, -keptRecords)) records.delete(key);
}

/** Only nodes write these rows; one that cannot be read names no snapshot. */
function readRecord(value: Uint8Array): SnapshotRecord | undefined {
  let record: Partial<SnapshotRecord>;
  try {
    record = JSON.parse(fromUtf8(value)) as Partial<SnapshotRecord>;
  } catch {
    return undefined;
  }
  const { digest, chunks, bytes } = record ?? {};
  const isCount = (count: unknown): count is number => Number.isSafeInteger(count);
  if (!isHex64(digest) || !isCount(chunks) || !isCount(bytes)) return undefined;
  return { digest, chunks, bytes };
}
