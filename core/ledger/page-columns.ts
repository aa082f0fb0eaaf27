import { assert } from '@concordat/std';

const recordBytes = 40;

/** What stays in memory of every finished page: digest of its bytes, and its first seqno. */
export class PageColumns {
  #records = Buffer.allocUnsafeSlow(64 * recordBytes);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(digest: Uint8Array, firstSeqno: number): void {
    const at = this.#length * recordBytes;
    if (at === this.#records.length) {
      const grown = Buffer.allocUnsafeSlow(at * 2);
      grown.set(this.#records);
      this.#records = grown;
    }
    this.#records.set(digest, at);
    this.#records.writeDoubleBE(firstSeqno, at + 32);
    this.#length++;
  }

  /** SHA-256 of a page's bytes; a view. */
  digest(page: number): Buffer {
    assert(page < this.#length, `no finished page ${page}`);
    return this.#records.subarray(page * recordBytes, page * recordBytes + 32);
  }

  firstSeqno(page: number): number {
    assert(page < this.#length, `no finished page ${page}`);
    return this.#records.readDoubleBE(page * recordBytes + 32);
  }

  /** The last page that does not begin after a seqno; -1 when there is none. */
  lastNotAfter(seqno: number): number {
    return lastNotAbove(this.#length, seqno, (page) => this.firstSeqno(page));
  }
}

/** The last of `length` ascending items that is not above a value; -1 when there is none. */
export function lastNotAbove(length: number, value: number, at: (i: number) => number): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at(middle) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
