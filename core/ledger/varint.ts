import { assert } from '@concordat/std';
import { LedgerError } from './errors.ts';

// Lengths in block segments: variable-length integers of RFC 9000, section 16, in the shortest
// form only, below 2^30.

/** First value that does not fit. */
export const varintLimit = 0x4000_0000;

/** Bytes the value takes: 1, 2 or 4. */
export const varintBytes = (value: number): number => (value < 0x40 ? 1 : value < 0x4000 ? 2 : 4);

/** Writes the value and returns the position after it. */
export function writeVarint(into: Buffer, at: number, value: number): number {
  if (value < 0x40) {
    into[at] = value;
    return at + 1;
  }
  if (value < 0x4000) {
    into[at] = 0x40 | (value >>> 8);
    into[at + 1] = value & 0xff;
    return at + 2;
  }
  assert(value < varintLimit, 'a length of 2^30 or more');
  into.writeUInt32BE(value + 0x8000_0000, at);
  return at + 4;
}

/** A position in bytes of varints and what they count. Every read is within bounds. */
export class SegmentReader {
  at = 0;
  readonly #bytes: Buffer;
  readonly #height: number;

  /** @param height the block's, for the error's details */
  constructor(bytes: Buffer, height: number) {
    this.#bytes = bytes;
    this.#height = height;
  }

  /** @throws LedgerError MALFORMED when it is cut, or not in shortest form */
  varint(): number {
    const at = this.at;
    const first = this.#bytes[at];
    if (first === undefined) throw this.#refuse('ends within a transaction');
    if (first < 0x40) {
      this.at = at + 1;
      return first;
    }
    const width = first < 0x80 ? 2 : 4;
    if (first >= 0xc0) throw this.#refuse('has a length of 2^30 or more');
    if (at + width > this.#bytes.length) throw this.#refuse('ends within a transaction');
    const value =
      width === 2
        ? ((first & 0x3f) << 8) | (this.#bytes[at + 1] as number)
        : this.#bytes.readUInt32BE(at) - 0x8000_0000;
    if (varintBytes(value) !== width) {
      throw this.#refuse('has a length not in its shortest form');
    }
    this.at = at + width;
    return value;
  }

  /** A view of the next bytes. @throws LedgerError MALFORMED */
  raw(length: number): Buffer {
    const at = this.at;
    if (length > this.#bytes.length - at) throw this.#refuse('ends within a transaction');
    this.at = at + length;
    return this.#bytes.subarray(at, at + length);
  }

  /** @throws LedgerError MALFORMED when bytes are left */
  end(): void {
    if (this.at !== this.#bytes.length) {
      throw this.#refuse('has bytes after the last transaction');
    }
  }

  #refuse(why: string): LedgerError {
    const height = this.#height;
    return new LedgerError('MALFORMED', `block ${height}: a segment ${why}`, { height });
  }
}
