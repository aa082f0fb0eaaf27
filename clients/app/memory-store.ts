import { createHash } from 'node:crypto';
import { fromLatin1, toLatin1 } from '@concordat/std';
import type {
  Platform,
  RawIndex,
  RawMap,
  RawPast,
  RawPastMap,
  RawRange,
  SeqnoBounds,
} from './runtime/platform.ts';

/** What a test gives in the place of a node's clock and entropy. */
export interface TestSurroundings {
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** At least 0 and below 1. */
  readonly random: () => number;
  readonly external: Platform['external'];
}

/** What became of a request. */
export interface EndedRequest {
  /** Whether there was anything to keep. */
  readonly wrote: boolean;
  readonly claims: Uint8Array | undefined;
  /** `view.seqno` of what it wrote. */
  readonly transactionId: string | undefined;
}

type Written = ReadonlyMap<string, Uint8Array | undefined>;

const view = 2;
const maxSeqnos = 10_000;

/** Maps in the memory of a test, with one request's writes at a time, and every one of the past. */
export class MemoryStore {
  readonly platform: Platform;
  readonly #maps = new Map<string, MemoryMap>();
  /** What each transaction wrote, by map; the first has the seqno 1. */
  readonly #past: ReadonlyMap<string, Written>[] = [];
  /** Maps of tables, by the tables' names. */
  readonly #mapOfTable: (table: string) => string;
  #isWritable = false;
  #claims: Uint8Array | undefined;
  #about: number | undefined;

