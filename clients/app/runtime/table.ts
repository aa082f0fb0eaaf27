import { AppFailure, DefinitionError } from './failure.ts';
import type { AnyKeyCodec, KeyCodec } from './key-codec.ts';
import { createPageToken, readPageToken } from './page-token.ts';
import type { Platform, RawIndex, RawMap, RawRange, SeqnoBounds } from './platform.ts';
import { type AnySchema, InvalidValue, type Schema } from './schema.ts';

/** What a table is. */
export interface TableDefinition<K, V, P = never> {
  readonly key: KeyCodec<K, P>;
  readonly value: Schema<V, unknown>;
  readonly isPublic: boolean;
  /** Whether the transactions that wrote each key are kept track of. */
  readonly isIndexed: boolean;
}

/** Any table's definition. */
// biome-ignore lint/suspicious/noExplicitAny: the one type that every table is assignable to
export type AnyTable = TableDefinition<any, any, any>;

/** Tables by their names. */
export type Tables = Readonly<Record<string, AnyTable>>;

/**
 * Declares a table.
 * @param options.public whether its entries can be read in the ledger by anyone; default: no
 * @param options.indexed whether `seqnosOf` tells which transactions wrote a key; default: no
 */
export function table<K, V, P = never>(options: {
  readonly key: KeyCodec<K, P>;
  readonly value: Schema<V, unknown>;
  readonly public?: boolean;
  readonly indexed?: boolean;
}): TableDefinition<K, V, P> {
  const { value, key, public: isPublic = false, indexed: isIndexed = false } = options;
  if ((value as AnySchema).isOptional) {
    throw new DefinitionError('TABLE_INVALID', 'the values of a table are not optional');
  }
  return { key, value, isPublic, isIndexed };
}

/** Which entries, by keys in their order; the bounds combine. */
export interface Range<K, P = never> {
  /** Keys that begin so: a text, or the leading parts of a tuple. */
  readonly prefix?: P | undefined;
  /** The first key, included. */
  readonly from?: K | undefined;
  /** The end, excluded. */
  readonly to?: K | undefined;
  /** From the last key down. */
  readonly reverse?: boolean | undefined;
}

/** A range, and where in it to begin and end. */
export interface Scan<K, P = never> extends Range<K, P> {
  /** Only what comes after this key. */
  readonly after?: K | undefined;
  readonly limit?: number | undefined;
}

/** A range in pages. */
export interface PageQuery<K, P = never> extends Range<K, P> {
  /** Entries of a page: 1 to 1,000; default 100. */
  readonly limit?: number | undefined;
  /** What the page before gave as `next`; absent for the first page. */
  readonly token?: string | undefined;
  /** What else the pages depend on (a filter, say): a token of another is refused. */
  readonly binding?: string | undefined;
}

/** One page. */
export interface Page<K, V> {
  readonly items: readonly (readonly [K, V])[];
  /** Token of the next page; absent at the end. */
  readonly next?: string;
}

/** A table as a request that writes nothing sees it. */
export interface ReadTable<K, V, P = never> {
  get(key: K): V | undefined;
  has(key: K): boolean;
  /** Entries in the order of their keys, read as far as they are taken. */
  scan(scan?: Scan<K, P>): IterableIterator<[K, V]>;
  /**
   * A page of entries. Tokens name the last key, so entries that are written or deleted
   * meanwhile make no other come twice or not at all.
   * @throws AppFailure InvalidPageToken
   */
  page(query?: PageQuery<K, P>): Page<K, V>;
  /** Number of entries; costs as many. */
  count(range?: Range<K, P>): number;
  /**
   * Seqno of the committed transaction that gave the key its value; the request's own writes do
   * not count.
   */
  versionOf(key: K): number | undefined;
  /**
   * Seqnos of the committed transactions that wrote or deleted the key, in order, at most 10,000;
   * for tables that are `indexed`.
   */
  seqnosOf(key: K, bounds?: SeqnoBounds): number[];
  /** Every committed transaction up to this seqno is known to `seqnosOf`. */
  readonly indexedUpTo: number;
}

/** A table as a request that writes sees it: its own writes included. */
export interface Table<K, V, P = never> extends ReadTable<K, V, P> {
  put(key: K, value: V): void;
  delete(key: K): void;
}

/** The tables of a definition, as requests of a mode see them. */
export type TablesOf<T extends Tables, M> = {
  readonly [N in keyof T]: T[N] extends TableDefinition<infer K, infer V, infer P>
    ? M extends 'write'
      ? Table<K, V, P>
      : ReadTable<K, V, P>
    : never;
};

const maxPageItems = 1_000;
const usualPageItems = 100;

