import { viewOf } from '@concordat/std';
import { EthereumError } from './errors.ts';

/** Bytes, or a list of items (Yellow Paper, appendix B). */
export type RlpItem = Uint8Array | readonly RlpItem[];

function undecodable(why: string): never {
  throw new EthereumError('UNDECODABLE', `not canonical RLP: ${why}`);
}

/**
 * Walks the items of one RLP list in place. Strict: only the canonical form of every length is
 * read, and nothing past the end. Returned bytes are views into the input.
 */
export class RlpCursor {
  readonly #buffer: Buffer;
  #at: number;
  readonly #end: number;

  private constructor(buffer: Buffer, at: number, end: number) {
    this.#buffer = buffer;
    this.#at = at;
    this.#end = end;
  }

  /** Opens the one list that `bytes` from `start` consist of. @throws EthereumError UNDECODABLE */
  static open(bytes: Uint8Array, start = 0): RlpCursor {
    const outer = new RlpCursor(viewOf(bytes), start, bytes.length);
    const list = outer.list();
    if (outer.#at !== outer.#end) undecodable('bytes after the list');
    return list;
  }

  /** Position in the input of the next item. */
  get position(): number {
    return this.#at;
  }

  /** Whether the list is read to its end. */
  get done(): boolean {
    return this.#at === this.#end;
  }

  #span(long: number): number {
    const size = long;
    const at = this.#at;
    if (size > 4) undecodable('length beyond 4 GiB');
    if (at + size > this.#end) undecodable('truncated length');
    if (this.#buffer[at] === 0) undecodable('length with leading zero');
    const length = this.#buffer.readUIntBE(at, size);
    if (length < 56) undecodable('long form of a short length');
    this.#at = at + size;
    return length;
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) undecodable('truncated item');
    this.#at = at + length;
    return at;
  }

  #first(): number {
    if (this.#at >= this.#end) undecodable('missing item');
    return this.#buffer[this.#at++] as number;
  }

  /** The next item, which must be bytes. @throws EthereumError UNDECODABLE */
  bytes(): Buffer {
    const first = this.#first();
    if (first < 0x80) return this.#buffer.subarray(this.#at - 1, this.#at);
    if (first >= 0xc0) undecodable('list where bytes belong');
    const length = first < 0xb8 ? first - 0x80 : this.#span(first - 0xb7);
    const at = this.#take(length);
    if (length === 1 && (this.#buffer[at] as number) < 0x80) undecodable('long form of one byte');
    return this.#buffer.subarray(at, at + length);
  }

  /** The next item, which must be a list. @throws EthereumError UNDECODABLE */
  list(): RlpCursor {
    const first = this.#first();
    if (first < 0xc0) undecodable('bytes where a list belongs');
    const length = first < 0xf8 ? first - 0xc0 : this.#span(first - 0xf7);
    const at = this.#take(length);
    return new RlpCursor(this.#buffer, at, at + length);
  }

  /** Bytes of an exact length. @throws EthereumError UNDECODABLE */
  fixed(length: number, what: string): Buffer {
    const bytes = this.bytes();
    if (bytes.length !== length) undecodable(`${what} of ${bytes.length} bytes`);
    return bytes;
  }

  /** An integer without leading zeros, of at most `size` bytes. @throws EthereumError UNDECODABLE */
  integer(size: number, what: string): bigint {
    const bytes = this.bytes();
    const length = bytes.length;
    if (length === 0) return 0n;
    if (length > size) undecodable(`${what} of ${length} bytes`);
    if (bytes[0] === 0) undecodable(`${what} with leading zero`);
    if (length <= 6) return BigInt(bytes.readUIntBE(0, length));
    return BigInt(`0x${bytes.hexSlice(0, length)}`);
  }

  /** Bytes of the input between two positions of this list. */
  between(start: number, end: number): Buffer {
    return this.#buffer.subarray(start, end);
  }

  /** Requires the list to be read to its end. @throws EthereumError UNDECODABLE */
  end(what: string): void {
    if (this.#at !== this.#end) undecodable(`too many fields in ${what}`);
  }
}

/** Length in bytes of an item's RLP form. */
function encodedLength(item: RlpItem): number {
  if (item instanceof Uint8Array) {
    if (item.length === 1 && (item[0] as number) < 0x80) return 1;
    return headLength(item.length) + item.length;
  }
  const payload = payloadLength(item);
  return headLength(payload) + payload;
}

function payloadLength(items: readonly RlpItem[]): number {
  let length = 0;
  for (const item of items) length += encodedLength(item);
  return length;
}

function headLength(length: number): number {
  if (length < 56) return 1;
  if (length < 0x100) return 2;
  if (length < 0x10000) return 3;
  return length < 0x1000000 ? 4 : 5;
}

function writeHead(into: Buffer, at: number, length: number, base: number): number {
  if (length < 56) {
    into[at] = base + length;
    return at + 1;
  }
  const size = headLength(length) - 1;
  into[at] = base + 55 + size;
  into.writeUIntBE(length, at + 1, size);
  return at + 1 + size;
}

function write(into: Buffer, at: number, item: RlpItem): number {
  if (item instanceof Uint8Array) {
    if (item.length === 1 && (item[0] as number) < 0x80) {
      into[at] = item[0] as number;
      return at + 1;
    }
    const start = writeHead(into, at, item.length, 0x80);
    into.set(item, start);
    return start + item.length;
  }
  let next = writeHead(into, at, payloadLength(item), 0xc0);
  for (const part of item) next = write(into, next, part);
  return next;
}

/** RLP of an item, optionally after a one-byte EIP-2718 type. */
export function encodeRlp(item: RlpItem, type?: number): Buffer {
  const prefix = type === undefined ? 0 : 1;
  const encoded = Buffer.allocUnsafe(prefix + encodedLength(item));
  if (type !== undefined) encoded[0] = type;
  write(encoded, prefix, item);
  return encoded;
}

/** RLP list around fields that are already encoded, optionally after a one-byte type. */
export function wrapRlpList(fields: readonly Uint8Array[], type?: number): Buffer {
  let length = 0;
  for (const part of fields) length += part.length;
  const prefix = type === undefined ? 0 : 1;
  const encoded = Buffer.allocUnsafe(prefix + headLength(length) + length);
  if (type !== undefined) encoded[0] = type;
  let at = writeHead(encoded, prefix, length, 0xc0);
  for (const part of fields) {
    encoded.set(part, at);
    at += part.length;
  }
  return encoded;
}
