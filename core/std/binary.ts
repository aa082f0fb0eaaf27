import { isUtf8 } from 'node:buffer';
import { viewOf } from './bytes.ts';
import { assert, CodedError } from './errors.ts';

/** Why bytes could not be decoded. */
export type DecodeErrorCode = 'TRUNCATED' | 'TRAILING' | 'TOO_LARGE' | 'INVALID';

/** Foreign bytes that do not have the declared form. */
export class DecodeError extends CodedError<DecodeErrorCode> {}

const maxSafe = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * Appends big-endian fields to one growing buffer. `take()` hands the bytes over and starts anew,
 * so one writer serves a whole stream of encodings without reallocating small buffers.
 */
export class BinaryWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(initialBytes = 256) {
    this.#buffer = Buffer.allocUnsafe(initialBytes);
  }

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.#length;
  }

  #room(bytes: number): number {
    const at = this.#length;
    const needed = at + bytes;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, at);
      this.#buffer = grown;
    }
    this.#length = needed;
    return at;
  }

  /** One byte, 0-255. */
  u8(value: number): this {
    const at = this.#room(1);
    this.#buffer[at] = value;
    return this;
  }

  /** Two bytes, big-endian. */
  u16(value: number): this {
    const at = this.#room(2);
    this.#buffer.writeUInt16BE(value, at);
    return this;
  }

  /** Four bytes, big-endian. */
  u32(value: number): this {
    const at = this.#room(4);
    this.#buffer.writeUInt32BE(value, at);
    return this;
  }

  /** Eight bytes, big-endian, of a safe non-negative integer. */
  u64(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, `u64 out of range: ${value}`);
    const at = this.#room(8);
    this.#buffer.writeUInt32BE(Math.floor(value / 0x1_0000_0000), at);
    this.#buffer.writeUInt32BE(value % 0x1_0000_0000, at + 4);
    return this;
  }

  /** Bytes without a length: the reader must know it. */
  raw(bytes: Uint8Array): this {
    const at = this.#room(bytes.length);
    this.#buffer.set(bytes, at);
    return this;
  }

  /** u32 length, then the bytes. */
  bytes(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }

  /** u16 byte length, then UTF-8. */
  text(text: string): this {
    const length = Buffer.byteLength(text, 'utf8');
    assert(length <= 0xffff, 'text longer than 65,535 bytes');
    this.u16(length);
    const at = this.#room(length);
    this.#buffer.write(text, at, length, 'utf8');
    return this;
  }

  /** u32 length, then one byte a character of a binary (latin1) string. */
  latin1(text: string): this {
    this.u32(text.length);
    const at = this.#room(text.length);
    this.#buffer.write(text, at, text.length, 'latin1');
    return this;
  }

  /** Overwrites four bytes at an earlier position (a length or count known only afterwards). */
  patchU32(at: number, value: number): this {
    assert(at >= 0 && at + 4 <= this.#length, 'patch outside what was written');
    this.#buffer.writeUInt32BE(value, at);
    return this;
  }

  /** A copy of what was written; the writer starts anew and keeps its buffer. */
  take(): Buffer {
    const taken = Buffer.allocUnsafeSlow(this.#length);
    this.#buffer.copy(taken, 0, 0, this.#length);
    this.#length = 0;
    return taken;
  }
}

/**
 * Reads what {@link BinaryWriter} wrote. Returned byte strings are views into the input. Every
 * read past the end throws, so a decoder is a straight line; call `end()` last.
 */
export class BinaryReader {
  readonly #buffer: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#buffer = viewOf(bytes);
    this.#at = start;
    this.#end = end;
  }

  /** Position of the next byte in the input. */
  get position(): number {
    return this.#at;
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.#end - this.#at;
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#end - at) {
      throw new DecodeError('TRUNCATED', `needs ${bytes} bytes at ${at}, has ${this.#end - at}`);
    }
    this.#at = at + bytes;
    return at;
  }

  /** @throws DecodeError TRUNCATED */
  u8(): number {
    return this.#buffer[this.#take(1)] as number;
  }

  /** @throws DecodeError TRUNCATED */
  u16(): number {
    return this.#buffer.readUInt16BE(this.#take(2));
  }

  /** @throws DecodeError TRUNCATED */
  u32(): number {
    return this.#buffer.readUInt32BE(this.#take(4));
  }

  /** @throws DecodeError TRUNCATED, TOO_LARGE beyond 2^53-1 */
  u64(): number {
    const at = this.#take(8);
    const high = this.#buffer.readUInt32BE(at);
    const low = this.#buffer.readUInt32BE(at + 4);
    if (high > 0x1f_ffff) {
      throw new DecodeError('TOO_LARGE', `u64 at ${at} exceeds ${maxSafe}`);
    }
    return high * 0x1_0000_0000 + low;
  }

  /** @throws DecodeError TRUNCATED */
  raw(length: number): Buffer {
    const at = this.#take(length);
    return this.#buffer.subarray(at, at + length);
  }

  /** @throws DecodeError TRUNCATED, TOO_LARGE above the limit */
  bytes(maxLength = 0xffff_ffff): Buffer {
    return this.raw(this.#length(maxLength));
  }

  /** @throws DecodeError TRUNCATED, TOO_LARGE, INVALID when it is not UTF-8 */
  text(maxLength = 0xffff): string {
    const length = this.u16();
    if (length > maxLength) throw new DecodeError('TOO_LARGE', `text of ${length} bytes`);
    const at = this.#take(length);
    const bytes = this.#buffer.subarray(at, at + length);
    if (!isUtf8(bytes)) throw new DecodeError('INVALID', `text at ${at} is not UTF-8`);
    return bytes.toString('utf8');
  }

  /** @throws DecodeError TRUNCATED, TOO_LARGE */
  latin1(maxLength = 0xffff_ffff): string {
    const length = this.#length(maxLength);
    const at = this.#take(length);
    return this.#buffer.toString('latin1', at, at + length);
  }

  #length(maxLength: number): number {
    const length = this.u32();
    if (length > maxLength) {
      throw new DecodeError('TOO_LARGE', `${length} bytes where at most ${maxLength} are allowed`);
    }
    return length;
  }

  /** @throws DecodeError TRAILING when bytes are left */
  end(): void {
    if (this.#at !== this.#end) {
      throw new DecodeError('TRAILING', `${this.#end - this.#at} bytes after the end`);
    }
  }
}
