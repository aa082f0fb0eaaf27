import { assert, emptyBytes } from '@concordat/std';
import { KvError } from './errors.ts';
import { LayeredTable, type ReadTable, type ReadView } from './read-table.ts';
import {
  compareKeys,
  type Entry,
  type Horizon,
  type Key,
  type Table,
  unnumbered,
} from './table.ts';
import {
  encodeWriteSet,
  maxKeyBytes,
  maxValueBytes,
  type TableWrites,
  type WriteSet,
} from './write-set.ts';

/** Reading and writing one table within an open transaction set. */
export interface WriteTable extends ReadTable {
  /**
   * Gives a key a value. The bytes are kept, not copied: do not change them afterwards.
   * @throws KvError INVALID_KEY, VALUE_TOO_LARGE, SET_CLOSED
   */
  set(key: Key, value: Uint8Array): void;
  /** Removes a key; nothing when it is absent. @throws KvError INVALID_KEY, SET_CLOSED */
  delete(key: Key): void;
}

/**
 * Transactions being executed one after another on the head of the state. Reads see the writes
 * made so far. It ends as one layer (`finish`) or as nothing (`abort`).
 */
export interface TransactionSet extends ReadView {
  /** @throws KvError UNKNOWN_TABLE */
  table(name: string): WriteTable;
  /** A point of the present transaction to come back to. */
  checkpoint(): number;
  /** Undoes all writes since a checkpoint of the present transaction. */
  revert(mark: number): void;
  /**
   * Ends one transaction: its net writes, canonical. They stay visible in the set. Deleting a
   * key that the transaction found absent is no write. @throws KvError SET_CLOSED
   */
  takeWriteSet(): WriteSet;
  /**
   * Makes the set a layer. Writes since the last `takeWriteSet` are undone: no write set holds
   * them, so no other node would have them. @throws KvError SET_CLOSED
   */
  finish(): void;
  /** Undoes everything; nothing when the set is closed already. */
  abort(): void;
}

/** How the store hears of the end of its open set. */
export interface SetOwner {
  find(name: string): Table;
  finished(layer: Layer): void;
  aborted(): void;
  /** Seqno of the first transaction of a layer; undefined until it is known. */
  firstSeqnoOf(layer: number): number | undefined;
}

/** The entries of one layer, by table, in the order they were made. */
export interface Layer {
  readonly number: number;
  /** Seqno of its first transaction, once known. */
  firstSeqno: number | undefined;
  readonly parts: readonly { readonly table: Table; readonly entries: Entry[] }[];
}

/** How an undo step restores its entry. */
const undoCreated = 0;
const undoTouched = 1;
const undoRewritten = 2;

/** The one open set of a store: entries in the head index, and an undo log of this transaction. */
export class OpenSet implements TransactionSet, Horizon {
  /** A set sees every layer, itself included. */
  readonly newest: number;
  /** Serial of the present transaction within the set, from 1. */
  transaction = 1;
  readonly #owner: SetOwner;
  readonly #tables = new Map<string, OpenTable>();
  #open = true;
  #undoTables: OpenTable[] = [];
  #undoEntries: Entry[] = [];
  #undoValues: (Uint8Array | undefined)[] = [];
  #undoKinds: number[] = [];
  #markBase = 0;

  constructor(layer: number, owner: SetOwner) {
    this.newest = layer;
    this.#owner = owner;
  }

