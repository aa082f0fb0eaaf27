import type { Key, ReadTable } from '@concordat/kv';

/** What a request wrote to one table; undefined for a key it deleted. */
export type OwnWrites = ReadonlyMap<Key, Uint8Array | undefined>;

/** Bounds of a scan inside one map, as the application gave them; they combine. */
export interface ScanBounds {
  readonly prefix?: Key | undefined;
  /** The first key, included. */
  readonly from?: Key | undefined;
  /** The end, excluded. */
  readonly to?: Key | undefined;
  /** Only keys that come after this one in the direction of the scan. */
  readonly after?: Key | undefined;
  readonly reverse: boolean;
}

/** Keys of a table from `low`, included, to `high`, excluded. */
export interface KeyRange {
  readonly low: Key;
  readonly high: Key;
  readonly reverse: boolean;
}

/** The keys that bounds mean. @param mapPrefix what all keys of the map begin with, not empty */
export function rangeOf(mapPrefix: Key, bounds: ScanBounds): KeyRange {
  const { prefix = '', from = '', to, after, reverse } = bounds;
  const whole = mapPrefix + prefix;
  let low = larger(whole, mapPrefix + from);
  let high = successor(whole);
  if (to !== undefined) high = smaller(high, mapPrefix + to);
  if (after !== undefined) {
    if (reverse) high = smaller(high, mapPrefix + after);
    // The least key above another is that key and one zero byte.
    else low = larger(low, `${mapPrefix}${after}\0`);
  }
  return { low, high, reverse };
}

const larger = (a: Key, b: Key): Key => (a > b ? a : b);
const smaller = (a: Key, b: Key): Key => (a < b ? a : b);

/** The least key above all that begin so. A map's name is UTF-8, so not all bytes are 0xff. */
function successor(prefix: Key): Key {
  let length = prefix.length;
  while (length > 1 && prefix.charCodeAt(length - 1) === 0xff) length -= 1;
  return prefix.slice(0, length - 1) + String.fromCharCode(prefix.charCodeAt(length - 1) + 1);
}

/** Below this many new keys each is put in its place; more of them are sorted together. */
const fewKeys = 16;

/** The keys that a request has written to one table, in order: made when it first scans. */
export class OwnOrder {
  readonly #added: Key[];
  #sorted: Key[] = [];

  constructor(keys: Iterable<Key>) {
    this.#added = [...keys];
  }

  /** Takes note of a key that was not written before. */
  add(key: Key): void {
    this.#added.push(key);
  }

  /** Keys of a range, in its direction. */
  *keys({ low, high, reverse }: KeyRange): Iterable<Key> {
    const sorted = this.#settled();
    let at = reverse ? placeOf(sorted, high) - 1 : placeOf(sorted, low);
    for (;;) {
      const key = sorted[at];
      if (key === undefined || (reverse ? key < low : key >= high)) return;
      yield key;
      at += reverse ? -1 : 1;
    }
  }

  #settled(): readonly Key[] {
    const added = this.#added.splice(0);
    if (added.length < fewKeys && this.#sorted.length > 0) {
      for (const key of added) this.#sorted.splice(placeOf(this.#sorted, key), 0, key);
    } else if (added.length > 0) {
      this.#sorted = [...this.#sorted, ...added].sort(compare);
    }
    return this.#sorted;
  }
}

const compare = (a: Key, b: Key): number => (a < b ? -1 : a > b ? 1 : 0);

/** Place of the first key that is not below this one. */
function placeOf(sorted: readonly Key[], key: Key): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as Key) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The entries of a range as the request sees them: its own writes over the table's. */
export function* scanEntries(
  table: ReadTable,
  range: KeyRange,
  own?: { readonly writes: OwnWrites; readonly order: OwnOrder },
): Iterable<[Key, Uint8Array]> {
  const { low, high, reverse } = range;
  if (low >= high) return;
  const below = table.range({ start: low, end: high, reverse })[Symbol.iterator]();
  const above = own?.order.keys(range)[Symbol.iterator]();
  let under = below.next();
  let over = above?.next();
  for (;;) {
    const key = over?.done === false ? over.value : undefined;
    if (under.done === true && key === undefined) return;
    const isFirst =
      under.done !== true &&
      (key === undefined || (reverse ? under.value[0] > key : under.value[0] < key));
    if (isFirst) {
      yield under.value as [Key, Uint8Array];
      under = below.next();
      continue;
    }
    const value = own?.writes.get(key as Key);
    if (value !== undefined) yield [key as Key, value];
    // What the request wrote stands in the place of what was there.
    if (under.done !== true && under.value[0] === key) under = below.next();
    over = above?.next();
  }
}
