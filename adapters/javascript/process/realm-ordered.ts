import type { AnyRecord, Guarded, RealmHost } from './realm-host.ts';

/**
 * The global `concordat`: what CCF's interface does not have. See `realm-globals.ts` for what this
 * code may use.
 */
export function createConcordat(host: RealmHost, guard: Guarded): AnyRecord {
  const [firstChunk, largestChunk] = [16, 256];
  class OrderedMap {
    readonly #name: string;
    constructor(name: string) {
      this.#name = name;
    }
    /** Entries in the order of their keys' bytes, fetched as far as they are taken. */
    *entries(options: unknown = {}): IterableIterator<[ArrayBuffer, ArrayBuffer]> {
      const { prefix, from, to, after, reverse, limit } = Object(options) as AnyRecord;
      const bounds = { prefix, from, to, after, reverse: reverse === true };
      if (limit !== undefined && !(Number.isInteger(limit) && (limit as number) >= 0)) {
        throw new TypeError('the limit is a whole number from 0');
      }
      let left = limit === undefined ? Number.POSITIVE_INFINITY : (limit as number);
      let at: string | undefined;
      let chunk = firstChunk;
      let isMore = true;
      while (isMore && left > 0) {
        const found: [string, ArrayBuffer, ArrayBuffer][] = [];
        const wanted = Math.min(chunk, left);
        isMore = guard(() =>
          host.scan(this.#name, bounds, { at, wanted }, (place, key, value) => {
            found.push([place, key, value]);
          }),
        );
        const fetched = guard(() => host.writesOf(this.#name));
        chunk = Math.min(chunk * 4, largestChunk);
        for (const [place, key, value] of found) {
          at = place;
          left -= 1;
          yield [key, value];
          // Whatever was written meanwhile is to be seen, and little fetched in vain.
          if (guard(() => host.writesOf(this.#name)) !== fetched) {
            [chunk, isMore] = [1, true];
            break;
          }
        }
      }
    }
    /** Number of entries; costs as many. */
    count(options: unknown = {}): number {
      const { prefix, from, to, after, reverse } = Object(options) as AnyRecord;
      const bounds = { prefix, from, to, after, reverse: reverse === true };
      return guard(() => host.count(this.#name, bounds));
    }
  }
  Object.freeze(OrderedMap.prototype);
  return {
    kv: (name: unknown) => {
      if (typeof name !== 'string') throw new TypeError('the name of a map is a string');
      return Object.freeze(new OrderedMap(name));
    },
  };
}
