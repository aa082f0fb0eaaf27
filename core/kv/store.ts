import { assert } from '@concordat/std';
import { KvError } from './errors.ts';
import { Freeze, type FrozenState } from './freeze.ts';
import { CommittedTable, LayeredTable, type ReadTable, type ReadView } from './read-table.ts';
import { Restore, type SectionWriter } from './restore.ts';
import {
  type Entry,
  foldedLayer,
  type Horizon,
  isPublicTable,
  type Key,
  Table,
  type TableDeclaration,
  unshare,
  versionOf,
} from './table.ts';
import {
  dropEntries,
  type Layer,
  OpenSet,
  type SetOwner,
  type TransactionSet,
} from './transaction-set.ts';
import { readWriteSet, type WriteSet, type WriteSink } from './write-set.ts';

/** A part of a store: its tables by their names. */
export type TableChoice = (table: string) => boolean;
const everyTable: TableChoice = () => true;

/** Freezes of one store that may be open at a time. */
const maxFreezes = 4;

/**
 * Named tables of bytes to bytes: a committed base under a stack of speculative layers, one a
 * block height. Every uncommitted key has its newest value in one head index, so a read costs at
 * most two look-ups however many layers there are, and commit and rollback cost the keys changed.
 */
export class Store {
  readonly #tables = new Map<string, Table>();
  /** Oldest first. */
  readonly #layers: Layer[] = [];
  readonly #committed = new TableViews((name) => new CommittedTable(this.#find(name)));
  readonly #horizon: Horizon;
  readonly #head: TableViews;
  readonly #owner: SetOwner;
  readonly #staged: StagedWrites;
  readonly #freezes = new Set<Freeze>();
  #open: OpenSet | undefined;
  #restore: Restore | undefined;

