import type { Key } from '@concordat/kv';
import type { IndexDeclaration, IndexEntry } from '../index-declarations.ts';
import { bytesOf } from './crypto-operations.ts';

/** Seqnos all indexes of an application hold together; then they follow no further. */
const maxSeqnos = 8_000_000;
/** Seqnos handed out at a time. */
const maxAnswer = 10_000;

/** The indexes of an application: by key, the seqnos of transactions that wrote it, in order. */
export class SeqnoIndexes {
  readonly #declared: readonly IndexDeclaration[];
  readonly #byKey: readonly Map<Key, number[]>[];
  #upTo = 0;
  #held = 0;

  constructor(declared: readonly IndexDeclaration[]) {
    this.#declared = declared;
    this.#byKey = declared.map(() => new Map());
  }

  /** Takes up what the next transactions up to a seqno have written. */
  add(upTo: number, entries: readonly IndexEntry[]): void {
    this.#held += entries.length;
    if (this.#held > maxSeqnos) return;
    this.#upTo = upTo;
    for (const { index, key, seqno } of entries) {
      const byKey = this.#byKey[index];
      const seqnos = byKey?.get(key);
      if (seqnos === undefined) byKey?.set(key, [seqno]);
      else seqnos.push(seqno);
    }
  }

  /** All transactions of the application up to this seqno are in. @throws TypeError when full */
  get upTo(): number {
    if (this.#held <= maxSeqnos) return this.#upTo;
    throw new TypeError(`the indexes would hold more than ${maxSeqnos} seqnos and follow no more`);
  }

  /** Place of an index; undefined when none has the name. */
  find(name: string): number | undefined {
    const at = this.#declared.findIndex((one) => one.name === name);
    return at < 0 ? undefined : at;
  }

  /**
   * Seqnos in increasing order.
   * @param key undefined for the one entry of an index that tells no keys apart
   * @throws TypeError
   */
  seqnosOf(index: number, key: unknown, bounds: IndexBounds): number[] {
    const { from, to, limit } = bounds;
    const { keyBytes } = this.#declared[index] as IndexDeclaration;
    const bytes = key === undefined ? '' : latin1(bytesOf(key, 'the key'));
    const part = keyBytes === undefined ? bytes : bytes.slice(0, keyBytes);
    const seqnos = this.#byKey[index]?.get(part) ?? [];
    const first = firstAtLeast(seqnos, from);
    const found: number[] = [];
    for (let at = first; at < seqnos.length && found.length < Math.min(limit, maxAnswer); at++) {
      const seqno = seqnos[at] as number;
      if (seqno > to) break;
      found.push(seqno);
    }
    return found;
  }
}

/** Which seqnos are wanted: both ends inclusive, at most so many. */
export interface IndexBounds {
  readonly from: number;
  readonly to: number;
  readonly limit: number;
}

const latin1 = (bytes: Uint8Array): string => Buffer.prototype.latin1Slice.call(bytes);

/** Place of the first seqno that is not below a bound. */
function firstAtLeast(seqnos: readonly number[], bound: number): number {
  let [low, high] = [0, seqnos.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((seqnos[middle] as number) < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
