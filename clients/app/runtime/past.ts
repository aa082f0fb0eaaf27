import { AppFailure } from './failure.ts';
import type { Platform, RawPast } from './platform.ts';
import type { AnySchema } from './schema.ts';
import {
  type AnyTable,
  fitting,
  mapOfTable,
  type TableDefinition,
  type Tables,
  valueIn,
} from './table.ts';

/** What one transaction wrote to a table; a key that it deleted is not there. */
export interface PastTable<K, V> {
  get(key: K): V | undefined;
  has(key: K): boolean;
  /** What it wrote, in no particular order. */
  entries(): [K, V][];
}

/** A committed transaction of an application. */
export interface PastState<T extends Tables> {
  /** `view.seqno` */
  readonly transactionId: string;
  /** Proves the transaction offline; see `verifyReceipt` of the sdk. */
  readonly receipt: unknown;
  readonly tables: {
    readonly [N in keyof T]: T[N] extends TableDefinition<infer K, infer V, infer _>
      ? PastTable<K, V>
      : never;
  };
}

/** The transaction that a request to a historical endpoint is about. */
export function pastState(tables: Tables, platform: Platform): object | undefined {
  const past = platform.past();
  return past === undefined ? undefined : stateOf(past, tables, platform);
}

/**
 * Committed transactions, both ends included.
 * @throws AppFailure PastNotReady while they are being read: the same request succeeds later
 */
export function pastStates(
  { from, to }: { readonly from: number; readonly to: number },
  tables: Tables,
  platform: Platform,
): object[] {
  const found = platform.pastRange(from, to);
  if (found !== undefined) return found.map((past) => stateOf(past, tables, platform));
  throw new AppFailure('PastNotReady', 202, 'the transactions are still being read: ask again');
}

function stateOf(past: RawPast, tables: Tables, platform: Platform): object {
  const { transactionId, receipt } = past;
  const bound = Object.entries(tables).map(([name, definition]) => [
    name,
    new BoundPastTable(name, definition, { past, platform }),
  ]);
  return { transactionId, receipt, tables: Object.fromEntries(bound) as object };
}

class BoundPastTable implements PastTable<unknown, unknown> {
  readonly #name: string;
  readonly #definition: AnyTable;
  readonly #past: RawPast;
  readonly #platform: Platform;

  constructor(
    name: string,
    definition: AnyTable,
    { past, platform }: { readonly past: RawPast; readonly platform: Platform },
  ) {
    this.#name = name;
    this.#definition = definition;
    this.#past = past;
    this.#platform = platform;
  }

  get(key: unknown): unknown {
    const { key: codec } = this.#definition;
    const value = this.#map.get(codec.encode(key));
    return value === undefined ? undefined : this.#read(value);
  }

  has(key: unknown): boolean {
    return this.#map.get(this.#definition.key.encode(key)) !== undefined;
  }

  entries(): [unknown, unknown][] {
    const { key: codec } = this.#definition;
    return this.#map.entries().map(([key, value]) => [codec.decode(key), this.#read(value)]);
  }

  get #map() {
    return this.#past.map(mapOfTable(this.#name, this.#definition));
  }

  #read(bytes: Uint8Array): unknown {
    const schema = this.#definition.value as AnySchema;
    const json = this.#platform.decode(bytes);
    return fitting(`the table ${this.#name} held`, () => valueIn(schema, json));
  }
}
