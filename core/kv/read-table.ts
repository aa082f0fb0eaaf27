import { KvError } from './errors.ts';
import { type RangeOptions, scan } from './scan.ts';
import { type Horizon, type Key, type Table, type TableOrder, visible } from './table.ts';

/** Reading one table. Returned values are shared: never write to them. */
export interface ReadTable {
  get(key: Key): Uint8Array | undefined;
  has(key: Key): boolean;
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
    return this.#table.base.get(key);
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
    return this.#table.order === undefined ? this.#table.base.entries() : this.range();
  }
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
    if (top === undefined) return this.source.base.get(key);
    const entry = visible(top, this.#horizon.newest);
    return entry === undefined ? this.source.base.get(key) : entry.value;
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