/** The map that a table lies in. */
export const mapOfTable = (name: string, { isPublic }: AnyTable): string =>
  isPublic ? `public:${name}` : name;

/** The tables of a definition over a platform. */
export function bindTables(tables: Tables, platform: Platform): Record<string, BoundTable> {
  const bound = Object.entries(tables).map(([name, definition]) => [
    name,
    new BoundTable(name, definition, platform),
  ]);
  return Object.fromEntries(bound) as Record<string, BoundTable>;
}

/** One table over a platform. */
export class BoundTable implements Table<unknown, unknown, unknown> {
  readonly #name: string;
  readonly #key: AnyKeyCodec;
  readonly #value: AnySchema;
  readonly #platform: Platform;
  readonly #map: RawMap;
  readonly #isIndexed: boolean;

  constructor(name: string, definition: AnyTable, platform: Platform) {
    this.#name = name;
    this.#key = definition.key;
    this.#value = definition.value as AnySchema;
    this.#platform = platform;
    this.#isIndexed = definition.isIndexed;
    this.#map = platform.map(mapOfTable(name, definition));
  }

  get(key: unknown): unknown {
    const value = this.#map.get(this.#key.encode(key));
    return value === undefined ? undefined : this.#read(value);
  }

  has(key: unknown): boolean {
    return this.#map.has(this.#key.encode(key));
  }

  put(key: unknown, value: unknown): void {
    const what = `the table ${this.#name} is not to hold`;
    const json = fitting(what, () => this.#value.write(value) as unknown);
    this.#map.set(this.#key.encode(key), this.#platform.encode(JSON.stringify(json)));
  }

  delete(key: unknown): void {
    this.#map.delete(this.#key.encode(key));
  }

  *scan(scan: Scan<unknown, unknown> = {}): IterableIterator<[unknown, unknown]> {
    for (const [key, value] of this.#map.entries(this.#range(scan))) {
      yield [this.#key.decode(key) as unknown, this.#read(value)];
    }
  }

  page(query: PageQuery<unknown, unknown> = {}): Page<unknown, unknown> {
    const { limit = usualPageItems, token, binding = '', ...range } = query;
    if (!Number.isInteger(limit) || limit < 1 || limit > maxPageItems) {
      throw new AppFailure('InvalidInput', 400, `a page has 1 to ${maxPageItems} entries`);
    }
    const bounds = this.#range(range);
    const scope = { table: this.#name, range: bounds, binding };
    const after = token === undefined ? {} : { after: readPageToken(token, scope, this.#platform) };
    const items: [unknown, unknown][] = [];
    let last: Uint8Array | undefined;
    for (const [key, value] of this.#map.entries({ ...bounds, ...after, limit: limit + 1 })) {
      if (items.length === limit) {
        const next = createPageToken(last as Uint8Array, scope, this.#platform);
        return { items, next };
      }
      items.push([this.#key.decode(key) as unknown, this.#read(value)]);
      last = key;
    }
    return { items };
  }

  count(range: Range<unknown, unknown> = {}): number {
    return this.#map.count(this.#range(range));
  }

  versionOf(key: unknown): number | undefined {
    return this.#map.versionOf(this.#key.encode(key));
  }

  seqnosOf(key: unknown, bounds: SeqnoBounds = {}): number[] {
    return this.#index.seqnosOf(this.#key.encode(key), bounds);
  }

  get indexedUpTo(): number {
    return this.#index.upTo;
  }

  get #index(): RawIndex {
    if (this.#isIndexed) return this.#platform.index(this.#name);
    throw new TypeError(`the table ${this.#name} is not declared indexed`);
  }

  #range({ prefix, from, to, after, reverse, limit }: Scan<unknown, unknown>): RawRange {
    return {
      ...(prefix !== undefined && { prefix: this.#key.encodePrefix(prefix) }),
      ...(from !== undefined && { from: this.#key.encode(from) }),
      ...(to !== undefined && { to: this.#key.encode(to) }),
      ...(after !== undefined && { after: this.#key.encode(after) }),
      ...(reverse !== undefined && { reverse }),
      ...(limit !== undefined && { limit }),
    };
  }

  #read(bytes: Uint8Array): unknown {
    const { decode } = this.#platform;
    return fitting(`the table ${this.#name} holds`, () => valueIn(this.#value, decode(bytes)));
  }
}

/** A value of a table, from its JSON. @throws InvalidValue */
export const valueIn = (schema: AnySchema, json: string): unknown =>
  schema.read(JSON.parse(json) as unknown);

/** What does not fit is a mistake of the application, not of its client. @throws TypeError */
export function fitting<T>(what: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    throw new TypeError(`${what} a value of another kind: ${error.message}`);
  }
}