  constructor(tables: readonly TableDeclaration[]) {
    const layers = this.#layers;
    const firstSeqnoOf = (number: number): number | undefined =>
      layers.findLast((layer) => layer.number === number)?.firstSeqno;
    this.#horizon = {
      firstSeqnoOf,
      // The open set's entries lie above the newest layer: views of the head do not see them.
      get newest() {
        return layers.length === 0 ? 0 : (layers[layers.length - 1] as Layer).number;
      },
    };
    this.#head = new TableViews((name) => new LayeredTable(this.#find(name), this.#horizon));
    this.#owner = {
      find: (name) => this.#find(name),
      firstSeqnoOf,
      finished: (layer) => {
        this.#open = undefined;
        layers.push(layer);
      },
      aborted: () => {
        this.#open = undefined;
      },
    };
    this.#staged = new StagedWrites((name) => this.#find(name));
    for (const table of tables) this.declare(table);
  }

  /** Adds an empty table. @throws KvError TABLE_EXISTS, INVALID_TABLE_NAME */
  declare(declaration: TableDeclaration): void {
    if (this.#tables.has(declaration.name)) {
      throw new KvError('TABLE_EXISTS', `table ${declaration.name} is declared already`);
    }
    this.#tables.set(declaration.name, new Table(declaration));
  }

  /** The committed state, live: it changes with every commit. */
  committed(): ReadView {
    return this.#committed;
  }

  /** The committed state and every finished layer, live; writes of an open set are not in it. */
  head(): ReadView {
    return this.#head;
  }

  /** Number of the newest layer; undefined when all is committed. */
  get newestLayer(): number | undefined {
    return this.#layers.at(-1)?.number;
  }

  /**
   * Opens the one transaction set, to become this layer.
   * @param layer a block height from 1, above every present layer
   * @throws KvError SET_OPEN, LAYER_ORDER, RESTORING
   */
  begin(layer: number): TransactionSet {
    this.#requireNewLayer(layer);
    this.#open = new OpenSet(layer, this.#owner);
    return this.#open;
  }

  /**
   * Puts the transactions of a block on top as one layer, all or nothing.
   * @param firstSeqno of the block; only versioned tables need it, by {@link number} at the latest
   * @throws KvError MALFORMED, UNKNOWN_TABLE, SET_OPEN, LAYER_ORDER, RESTORING
   */
  applyLayer(layer: number, writeSets: readonly WriteSet[], firstSeqno?: number): void {
    this.#requireNewLayer(layer);
    const { tables, keys, values, ends } = this.#staged.read(writeSets);
    const parts = new Map<Table, Entry[]>();
    let place = 0;
    for (let i = 0; i < keys.length; i++) {
      while (i >= (ends[place] as number)) place++;
      const table = tables[i] as Table;
      const key = keys[i] as Key;
      const top = table.head.get(key);
      if (top !== undefined && top.layer === layer) {
        top.value = values[i];
        top.place = place;
        continue;
      }
      const entry: Entry = {
        key,
        value: values[i],
        layer,
        previous: top,
        transaction: 0,
        before: undefined,
        place,
      };
      table.push(entry);
      const entries = parts.get(table);
      if (entries === undefined) parts.set(table, [entry]);
      else entries.push(entry);
    }
    this.#staged.clear();
    this.#layers.push({
      number: layer,
      firstSeqno,
      parts: Array.from(parts, ([table, entries]) => ({ table, entries })),
    });
  }

  /**
   * Puts committed transactions straight into the base, all or nothing; only while there is no
   * layer.
   * @param firstSeqno of the first of them; needed when one writes to a versioned table
   * @throws KvError MALFORMED, UNKNOWN_TABLE, SET_OPEN, LAYER_ORDER, RESTORING
   */
  applyCommitted(writeSets: readonly WriteSet[], firstSeqno?: number): void {
    this.#requireNoLayers();
    const { tables, keys, values, ends } = this.#staged.read(writeSets);
    let place = 0;
    for (let i = 0; i < keys.length; i++) {
      while (i >= (ends[place] as number)) place++;
      const seqno = firstSeqno === undefined ? undefined : firstSeqno + place;
      (tables[i] as Table).fold(keys[i] as Key, values[i], seqno);
    }
    this.#staged.clear();
  }

  /**
   * Puts a part of another store's committed state into the base, all or nothing; only while there
   * is no layer. Values of versioned tables are u64 seqno | value, as {@link withVersion} makes them.
   * @throws KvError MALFORMED, UNKNOWN_TABLE, SET_OPEN, LAYER_ORDER, RESTORING
   */
  adopt(part: WriteSet): void {
    this.#requireNoLayers();
    const { tables, keys, values } = this.#staged.read([part]);
    const isWhole = values.every((value, at) => {
      const kept = value !== undefined && (tables[at] as Table).isVersioned;
      return !kept || versionOf(value) !== undefined;
    });
    if (!isWhole) throw new KvError('MALFORMED', 'a value of a versioned table has no seqno');
    for (let i = 0; i < keys.length; i++) {
      const value = values[i];
      const kept = value === undefined ? undefined : unshare(value);
      (tables[i] as Table).keep(keys[i] as Key, kept);
    }
    this.#staged.clear();
  }

  /**
   * Tells which seqno the first transaction of a layer has; nothing when there is no such layer.
   * Versions of the keys it wrote are 0 until then.
   */
  number(layer: number, firstSeqno: number): void {
    const found = this.#layers.findLast(({ number }) => number === layer);
    if (found !== undefined) found.firstSeqno = firstSeqno;
  }

  #requireNoLayers(): void {
    this.#requireNoOpenSet();
    if (this.#layers.length > 0) {
      throw new KvError('LAYER_ORDER', 'committed writes cannot pass speculative layers');
    }
  }

  /** Folds the layers up to this number into the base, oldest first. */
  commit(upToLayer: number): void {
    const layers = this.#layers;
    let count = 0;
    while (count < layers.length && (layers[count] as Layer).number <= upToLayer) {
      const { parts, firstSeqno } = layers[count] as Layer;
      for (const { table, entries } of parts) foldEntries(table, entries, firstSeqno);
      count++;
    }
    if (count > 0) layers.splice(0, count);
  }

  /**
   * Keeps the committed state of now, to be read while the store goes on. It costs the number of
   * tables; until it is read or released every commit keeps the old values of the keys it changes.
   * @param includes which tables, by name; all of them by default
   * @throws KvError FREEZE_LIMIT when four are open, RESTORING
   */
  freeze(includes: TableChoice = everyTable): FrozenState {
    this.#requireNoRestore();
    if (this.#freezes.size >= maxFreezes) {
      throw new KvError('FREEZE_LIMIT', `${maxFreezes} freezes are open already`);
    }
    const tables = Array.from(this.#tables.values()).filter(({ name }) => includes(name));
    const freeze = new Freeze(tables, () => this.#freezes.delete(freeze));
    this.#freezes.add(freeze);
    return freeze;
  }

  /**
   * Begins to fill tables that hold nothing from a section. Until it ends the store takes no other
   * writes. Tables that the section does not name stay empty; one that is refused empties all.
   * @param chunks number of chunks of the section, at least 1
   * @param includes which tables it is of, by name; all of them by default
   * @throws KvError NOT_EMPTY, SET_OPEN, RESTORING
   */
  restore(chunks: number, includes: TableChoice = everyTable): SectionWriter {
    this.#requireNoOpenSet();
    let held = this.#layers.length;
    for (const { name, base } of this.#tables.values()) if (includes(name)) held += base.size;
    if (held > 0) throw new KvError('NOT_EMPTY', 'a section is restored into an empty store');
    const restore = new Restore(chunks, {
      find: (name) => {
        if (includes(name)) return this.#find(name);
        throw new KvError('UNKNOWN_TABLE', `table ${name} is not of this section`, { table: name });
      },
      ended: (outcome) => {
        this.#restore = undefined;
        if (outcome === 'refused') this.clear();
      },
    });
    this.#restore = restore;
    return restore;
  }

  /**
   * Forgets all contents and keeps the tables. An open set is aborted, open freezes are released
   * and a restore is given up.
   */
  clear(): void {
    this.#open?.abort();
    for (const freeze of this.#freezes) freeze.release();
    this.#restore?.abandon();
    this.#restore = undefined;
    this.#layers.length = 0;
    for (const table of this.#tables.values()) table.wipe();
  }

  /** Drops the layers above this number, newest first. An open set above it is aborted. */
  rollback(downToLayer: number): void {
    if (this.#open !== undefined && this.#open.newest > downToLayer) this.#open.abort();
    const layers = this.#layers;
    for (let layer = layers.at(-1); layer !== undefined; layer = layers.at(-1)) {
      if (layer.number <= downToLayer) return;
      for (const part of layer.parts) dropEntries(part);
      layers.pop();
    }
  }

  #find(name: string): Table {
    const table = this.#tables.get(name);
    if (table === undefined) {
      throw new KvError('UNKNOWN_TABLE', `there is no table ${name}`, { table: name });
    }
    return table;
  }

  #requireNoRestore(): void {
    if (this.#restore !== undefined) throw new KvError('RESTORING', 'a restore is going on');
  }

  #requireNoOpenSet(): void {
    this.#requireNoRestore();
    if (this.#open !== undefined) throw new KvError('SET_OPEN', 'a transaction set is open');
  }

  #requireNewLayer(layer: number): void {
    this.#requireNoOpenSet();
    assert(Number.isSafeInteger(layer) && layer >= 1, `layer out of range: ${layer}`);
    const newest = this.newestLayer;
    if (newest !== undefined && layer <= newest) {
      throw new KvError('LAYER_ORDER', `layer ${layer} is not above layer ${newest}`, { layer });
    }
  }
}

function foldEntries(table: Table, entries: readonly Entry[], first: number | undefined): void {
  for (const entry of entries) {
    const { key, value, place } = entry;
    table.fold(key, value, first === undefined ? undefined : first + place);
    entry.layer = foldedLayer;
    // Whoever lies above keeps this entry alive, but not those below it.
    entry.previous = undefined;
    entry.value = undefined;
    if (table.head.get(key) === entry) table.clear(key);
  }
}

/** Views of tables by name, each made once. */
class TableViews implements ReadView {
  readonly #views = new Map<string, ReadTable>();
  readonly #create: (name: string) => ReadTable;

  constructor(create: (name: string) => ReadTable) {
    this.#create = create;
  }

  table(name: string): ReadTable {
    let view = this.#views.get(name);
    if (view === undefined) {
      view = this.#create(name);
      this.#views.set(name, view);
    }
    return view;
  }
}

/** All writes of a block, decoded before the first one is applied. */
class StagedWrites implements WriteSink {
  readonly tables: Table[] = [];
  readonly keys: Key[] = [];
  readonly values: (Uint8Array | undefined)[] = [];
  /** How many writes there are after each write set. */
  readonly ends: number[] = [];
  readonly #find: (name: string) => Table;
  #table: Table | undefined;
  #name = '';
  #public = false;

  constructor(find: (name: string) => Table) {
    this.#find = find;
  }

  /** Nothing stays staged when a write set is refused. */
  read(writeSets: readonly WriteSet[]): this {
    this.clear();
    try {
      for (const { publicWrites, privateWrites } of writeSets) {
        this.#public = true;
        readWriteSet(publicWrites, this);
        this.#public = false;
        readWriteSet(privateWrites, this);
        this.ends.push(this.keys.length);
      }
    } catch (error) {
      this.clear();
      throw error;
    }
    return this;
  }

  table(name: string): void {
    // One table takes most writes of a block: look it up once.
    if (name !== this.#name) {
      this.#table = this.#find(name);
      this.#name = name;
    }
    if (isPublicTable(name) !== this.#public) {
      throw new KvError('MALFORMED', `table ${name} is written in the wrong segment`);
    }
  }

  write(key: Key, value: Uint8Array | undefined): void {
    this.tables.push(this.#table as Table);
    this.keys.push(key);
    this.values.push(value);
  }

  clear(): void {
    this.tables.length = 0;
    this.keys.length = 0;
    this.values.length = 0;
    this.ends.length = 0;
  }
}
