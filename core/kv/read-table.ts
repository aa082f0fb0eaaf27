import { KvError } from './errors.ts';
import { type RangeOptions, scan } from './scan.ts';
import {
  type Entry,
  type Horizon,
  type Key,
  type Table,
  type TableOrder,
  unnumbered,
  visible,
  withoutVersion,
} from './table.ts';

/** Reading one table. Returned values are shared: never write to them. */
export interface ReadTable {
  get(key: Key): Uint8Array | undefined;
  has(key: Key): boolean;
  /**
   * Seqno of the transaction that gave a key its value; undefined for a key without one. 0 when that
   * transaction has no seqno yet: the block it belongs to is not sealed. Writes of the transaction
   * that is going on do not count.
   * @throws KvError NOT_VERSIONED unless the table is declared `versioned`
   */
  versionOf(key: Key): number | undefined;
  /** Number of keys: at once on the committed view, counted over the uncommitted keys elsewhere. */
  readonly size: number;
  /**
   * Pairs in binary key order. The table may change while the scan runs: keys come in order and
   * none twice; changes ahead of the scan may or may not be seen.
   * @throws KvError NOT_ORDERED on a hash table
   */
  range(options?: RangeOptions): Iterable<[Key, Uint8Array]>;
  /** All pairs of any table; in key order when it is ordered, else in no useful order. */
  entries(): Iterable<[Key, Uint8Array]>;
}

/** Tables by name. */
export interface ReadView {
  /** @throws KvError UNKNOWN_TABLE */
  table(name: string): ReadTable;
}

/** A table as committed: the base alone. */
export class CommittedTable implements ReadTable {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  get(key: Key): Uint8Array | undefined {
    return this.#table.read(key);
  }

  versionOf(key: Key): number | undefined {
    return this.#table.versionIn(key);
  }

  has(key: Key): boolean {
    return this.#table.base.has(key);
  }

  get size(): number {
    return this.#table.base.size;
  }

  range(options: RangeOptions = {}): Iterable<[Key, Uint8Array]> {
    const { base } = orderOf(this.#table);
    return scan({ orders: [base], get: (key) => this.get(key) }, options);
  }

  entries(): Iterable<[Key, Uint8Array]> {
    return this.#table.order === undefined ? this.#unordered() : this.range();
  }

  #unordered(): Iterable<[Key, Uint8Array]> {
    const { base, isVersioned } = this.#table;
    return isVersioned ? withoutVersions(base.entries()) : base.entries();
  }
}

function* withoutVersions(pairs: Iterable<[Key, Uint8Array]>): Iterable<[Key, Uint8Array]> {
  for (const [key, kept] of pairs) yield [key, withoutVersion(kept)];
}

/** A table with the layers of a horizon over the base. */
export class LayeredTable implements ReadTable {
  protected readonly source: Table;
  readonly #horizon: Horizon;

  constructor(table: Table, horizon: Horizon) {
    this.source = table;
    this.#horizon = horizon;
  }

  get(key: Key): Uint8Array | undefined {
    const top = this.source.head.get(key);
    if (top === undefined) return this.source.read(key);
    const entry = visible(top, this.#horizon.newest);
    return entry === undefined ? this.source.read(key) : entry.value;
  }

  versionOf(key: Key): number | undefined {
    return this.versionUnder(this.source.head.get(key), key);
  }

  /** The version a key has where the horizon or an older entry of its stack is the top. */
  protected versionUnder(top: Entry | undefined, key: Key): number | undefined {
    const entry = visible(top, this.#horizon.newest);
    const base = this.source.versionIn(key);
    if (entry === undefined) return base;
    if (entry.value === undefined) return undefined;
    const first = this.#horizon.firstSeqnoOf(entry.layer);
    return first === undefined ? unnumbered : first + entry.place;
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined;
  }

  get size(): number {
    const { base, head } = this.source;
    let size = base.size;
    for (const [key, top] of head.entries()) {
      const entry = visible(top, this.#horizon.newest);
      if (entry === undefined) continue;
      if (entry.value === undefined) size -= base.has(key) ? 1 : 0;
      else size += base.has(key) ? 0 : 1;
    }
    return size;
  }

  range(options: RangeOptions = {}): Iterable<[Key, Uint8Array]> {
    const { base, inserted } = orderOf(this.source);
    return scan({ orders: [base, inserted], get: (key) => this.get(key) }, options);
  }

  entries(): Iterable<[Key, Uint8Array]> {
    return this.source.order === undefined ? this.#unordered() : this.range();
  }

  *#unordered(): Iterable<[Key, Uint8Array]> {
    const { base, head } = this.source;
    // Base first, each key with the value seen now; then the keys that only layers have.
    for (const [key] of base.entries()) {
      const value = this.get(key);
      if (value !== undefined) yield [key, value];
    }
    for (const [key] of head.entries()) {
      if (base.has(key)) continue;
      const value = this.get(key);
      if (value !== undefined) yield [key, value];
    }
  }
}

function orderOf({ name, order }: Table): TableOrder {
  if (order !== undefined) return order;
  throw new KvError('NOT_ORDERED', `table ${name} is a hash table`, { table: name });
}