  table(name: string): WriteTable {
    let table = this.#tables.get(name);
    if (table === undefined) {
      table = new OpenTable(this.#owner.find(name), this);
      this.#tables.set(name, table);
    }
    return table;
  }

  checkpoint(): number {
    this.requireOpen();
    return this.#markBase + this.#undoEntries.length;
  }

  revert(mark: number): void {
    this.requireOpen();
    const keep = mark - this.#markBase;
    assert(keep >= 0 && keep <= this.#undoEntries.length, 'checkpoint of another transaction');
    for (let i = this.#undoEntries.length - 1; i >= keep; i--) {
      const entry = this.#undoEntries[i] as Entry;
      const kind = this.#undoKinds[i];
      entry.value = this.#undoValues[i];
      if (kind === undoRewritten) continue;
      (this.#undoTables[i] as OpenTable).untouch(entry, kind === undoCreated);
    }
    this.#truncateUndo(keep);
  }

  takeWriteSet(): WriteSet {
    this.requireOpen();
    let publicTables: TableWrites[] | undefined;
    let privateTables: TableWrites[] | undefined;
    for (const table of this.#tables.values()) {
      if (table.touched.length === 0) continue;
      const writes = table.takeWrites(this.transaction - 1);
      if (writes === undefined) continue;
      if (table.isPublic) {
        publicTables ??= [];
        publicTables.push(writes);
      } else {
        privateTables ??= [];
        privateTables.push(writes);
      }
    }
    this.#markBase += this.#undoEntries.length + 1;
    this.#truncateUndo(0);
    this.transaction++;
    return { publicWrites: encode(publicTables), privateWrites: encode(privateTables) };
  }

  finish(): void {
    this.requireOpen();
    this.revert(this.#markBase);
    this.#open = false;
    const parts = [];
    for (const table of this.#tables.values()) {
      if (table.made.length > 0) parts.push(table.part());
    }
    this.#owner.finished({ number: this.newest, firstSeqno: undefined, parts });
  }

  abort(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const table of this.#tables.values()) dropEntries(table.part());
    this.#truncateUndo(0);
    this.#owner.aborted();
  }

  firstSeqnoOf(layer: number): number | undefined {
    return this.#owner.firstSeqnoOf(layer);
  }

  /** @throws KvError SET_CLOSED */
  requireOpen(): void {
    if (!this.#open) throw new KvError('SET_CLOSED', 'the transaction set is closed');
  }

  /** Notes that an entry was made in this transaction. */
  noteCreated(table: OpenTable, entry: Entry): void {
    this.#note(table, entry, undoCreated);
  }

  /** Notes that an existing entry is about to change, for the first time or again. */
  noteChange(table: OpenTable, entry: Entry, first: boolean): void {
    this.#note(table, entry, first ? undoTouched : undoRewritten);
  }

  #note(table: OpenTable, entry: Entry, kind: number): void {
    this.#undoTables.push(table);
    this.#undoEntries.push(entry);
    this.#undoValues.push(entry.value);
    this.#undoKinds.push(kind);
  }

  #truncateUndo(length: number): void {
    this.#undoTables.length = length;
    this.#undoEntries.length = length;
    this.#undoValues.length = length;
    this.#undoKinds.length = length;
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: a key is bytes 0-255
const notBinary = /[^\x00-\xff]/;

/** A table of an open set. */
class OpenTable extends LayeredTable implements WriteTable {
  /** Entries this set made, oldest first. */
  readonly made: Entry[] = [];
  /** Entries the present transaction wrote, each once, in the order of their first write. */
  readonly touched: Entry[] = [];
  readonly #set: OpenSet;
  readonly #layer: number;

  constructor(table: Table, set: OpenSet) {
    super(table, set);
    this.#set = set;
    this.#layer = set.newest;
  }

  get isPublic(): boolean {
    return this.source.isPublic;
  }

  // The set is the top of every stack, so its reads need no walk down it.
  override get(key: Key): Uint8Array | undefined {
    const top = this.source.head.get(key);
    return top === undefined ? this.source.read(key) : top.value;
  }

  override versionOf(key: Key): number | undefined {
    const top = this.source.head.get(key);
    const isPresent =
      top !== undefined && top.layer === this.#layer && top.transaction === this.#set.transaction;
    if (!isPresent) return super.versionOf(key);
    if (top.place < 0) return this.versionUnder(top.previous, key);
    // An earlier transaction of this set wrote it; what it left, this one has changed.
    return top.before === undefined ? undefined : unnumbered;
  }

  set(key: Key, value: Uint8Array): void {
    if (value.length > maxValueBytes) {
      throw new KvError('VALUE_TOO_LARGE', `a value of ${value.length} bytes`);
    }
    this.#write(key, value);
  }

  delete(key: Key): void {
    if (this.get(key) !== undefined) this.#write(key, undefined);
    else this.#set.requireOpen();
  }

  #write(key: Key, value: Uint8Array | undefined): void {
    const set = this.#set;
    set.requireOpen();
    if (key.length > maxKeyBytes || notBinary.test(key)) {
      throw new KvError('INVALID_KEY', 'a key is a binary string of at most 65,535 bytes');
    }
    const { head } = this.source;
    const top = head.get(key);
    if (top !== undefined && top.layer === this.#layer) {
      const first = top.transaction !== set.transaction;
      set.noteChange(this, top, first);
      if (first) {
        top.transaction = set.transaction;
        top.before = top.value;
        this.touched.push(top);
      }
      top.value = value;
      return;
    }
    const entry: Entry = {
      key,
      value,
      layer: this.#layer,
      previous: top,
      transaction: set.transaction,
      before: top === undefined ? this.source.read(key) : top.value,
      place: -1,
    };
    this.source.push(entry);
    this.made.push(entry);
    this.touched.push(entry);
    set.noteCreated(this, entry);
  }

  /** Takes back the last first-write of this transaction. */
  untouch(entry: Entry, created: boolean): void {
    const last = this.touched.pop();
    assert(last === entry, 'undo out of order');
    entry.transaction = 0;
    entry.before = undefined;
    if (!created) return;
    this.made.pop();
    this.source.pop(entry);
  }

  /**
   * The net writes of the present transaction in key order; it ends for this table.
   * @param place which transaction of the set it is, from 0
   */
  takeWrites(place: number): TableWrites | undefined {
    const { touched } = this;
    if (touched.length > 1) touched.sort((a, b) => compareKeys(a.key, b.key));
    const keys: Key[] = [];
    const values: (Uint8Array | undefined)[] = [];
    for (const entry of touched) {
      if (entry.value !== undefined || entry.before !== undefined) {
        keys.push(entry.key);
        values.push(entry.value);
        entry.place = place;
      }
      entry.before = undefined;
    }
    touched.length = 0;
    return keys.length === 0 ? undefined : { name: this.source.name, keys, values };
  }

  part(): { table: Table; entries: Entry[] } {
    return { table: this.source, entries: this.made };
  }
}

/** Takes the entries of a newest layer off the head index. */
export function dropEntries(part: { table: Table; entries: Entry[] }): void {
  for (const entry of part.entries) part.table.pop(entry);
}

function encode(tables: TableWrites[] | undefined): Uint8Array {
  if (tables === undefined) return emptyBytes;
  if (tables.length > 1) tables.sort((a, b) => compareKeys(a.name, b.name));
  return encodeWriteSet(tables);
}
