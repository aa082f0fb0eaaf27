import { assert, viewOf } from '@concordat/std';
import BTreeModule from 'sorted-btree';
import { KvError } from './errors.ts';
import { KeyMap, type ReadKeyMap } from './key-map.ts';

/** A key: a binary (latin1) string, one character of code 0-255 a byte, at most 65,535. */
export type Key = string;

/** What a table is called and how it is kept. */
export interface TableDeclaration {
  /** 1-255 printable ASCII characters. A name starting `public:` is readable in the ledger
   * without keys. */
  readonly name: string;
  /** `hash`: point access only, fastest. `ordered`: also range scans, in binary key order. */
  readonly kind: 'hash' | 'ordered';
  /** Keeps with every committed value the seqno of the transaction that wrote it: 8 bytes each. */
  readonly versioned?: boolean;
}

/**
 * One value a layer gave a key. `previous` is the value the key had before in a lower layer, so
 * the entries of one key form a stack of which the head index holds the top.
 */
export interface Entry {
  readonly key: Key;
  /** Undefined when the layer deleted the key. */
  value: Uint8Array | undefined;
  /** Number of the layer; {@link foldedLayer} once the value is in the base. */
  layer: number;
  previous: Entry | undefined;
  /** Serial of the transaction that wrote last, while its set is open; 0 otherwise. */
  transaction: number;
  /** What the key held when that transaction began. */
  before: Uint8Array | undefined;
  /** Which of its layer's transactions wrote last, from 0; -1 while that one is not ended. */
  place: number;
}

/** The layer number of an entry whose value has reached the base. */
export const foldedLayer = -1;

/** Keys in binary order. */
export interface KeyOrder {
  readonly size: number;
  set(key: Key, value: undefined): unknown;
  delete(key: Key): boolean;
  clear(): void;
  entries(lowestKey?: Key): IterableIterator<[Key, undefined]>;
  entriesReversed(
    highestKey?: Key,
    reusedArray?: undefined,
    skipHighest?: boolean,
  ): IterableIterator<[Key, undefined]>;
}

// The package is CommonJS: the class is the `default` member of what Node hands over.
const BTree = ((BTreeModule as unknown as { default?: unknown }).default ??
  BTreeModule) as unknown as new (
  entries: undefined,
  compare: (a: Key, b: Key) => number,
) => KeyOrder;

/** Binary order of keys: code units of latin1 strings compare as their bytes do. */
export const compareKeys = (a: Key, b: Key): number => (a < b ? -1 : a > b ? 1 : 0);

const tableName = /^[\x21-\x7e]{1,255}$/;
const publicPrefix = 'public:';

/** Whether a table's writes go to the segment that is readable without keys. */
export const isPublicTable = (name: string): boolean => name.startsWith(publicPrefix);

/** Whether a table may have this name. */
export const isTableName = (name: string): boolean => tableName.test(name);

/**
 * The order of an ordered table's keys. Values live in the same maps as those of a hash table, so
 * that point access costs the same and an update of a present key does not touch a tree.
 */
export interface TableOrder {
  /** Keys of the base. */
  readonly base: KeyOrder;
  /** Keys that only the head index has. */
  readonly inserted: KeyOrder;
}

/** Hears of every key of a base that is about to change. */
export interface BaseWatcher {
  changing(key: Key): void;
}

const noWatchers: readonly BaseWatcher[] = [];

/** One table: the committed base, and the newest uncommitted value of every key that has one. */
export class Table {
  readonly name: string;
  readonly isPublic: boolean;
  readonly isVersioned: boolean;
  /** Undefined for a hash table. */
  readonly order: TableOrder | undefined;
  /** Values as they are kept: in a versioned table {@link withVersion}. */
  readonly base: ReadKeyMap<Uint8Array>;
  readonly head: ReadonlyMap<Key, Entry>;
  readonly #base = new KeyMap<Uint8Array>();
  readonly #head = new Map<Key, Entry>();
  #watchers: readonly BaseWatcher[] = noWatchers;

  constructor(declaration: TableDeclaration) {
    const { name, kind, versioned = false } = declaration;
    if (!isTableName(name)) {
      throw new KvError('INVALID_TABLE_NAME', 'a table name is 1-255 printable ASCII characters');
    }
    this.name = name;
    this.isPublic = isPublicTable(name);
    this.isVersioned = versioned;
    this.base = this.#base;
    this.head = this.#head;
    const createOrder = (): KeyOrder => new BTree(undefined, compareKeys);
    this.order = kind === 'ordered' ? { base: createOrder(), inserted: createOrder() } : undefined;
  }

  /** The value of a key in the base. */
  read(key: Key): Uint8Array | undefined {
    const kept = this.#base.get(key);
    return kept === undefined || !this.isVersioned ? kept : withoutVersion(kept);
  }

  /** Seqno of the transaction that wrote a key of the base; undefined for a key it has not. */
  versionIn(key: Key): number | undefined {
    const kept = this.#requireVersions().get(key);
    return kept === undefined ? undefined : versionOf(kept);
  }

