import { createHash } from 'node:crypto';
import { fromLatin1, toLatin1 } from '@concordat/std';
import type { Platform, RawMap, RawRange } from './runtime/platform.ts';

type Entries = Map<string, Uint8Array>;

/** What a test gives in the place of a node's clock and entropy. */
export interface TestSurroundings {
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** At least 0 and below 1. */
  readonly random: () => number;
}

/** Maps in the memory of a test, with one request's writes at a time. */
export class MemoryStore {
  readonly platform: Platform;
  readonly #maps = new Map<string, MemoryMap>();
  #isWritable = false;
  #claims: Uint8Array | undefined;

  constructor({ nowMs, random }: TestSurroundings) {
    const checkWritable = (): void => {
      if (!this.#isWritable) throw new TypeError('this endpoint is read-only');
    };
    this.platform = {
      map: (name) => {
        const known = this.#maps.get(name) ?? new MemoryMap(checkWritable);
        this.#maps.set(name, known);
        return known;
      },
      encode: (text) => Uint8Array.from(Buffer.from(text, 'utf8')),
      decode: (bytes) => Buffer.from(bytes).toString('utf8'),
      digest: (bytes) => Uint8Array.from(createHash('sha256').update(bytes).digest()),
      setClaims: (digest) => {
        if (digest.length !== 32) throw new TypeError('a claims digest has 32 bytes');
        this.#claims = digest.slice();
      },
      nowMs,
      random,
    };
  }

  /** Begins a request. */
  begin(isWritable: boolean): void {
    this.#isWritable = isWritable;
    this.#claims = undefined;
    for (const map of this.#maps.values()) map.begin();
  }

  /** Ends it; what it wrote is kept or forgotten. Returns whether there was anything to keep. */
  end(keep: boolean): { readonly wrote: boolean; readonly claims: Uint8Array | undefined } {
    this.#isWritable = false;
    const wrote = [...this.#maps.values()].filter((map) => map.end(keep)).length > 0;
    // Without a write there is no transaction that could have claims.
    return { wrote, claims: wrote ? this.#claims : undefined };
  }
}

class MemoryMap implements RawMap {
  readonly #checkWritable: () => void;
  readonly #entries: Entries = new Map();
  /** What keys held before the request, for those it has written. */
  readonly #before = new Map<string, Uint8Array | undefined>();
  /** Sorted; undefined after a key came or went. */
  #sorted: readonly string[] | undefined;

  constructor(checkWritable: () => void) {
    this.#checkWritable = checkWritable;
  }

  begin(): void {
    this.#before.clear();
  }

  end(keep: boolean): boolean {
    const changed = this.#before.size > 0;
    if (!keep) for (const [key, value] of this.#before) this.#put(key, value);
    this.#before.clear();
    return changed && keep;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#entries.get(toLatin1(key))?.slice();
  }

  has(key: Uint8Array): boolean {
    return this.#entries.has(toLatin1(key));
  }

  set(key: Uint8Array, value: Uint8Array): void {
    this.#write(toLatin1(key), value.slice());
  }

  delete(key: Uint8Array): void {
    this.#write(toLatin1(key), undefined);
  }

  *entries(range: RawRange): IterableIterator<[Uint8Array, Uint8Array]> {
    const { reverse = false, limit = Number.POSITIVE_INFINITY } = range;
    let after = range.after === undefined ? undefined : toLatin1(range.after);
    for (let given = 0; given < limit; given++) {
      const found = this.#next({ ...range, reverse }, after);
      if (found === undefined) return;
      after = found;
      yield [fromLatin1(found).slice(), (this.#entries.get(found) as Uint8Array).slice()];
    }
  }

  count(range: RawRange): number {
    let count = 0;
    for (const _ of this.entries(range)) count += 1;
    return count;
  }

  #next(range: RawRange, after: string | undefined): string | undefined {
    const prefix = toLatin1(range.prefix ?? new Uint8Array(0));
    const from = range.from && toLatin1(range.from);
    const to = range.to && toLatin1(range.to);
    this.#sorted ??= [...this.#entries.keys()].sort();
    const fits = (key: string): boolean =>
      key.startsWith(prefix) &&
      (from === undefined || key >= from) &&
      (to === undefined || key < to) &&
      (after === undefined || (range.reverse ? key < after : key > after));
    return range.reverse ? this.#sorted.findLast(fits) : this.#sorted.find(fits);
  }

  #write(key: string, value: Uint8Array | undefined): void {
    this.#checkWritable();
    if (!this.#before.has(key)) this.#before.set(key, this.#entries.get(key));
    this.#put(key, value);
  }

  #put(key: string, value: Uint8Array | undefined): void {
    if (this.#entries.has(key) !== (value !== undefined)) this.#sorted = undefined;
    if (value === undefined) this.#entries.delete(key);
    else this.#entries.set(key, value);
  }
}
