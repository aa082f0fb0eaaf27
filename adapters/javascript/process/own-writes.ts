import type { Key } from '@concordat/kv';
import { OwnOrder, type OwnWrites } from './ordered-scan.ts';

/** What a request wrote, by table, then by key. */
export class RequestWrites {
  readonly #tables = new Map<string, Map<Key, Uint8Array | undefined>>();
  /** Of the tables that were scanned: the others need no order. */
  readonly #orders = new Map<string, OwnOrder>();

  get isEmpty(): boolean {
    return this.#tables.size === 0;
  }

  /** By table. */
  get tables(): ReadonlyMap<string, OwnWrites> {
    return this.#tables;
  }

  of(table: string): OwnWrites | undefined {
    return this.#tables.get(table);
  }

  /** @param value undefined deletes the key */
  put(table: string, key: Key, value: Uint8Array | undefined): void {
    let own = this.#tables.get(table);
    if (own === undefined) {
      own = new Map();
      this.#tables.set(table, own);
    }
    const before = own.size;
    own.set(key, value);
    if (own.size > before) this.#orders.get(table)?.add(key);
  }

  /** What was written to a table, with its order; undefined when nothing was. */
  ordered(table: string): { readonly writes: OwnWrites; readonly order: OwnOrder } | undefined {
    const writes = this.#tables.get(table);
    if (writes === undefined) return undefined;
    let order = this.#orders.get(table);
    if (order === undefined) {
      order = new OwnOrder(writes.keys());
      this.#orders.set(table, order);
    }
    return { writes, order };
  }
}