  #requireVersions(): ReadKeyMap<Uint8Array> {
    if (this.isVersioned) return this.#base;
    throw new KvError('NOT_VERSIONED', `table ${this.name} keeps no versions`, {
      table: this.name,
    });
  }

  /** Makes an entry the top of its key's stack. */
  push(entry: Entry): void {
    const before = this.#head.size;
    this.#head.set(entry.key, entry);
    if (this.order === undefined || this.#head.size === before) return;
    if (!this.#base.has(entry.key)) this.order.inserted.set(entry.key, undefined);
  }

  /** Takes the top entry of its key's stack off again. */
  pop({ key, previous }: Entry): void {
    // A previous entry that has reached the base says no more than the base does.
    if (previous === undefined || previous.layer === foldedLayer) this.clear(key);
    else this.#head.set(key, previous);
  }

  /** Takes a key off the head index: the base says it all. */
  clear(key: Key): void {
    this.#head.delete(key);
    if (this.order !== undefined && !this.#base.has(key)) this.order.inserted.delete(key);
  }

  /** From now on tells this watcher of every key of the base that is about to change. */
  watch(watcher: BaseWatcher): void {
    this.#watchers = [...this.#watchers, watcher];
  }

  unwatch(watcher: BaseWatcher): void {
    this.#watchers = this.#watchers.filter((other) => other !== watcher);
  }

  /** Empties base and head index, without telling. */
  wipe(): void {
    this.#base.clear();
    this.#head.clear();
    this.order?.base.clear();
    this.order?.inserted.clear();
  }

  /**
   * Puts a value where commit ends: into the base.
   * @param seqno of the transaction that wrote it; only a versioned table needs to be told
   */
  fold(key: Key, value: Uint8Array | undefined, seqno: number | undefined): void {
    if (value === undefined) this.keep(key, undefined);
    else if (!this.isVersioned) this.keep(key, unshare(value));
    else {
      assert(seqno !== undefined, 'a versioned value is committed without a seqno');
      this.keep(key, withVersion(value, seqno));
    }
  }

  /** Puts a value as it is kept into the base. */
  keep(key: Key, value: Uint8Array | undefined): void {
    if (this.#watchers.length > 0) {
      for (const watcher of this.#watchers) watcher.changing(key);
    }
    const before = this.#base.size;
    if (value === undefined) this.#base.delete(key);
    else this.#base.set(key, value);
    if (this.order === undefined || this.#base.size === before) return;
    const { base, inserted } = this.order;
    if (value === undefined) {
      base.delete(key);
      if (this.#head.has(key)) inserted.set(key, undefined);
    } else {
      base.set(key, undefined);
      inserted.delete(key);
    }
  }
}

/** Which entries of a table's head index a view sees: the newest at or below `newest`. */
export interface Horizon {
  readonly newest: number;
  /** Seqno of the first transaction of a layer; undefined until it is known. */
  firstSeqnoOf(layer: number): number | undefined;
}

/** What the version of a key is that was written by a transaction without a seqno yet. */
export const unnumbered = 0;

const versionBytes = 8;

/** A value as a versioned table keeps it: u64 seqno | value. A copy. */
export function withVersion(value: Uint8Array, seqno: number): Uint8Array {
  const kept = Buffer.allocUnsafe(versionBytes + value.length);
  kept.writeUInt32BE(Math.floor(seqno / 0x1_0000_0000), 0);
  kept.writeUInt32BE(seqno % 0x1_0000_0000, 4);
  kept.set(value, versionBytes);
  return kept;
}

/** The seqno of a value that is kept with one; undefined when these bytes are no such value. */
export function versionOf(kept: Uint8Array): number | undefined {
  if (kept.length < versionBytes) return undefined;
  const bytes = viewOf(kept);
  const seqno = bytes.readUInt32BE(0) * 0x1_0000_0000 + bytes.readUInt32BE(4);
  return seqno >= 1 && Number.isSafeInteger(seqno) ? seqno : undefined;
}

/** The value of one that is kept with its seqno. */
export const withoutVersion = (kept: Uint8Array): Uint8Array => kept.subarray(versionBytes);

/** The entry a view with this horizon sees on a key's stack; undefined = look in the base. */
export function visible(top: Entry | undefined, newest: number): Entry | undefined {
  let entry = top;
  while (entry !== undefined && entry.layer > newest) entry = entry.previous;
  return entry === undefined || entry.layer === foldedLayer ? undefined : entry;
}

/** Base memory above which a small value is copied out, so that it does not keep the rest. */
const sharedBytes = 16_384;

/** The value, copied when it is a small part of a large buffer (a socket read, a big block). */
export function unshare(value: Uint8Array): Uint8Array {
  const held = value.buffer.byteLength;
  if (held <= sharedBytes || held < value.length * 2) return value;
  const copy = Buffer.allocUnsafe(value.length);
  copy.set(value);
  return copy;
}
