import type { Key } from './table.ts';

/** Reading a {@link KeyMap}. */
export interface ReadKeyMap<Value> {
  readonly size: number;
  get(key: Key): Value | undefined;
  has(key: Key): boolean;
  /** All pairs in no useful order. The map may change meanwhile, as a `Map` may. */
  entries(): IterableIterator<[Key, Value]>;
}

/**
 * Keys of one map: the runtime's maps end at 2^24 keys, and with keys coming and going at as few as
 * 2^23, by a throw.
 */
const keysPerMap = 2 ** 23;

/**
 * A map of any size: a `Map`, and further ones once it is full. Up to eight million keys it costs
 * what a `Map` costs, then one look-up more for every eight million.
 */
export class KeyMap<Value extends object> implements ReadKeyMap<Value> {
  readonly #first = new Map<Key, Value>();
  /** Most tables never need one. */
  readonly #further: Map<Key, Value>[] = [];
  readonly #keysPerMap: number;

  constructor(limit = keysPerMap) {
    this.#keysPerMap = limit;
  }

  get size(): number {
    let size = this.#first.size;
    for (const map of this.#further) size += map.size;
    return size;
  }

  get(key: Key): Value | undefined {
    const value = this.#first.get(key);
    if (value !== undefined || this.#further.length === 0) return value;
    return this.#holder(key)?.get(key);
  }

  has(key: Key): boolean {
    return this.#first.has(key) || (this.#further.length > 0 && this.#holder(key) !== undefined);
  }

  set(key: Key, value: Value): void {
    if (this.#further.length === 0 && this.#first.size < this.#keysPerMap) {
      this.#first.set(key, value);
    } else {
      (this.#holder(key) ?? this.#withRoom()).set(key, value);
    }
  }

  delete(key: Key): void {
    if (!this.#first.delete(key)) this.#holder(key)?.delete(key);
  }

  clear(): void {
    this.#first.clear();
    this.#further.length = 0;
  }

  *entries(): IterableIterator<[Key, Value]> {
    yield* this.#first.entries();
    for (const map of this.#further) yield* map.entries();
  }

  /** The map that has a key. */
  #holder(key: Key): Map<Key, Value> | undefined {
    if (this.#first.has(key)) return this.#first;
    return this.#further.find((map) => map.has(key));
  }

  #withRoom(): Map<Key, Value> {
    if (this.#first.size < this.#keysPerMap) return this.#first;
    let map = this.#further.find(({ size }) => size < this.#keysPerMap);
    if (map === undefined) {
      map = new Map();
      this.#further.push(map);
    }
    return map;
  }
}
