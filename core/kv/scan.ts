import {
  type Entry,
  type Horizon,
  type Key,
  type OrderedIndex,
  type Table,
  visible,
} from './table.ts';

/** Which keys a range scan yields; every bound is optional and they combine. */
export interface RangeOptions {
  /** Only keys that start with these bytes. */
  readonly prefix?: Key;
  /** First key, inclusive. */
  readonly start?: Key;
  /** End of the keys, exclusive. */
  readonly end?: Key;
  /** At most this many pairs; no limit by default. */
  readonly limit?: number;
  /** From the last key down; false by default. */
  readonly reverse?: boolean;
}

type Pair = [Key, Uint8Array];

const firstChunk = 16;
const largestChunk = 1024;

/**
 * A range scan of base and layers merged, read in chunks that grow, each resumed from the last
 * key. No tree iterator outlives a chunk, so the table may change between two pairs.
 */
export function* scan(
  table: Table,
  horizon: Horizon | undefined,
  options: RangeOptions,
): IterableIterator<Pair> {
  const reverse = options.reverse === true;
  let { low, high } = bounds(options);
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  for (let chunk = firstChunk; left > 0; chunk = Math.min(chunk * 4, largestChunk)) {
    const wanted = Math.min(chunk, left);
    const pairs = readChunk(table, horizon, { low, high, wanted, reverse });
    for (const pair of pairs) yield pair;
    const last = pairs[wanted - 1];
    if (last === undefined) return;
    left -= wanted;
    // The least key above the last one is that key and one zero byte.
    if (reverse) high = last[0];
    else low = `${last[0]}\0`;
  }
}

/** Lowest key (inclusive) and highest (exclusive; undefined = none) of a range. */
function bounds(options: RangeOptions): { low: Key; high: Key | undefined } {
  const { prefix = '', start = '', end } = options;
  const low = laterKey(start, prefix);
  const afterPrefix = successor(prefix);
  if (end === undefined) return { low, high: afterPrefix };
  return { low, high: afterPrefix === undefined || end < afterPrefix ? end : afterPrefix };
}

const laterKey = (a: Key, b: Key): Key => {
  if (a > b) return a;
  return b;
};

/** The least key above every key with this prefix; undefined when there is none. */
function successor(prefix: Key): Key | undefined {
  let length = prefix.length;
  while (length > 0 && prefix.charCodeAt(length - 1) === 0xff) length--;
  if (length === 0) return undefined;
  return prefix.slice(0, length - 1) + String.fromCharCode(prefix.charCodeAt(length - 1) + 1);
}

interface Chunk {
  readonly low: Key;
  readonly high: Key | undefined;
  readonly wanted: number;
  readonly reverse: boolean;
}

function readChunk(table: Table, horizon: Horizon | undefined, chunk: Chunk): Pair[] {
  const pairs: Pair[] = [];
  const base = new Cursor(table.base as OrderedIndex<Uint8Array>, chunk);
  const head =
    horizon === undefined || table.head.size === 0
      ? undefined
      : new Cursor(table.head as OrderedIndex<Entry>, chunk);
  while (pairs.length < chunk.wanted) {
    const baseKey = base.key;
    const headKey = head?.key;
    if (headKey === undefined) {
      if (baseKey === undefined) break;
      pairs.push([baseKey, base.value as Uint8Array]);
      base.next();
      continue;
    }
    const baseFirst = baseKey !== undefined && before(baseKey, headKey, chunk.reverse);
    if (!baseFirst) {
      const entry = visible(head!.value, horizon!.newest);
      const value = entry === undefined ? valueAt(base, headKey) : entry.value;
      if (value !== undefined) pairs.push([headKey, value]);
      head!.next();
      if (baseKey === headKey) base.next();
      continue;
    }
    pairs.push([baseKey, base.value as Uint8Array]);
    base.next();
  }
  return pairs;
}

const before = (a: Key, b: Key, reverse: boolean): boolean => (reverse ? a > b : a < b);

const valueAt = (cursor: Cursor<Uint8Array>, key: Key): Uint8Array | undefined =>
  cursor.key === key ? cursor.value : undefined;

/** Position in one index, from one bound of a chunk to the other. */
class Cursor<Value> {
  key: Key | undefined;
  value: Value | undefined;
  readonly #pairs: IterableIterator<[Key, Value]>;
  readonly #chunk: Chunk;

  constructor(index: OrderedIndex<Value>, chunk: Chunk) {
    this.#chunk = chunk;
    this.#pairs = chunk.reverse
      ? index.entriesReversed(chunk.high, undefined, true)
      : index.entries(chunk.low);
    this.next();
  }

  next(): void {
    const { low, high, reverse } = this.#chunk;
    const result = this.#pairs.next();
    const pair = result.done === true ? undefined : result.value;
    const inside =
      pair !== undefined && (reverse ? pair[0] >= low : high === undefined || pair[0] < high);
    this.key = inside ? pair[0] : undefined;
    this.value = inside ? pair[1] : undefined;
  }
}