  constructor(
    { nowMs, random, external }: TestSurroundings,
    mapOfTable: (table: string) => string,
  ) {
    this.#mapOfTable = mapOfTable;
    this.platform = {
      external,
      map: (name) => this.#map(name),
      index: (name) => this.#index(name),
      past: () => (this.#about === undefined ? undefined : this.#pastAt(this.#about)),
      pastRange: (from, to) => {
        if (!(from >= 1) || to > this.#past.length) return undefined;
        return Array.from({ length: to - from + 1 }, (_, at) => this.#pastAt(from + at));
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

  /** Whether there is such a transaction. */
  has(transactionId: string): boolean {
    return this.#seqnoOf(transactionId) !== undefined;
  }

  /** Begins a request. @param about the transaction of a historical one */
  begin(isWritable: boolean, about?: string): void {
    this.#isWritable = isWritable;
    this.#claims = undefined;
    this.#about = about === undefined ? undefined : this.#seqnoOf(about);
    for (const map of this.#maps.values()) map.begin();
  }

  /** Ends it; what it wrote is kept or forgotten. */
  end(keep: boolean): EndedRequest {
    this.#isWritable = false;
    const seqno = this.#past.length + 1;
    const written = new Map<string, Written>();
    for (const [name, map] of this.#maps) {
      const own = map.end(keep ? seqno : undefined);
      if (own.size > 0) written.set(name, own);
    }
    // Without a write there is no transaction that could have claims.
    if (written.size === 0) return { wrote: false, claims: undefined, transactionId: undefined };
    this.#past.push(written);
    return { wrote: true, claims: this.#claims, transactionId: `${view}.${seqno}` };
  }

  #map(name: string): MemoryMap {
    let map = this.#maps.get(name);
    if (map === undefined) {
      map = new MemoryMap(() => {
        if (!this.#isWritable) throw new TypeError('this endpoint is read-only');
      });
      this.#maps.set(name, map);
    }
    return map;
  }

  #index(table: string): RawIndex {
    const past = this.#past;
    const map = this.#mapOfTable(table);
    return {
      upTo: past.length,
      seqnosOf(key, { from = 1, to = past.length, limit = maxSeqnos }: SeqnoBounds) {
        const found: number[] = [];
        for (const [at, written] of past.entries()) {
          const seqno = at + 1;
          const isIn = seqno >= from && seqno <= to && found.length < Math.min(limit, maxSeqnos);
          if (isIn && written.get(map)?.has(toLatin1(key))) found.push(seqno);
        }
        return found;
      },
    };
  }

  #seqnoOf(transactionId: string): number | undefined {
    const seqno = Number(transactionId.split('.')[1]);
    return this.#past[seqno - 1] === undefined ? undefined : seqno;
  }

  #pastAt(seqno: number): RawPast {
    const written = this.#past[seqno - 1];
    return {
      transactionId: `${view}.${seqno}`,
      // There is no ledger that could prove it.
      receipt: { isTest: true },
      map: (name) => pastMap(written?.get(name) ?? new Map()),
    };
  }
}

const pastMap = (written: Written): RawPastMap => ({
  get: (key) => written.get(toLatin1(key))?.slice(),
  entries: () =>
    [...written].flatMap(([key, value]) =>
      value === undefined ? [] : [[fromLatin1(key).slice(), value.slice()] as const],
    ),
});

interface Held {
  readonly value: Uint8Array;
  /** Of the transaction that wrote it; undefined while its request runs. */
  readonly seqno: number | undefined;
}

class MemoryMap implements RawMap {
  readonly #checkWritable: () => void;
  readonly #entries = new Map<string, Held>();
  /** What keys held before the request, for those it has written. */
  readonly #before = new Map<string, Held | undefined>();
  /** Undefined after a key came or went. */
  #sorted: readonly string[] | undefined;

  constructor(checkWritable: () => void) {
    this.#checkWritable = checkWritable;
  }

  begin(): void {
    this.#before.clear();
  }

  /** @param seqno of the transaction that what was written becomes; absent: none */
  end(seqno: number | undefined): Written {
    const written = new Map<string, Uint8Array | undefined>();
    for (const [key, before] of this.#before) {
      const held = this.#entries.get(key);
      if (seqno === undefined) this.#put(key, before);
      else {
        written.set(key, held?.value);
        if (held !== undefined) this.#entries.set(key, { ...held, seqno });
      }
    }
    this.#before.clear();
    return written;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#entries.get(toLatin1(key))?.value.slice();
  }

  has(key: Uint8Array): boolean {
    return this.#entries.has(toLatin1(key));
  }

  set(key: Uint8Array, value: Uint8Array): void {
    this.#write(toLatin1(key), { value: value.slice(), seqno: undefined });
  }

  delete(key: Uint8Array): void {
    this.#write(toLatin1(key), undefined);
  }

  versionOf(key: Uint8Array): number | undefined {
    const text = toLatin1(key);
    return (this.#before.has(text) ? this.#before : this.#entries).get(text)?.seqno;
  }

  *entries(range: RawRange): IterableIterator<[Uint8Array, Uint8Array]> {
    const { limit = Number.POSITIVE_INFINITY } = range;
    let after = range.after === undefined ? undefined : toLatin1(range.after);
    for (let given = 0; given < limit; given++) {
      const found = this.#next(range, after);
      if (found === undefined) return;
      after = found;
      yield [fromLatin1(found).slice(), (this.#entries.get(found) as Held).value.slice()];
    }
  }

  count(range: RawRange): number {
    let count = 0;
    for (const _ of this.entries(range)) count += 1;
    return count;
  }

  /** The next key of a range, in its direction. */
  #next(range: RawRange, after: string | undefined): string | undefined {
    const { reverse = false } = range;
    const prefix = toLatin1(range.prefix ?? new Uint8Array(0));
    const from = toLatin1(range.from ?? new Uint8Array(0));
    const to = range.to && toLatin1(range.to);
    this.#sorted ??= [...this.#entries.keys()].sort();
    const sorted = this.#sorted;
    const first = (key: string): number => placeOf(sorted, key);
    // The least text above all that begin so: no character of a key is above 0xff.
    const end = Math.min(first(`${prefix}\u{100}`), to === undefined ? sorted.length : first(to));
    const start = Math.max(first(prefix), first(from));
    if (reverse) {
      const at = Math.min(end, after === undefined ? end : first(after)) - 1;
      return at >= start ? sorted[at] : undefined;
    }
    const at = Math.max(start, after === undefined ? start : first(`${after}\0`));
    return at < end ? sorted[at] : undefined;
  }

  #write(key: string, held: Held | undefined): void {
    this.#checkWritable();
    if (!this.#before.has(key)) this.#before.set(key, this.#entries.get(key));
    this.#put(key, held);
  }

  #put(key: string, held: Held | undefined): void {
    if (this.#entries.has(key) !== (held !== undefined)) this.#sorted = undefined;
    if (held === undefined) this.#entries.delete(key);
    else this.#entries.set(key, held);
  }
}

/** Place of the first key that is not below this one. */
function placeOf(sorted: readonly string[], key: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
