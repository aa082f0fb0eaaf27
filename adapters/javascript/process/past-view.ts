import type { Key } from '@concordat/kv';
import { fromLatin1, fromUtf8 } from '@concordat/std';
import type { PastState } from '../past-state.ts';
import { prefixOfMap, tableOfMap } from '../tables.ts';
import { bytesOf } from './crypto-operations.ts';
import type { PastRanges } from './past-ranges.ts';
import type { RealmPast } from './realm-host.ts';

/** Values by key, of one table of a state. */
type Values = ReadonlyMap<Key, Uint8Array>;

/** A state that was given to the request, its writes found by key when first asked for. */
interface Given {
  readonly state: PastState;
  tables: Map<string, Map<Key, Uint8Array>> | undefined;
}

/**
 * The past as the running request sees it. States are told apart by numbers that are never used
 * again, so that what a module remembers of an earlier request is found to be gone.
 */
export class PastView implements RealmPast {
  readonly #ranges: PastRanges;
  readonly #give: (bytes: Uint8Array) => ArrayBuffer;
  #given: Given[] = [];
  /** Number of the first one. */
  #first = 0;
  #hasOwn = false;

  constructor(ranges: PastRanges, give: (bytes: Uint8Array) => ArrayBuffer) {
    this.#ranges = ranges;
    this.#give = give;
  }

  /** Begins a request. @param own the state that it is about, of a historical endpoint */
  begin(own: PastState | undefined): void {
    if (this.#given.length > 0) {
      this.#first += this.#given.length;
      this.#given = [];
    }
    this.#hasOwn = own !== undefined;
    if (own !== undefined) this.#given.push({ state: own, tables: undefined });
  }

  own(): number {
    return this.#hasOwn ? this.#first : -1;
  }

  range(handle: number, start: number, end: number, seconds: number): number {
    const states = this.#ranges.get({ handle, start, end }, seconds);
    if (states === undefined) return -1;
    const first = this.#first + this.#given.length;
    for (const state of states) this.#given.push({ state, tables: undefined });
    return first;
  }

  drop(handle: number): boolean {
    return this.#ranges.drop(handle);
  }

  id(state: number): string {
    const { view, seqno } = this.#find(state).state;
    return `${view}.${seqno}`;
  }

  receipt(state: number): string {
    return fromUtf8(this.#find(state).state.receipt);
  }

  get(state: number, map: string, key: unknown): ArrayBuffer | undefined {
    const { prefix, values } = this.#place(state, map);
    const value = values.get(prefix + keyOf(key));
    return value === undefined ? undefined : this.#give(value);
  }

  has(state: number, map: string, key: unknown): boolean {
    const { prefix, values } = this.#place(state, map);
    return values.has(prefix + keyOf(key));
  }

  size(state: number, map: string): number {
    const { prefix, values } = this.#place(state, map);
    let size = 0;
    for (const key of values.keys()) if (key.startsWith(prefix)) size += 1;
    return size;
  }

  each(state: number, map: string, visit: (key: ArrayBuffer, value: ArrayBuffer) => void): void {
    const { prefix, values } = this.#place(state, map);
    for (const [key, value] of values) {
      if (!key.startsWith(prefix)) continue;
      visit(this.#give(fromLatin1(key.slice(prefix.length))), this.#give(value));
    }
  }

  #place(state: number, map: string): { readonly prefix: Key; readonly values: Values } {
    const given = this.#find(state);
    const prefix = prefixOfMap(map);
    if (prefix === undefined) throw new TypeError('the name of a map has 1 to 255 bytes of UTF-8');
    given.tables ??= tablesOf(given.state);
    return { prefix, values: given.tables.get(tableOfMap(map)) ?? none };
  }

  #find(state: number): Given {
    const given = this.#given[state - this.#first];
    if (given !== undefined) return given;
    throw new TypeError('this state was of another request');
  }
}

const none: Values = new Map();
const keyOf = (key: unknown): Key => Buffer.prototype.latin1Slice.call(bytesOf(key, 'the key'));

/** What a transaction left; a key it deleted is not there. */
function tablesOf({ writes }: PastState): Map<string, Map<Key, Uint8Array>> {
  const tables = new Map<string, Map<Key, Uint8Array>>();
  for (const { table, key, value } of writes) {
    if (value === undefined) continue;
    let values = tables.get(table);
    if (values === undefined) {
      values = new Map();
      tables.set(table, values);
    }
    values.set(key, value);
  }
  return tables;
}
