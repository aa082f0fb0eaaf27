import type { Key, KeyOrder } from './table.ts';

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

/** What a scan reads: the disjoint sets of keys a view may have, and their values. */
export interface ScanSource {
  readonly orders: readonly KeyOrder[];
  /** The value the view sees now; undefined when it does not have the key. */
  readonly get: (key: Key) => Uint8Array | undefined;
}

/**
 * A range scan, read in chunks that grow, each resumed from the last key. No tree iterator
 * outlives a chunk, so the table may change between two pairs.
 */
export function* scan(source: ScanSource, options: RangeOptions): IterableIterator<Pair> {
  const reverse = options.reverse === true;
  let { low, high } = bounds(options);
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  for (let chunk = firstChunk; left > 0; chunk = Math.min(chunk * 4, largestChunk)) {
    const wanted = Math.min(chunk, left);
    const pairs = readChunk(source, { low, high, wanted, reverse });
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

function readChunk({ orders, get }: ScanSource, chunk: Chunk): Pair[] {
  const pairs: Pair[] = [];
  const cursors = orders.filter(({ size }) => size > 0).map((order) => new Cursor(order, chunk));
  while (pairs.length < chunk.wanted) {
    let first: Cursor | undefined;
    for (const cursor of cursors) {
      if (cursor.key === undefined) continue;
      if (first?.key === undefined || isBefore(cursor.key, first.key, chunk.reverse)) {
        first = cursor;
      }
    }
    if (first?.key === undefined) break;
    const value = get(first.key);
    if (value !== undefined) pairs.push([first.key, value]);
    first.next();
  }
  return pairs;
}

const isBefore = (a: Key, b: Key, reverse: boolean): boolean => (reverse ? a > b : a < b);

/** Position in one order of keys, from one bound of a chunk to the other. */
class Cursor {
  key: Key | undefined;
  readonly #pairs: IterableIterator<[Key, undefined]>;
  readonly #chunk: Chunk;

  constructor(order: KeyOrder, chunk: Chunk) {
    this.#chunk = chunk;
    this.#pairs = chunk.reverse
      ? order.entriesReversed(chunk.high, undefined, true)
      : order.entries(chunk.low);
    this.next();
  }

  next(): void {
    const { low, high, reverse } = this.#chunk;
    const result = this.#pairs.next();
    const key = result.done === true ? undefined : result.value[0];
    const inside = key !== undefined && (reverse ? key >= low : high === undefined || key < high);
    this.key = inside ? key : undefined;
  }
}
