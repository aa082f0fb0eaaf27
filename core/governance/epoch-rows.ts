import type { ReadView, TableDeclaration, TransactionSet } from '@concordat/kv';
import { type Epoch, fromUtf8, toEpoch, utf8 } from '@concordat/std';
import { canonicalJson } from './canonical-json.ts';

const epochTable = 'public:concordat.epoch';
const epochKeysTable = 'public:concordat.epoch-keys';

/** Tables of the epochs: public, since whoever reads a ledger must find what opens it. */
export const epochTables: readonly TableDeclaration[] = [
  { name: epochTable, kind: 'hash' },
  { name: epochKeysTable, kind: 'ordered' },
];

/**
 * Why an epoch began: the network did; actors or nodes left or came; there is another shared key;
 * the last epoch was long enough, in time or in blocks; a vote asked for it; a network that stood
 * still was resumed; a network was recovered.
 */
export type EpochReason =
  | 'genesis'
  | 'actors'
  | 'key'
  | 'time'
  | 'blocks'
  | 'vote'
  | 'resume'
  | 'recovery';

/** How the newest epoch began. */
export interface EpochBegun {
  readonly epoch: number;
  /** The block that began it; the epoch seals the blocks after its commit, epoch 1 that one too. */
  readonly height: number;
  readonly reason: EpochReason;
  /** The leader's clock, milliseconds since the Unix epoch. */
  readonly timeMs: number;
}

/** An epoch that is to begin, and waits for a fresh shared key: see {@link waitsForFreshKey}. */
export interface EpochOwed {
  /** The block that changed the actors or nodes. */
  readonly height: number;
  /** The leader's clock, milliseconds since the Unix epoch. */
  readonly timeMs: number;
}

/** The session key of an epoch, encrypted to a shared key. */
export interface EpochKeyRow {
  readonly epoch: Epoch;
  /** Number of the shared key. */
  readonly keyNumber: number;
  /** The encoded ciphertext, 161 bytes: docs/format/threshold-keys.md. */
  readonly ciphertext: Uint8Array;
}

const digits = (number: number): string => String(number).padStart(16, '0');

/** The newest epoch of a state; 0 before the first block. */
export function currentEpoch(view: ReadView): Epoch {
  const value = view.table(epochTable).get('current');
  return toEpoch(value ? Number(fromUtf8(value)) : 0);
}

/** How the newest epoch of a state began; undefined before the first block. */
export function newestEpoch(view: ReadView): EpochBegun | undefined {
  const row = view.table(epochTable).get('begun');
  return row && decodeEpochBegun(row);
}

/** The epoch that is owed in a state; undefined when none is. */
export function epochOwed(view: ReadView): EpochOwed | undefined {
  const row = view.table(epochTable).get('owed');
  return row && (JSON.parse(fromUtf8(row)) as EpochOwed);
}

/** Writes that an epoch is owed, unless one was owed before. */
export function recordEpochOwed(set: TransactionSet, owed: EpochOwed): void {
  const epochs = set.table(epochTable);
  if (!epochs.has('owed')) epochs.set('owed', utf8(canonicalJson({ ...owed })));
}

/** An epoch's session key as a state has it, one for each shared key it is encrypted to. */
export function epochKeyRows(view: ReadView, epoch: Epoch): EpochKeyRow[] {
  const rows: EpochKeyRow[] = [];
  const prefix = `${digits(epoch)}/`;
  for (const [key, ciphertext] of view.table(epochKeysTable).range({ prefix })) {
    rows.push({ epoch, keyNumber: Number(key.slice(prefix.length)), ciphertext });
  }
  return rows;
}

/** The session key of an epoch encrypted to one shared key; undefined when a state has none. */
export function epochKeyRow(
  view: ReadView,
  { epoch, keyNumber }: Pick<EpochKeyRow, 'epoch' | 'keyNumber'>,
): EpochKeyRow | undefined {
  const ciphertext = view.table(epochKeysTable).get(`${digits(epoch)}/${digits(keyNumber)}`);
  return ciphertext && { epoch, keyNumber, ciphertext };
}

/** Writes what begins an epoch: that it did, and its key. */
export function recordEpoch(
  set: TransactionSet,
  begun: EpochBegun,
  key: Pick<EpochKeyRow, 'keyNumber' | 'ciphertext'>,
): void {
  const epochs = set.table(epochTable);
  epochs.set('current', utf8(String(begun.epoch)));
  epochs.set('begun', utf8(canonicalJson({ ...begun })));
  if (epochs.has('owed')) epochs.delete('owed');
  const row = `${digits(begun.epoch)}/${digits(key.keyNumber)}`;
  set.table(epochKeysTable).set(row, key.ciphertext);
}

/** Whether this is the row that says how the newest epoch began. */
export const isEpochBegun = (table: string, key: string): boolean =>
  table === epochTable && key === 'begun';

/** Reads that row. */
export const decodeEpochBegun = (row: Uint8Array): EpochBegun =>
  JSON.parse(fromUtf8(row)) as EpochBegun;

/** Whether a write of this table says that an epoch begins. */
export const beginsEpoch = (table: string): boolean => table === epochTable;
