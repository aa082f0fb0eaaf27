import { isUtf8 } from 'node:buffer';
import { assert, BinaryReader, BinaryWriter, DecodeError, viewOf } from '@concordat/std';
import { CryptoError } from './errors.ts';

/** A tagged value (RFC 8949, section 3.4). */
export class CborTag {
  readonly tag: number;
  readonly value: CborValue;

  constructor(tag: number, value: CborValue) {
    this.tag = tag;
    this.value = value;
  }
}

/** A map key: an integer or a text. */
export type CborKey = number | bigint | string;

/**
 * What this codec carries. Integers are -2^64..2^64-1: a number where it is safe, else a bigint.
 * No floats, no undefined, no simple values but booleans and null.
 */
export type CborValue =
  | number
  | bigint
  | string
  | boolean
  | null
  | Uint8Array
  | CborTag
  | readonly CborValue[]
  | ReadonlyMap<CborKey, CborValue>;

/** How strictly to decode. */
export interface CborLimits {
  /** Default 1 MiB. */
  readonly maxBytes?: number;
  /** Arrays, maps and tags inside each other; default 16. */
  readonly maxDepth?: number;
  /** `sorted` (default) takes deterministic maps only; `any` takes every order, no key twice. */
  readonly keyOrder?: 'sorted' | 'any';
}

const majors = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, simple: 7 };
const simple = { false: 20, true: 21, null: 22 };

/** Deterministic encoding (RFC 8949, section 4.2.1): shortest heads, map keys in bytewise order. */
export function encodeCbor(value: CborValue): Uint8Array {
  const writer = new BinaryWriter();
  write(writer, value);
  return writer.take();
}

function write(writer: BinaryWriter, value: CborValue): void {
  if (typeof value === 'number' || typeof value === 'bigint') writeInteger(writer, value);
  else if (typeof value === 'string') {
    assert(value.isWellFormed(), 'CBOR text with a lone surrogate');
    const bytes = Buffer.from(value, 'utf8');
    writeHead(writer, majors.text, bytes.length);
    writer.raw(bytes);
  } else if (value instanceof Uint8Array) {
    writeHead(writer, majors.bytes, value.length);
    writer.raw(value);
  } else if (value === null || typeof value === 'boolean') {
    writeHead(writer, majors.simple, simple[`${value}`]);
  } else if (value instanceof CborTag) {
    writeHead(writer, majors.tag, value.tag);
    write(writer, value.value);
  } else if (value instanceof Map) writeMap(writer, value);
  else {
    const items = value as readonly CborValue[];
    writeHead(writer, majors.array, items.length);
    for (const item of items) write(writer, item);
  }
}

function writeMap(writer: BinaryWriter, map: ReadonlyMap<CborKey, CborValue>): void {
  const entries = [...map].map(([key, value]) => ({ key: viewOf(encodeCbor(key)), value }));
  entries.sort((a, b) => a.key.compare(b.key));
  writeHead(writer, majors.map, entries.length);
  let previous: Buffer | undefined;
  for (const { key, value } of entries) {
    assert(previous === undefined || previous.compare(key) !== 0, 'CBOR map key twice');
    previous = key;
    writer.raw(key);
    write(writer, value);
  }
}

function writeInteger(writer: BinaryWriter, value: number | bigint): void {
  assert(typeof value === 'bigint' || Number.isSafeInteger(value), `not an integer: ${value}`);
  if (value >= 0) writeHead(writer, majors.unsigned, value);
  else writeHead(writer, majors.negative, typeof value === 'bigint' ? -1n - value : -1 - value);
}

function writeHead(writer: BinaryWriter, major: number, argument: number | bigint): void {
  const high = major << 5;
  if (argument < 24) writer.u8(high | Number(argument));
  else if (argument < 0x100) writer.u8(high | 24).u8(Number(argument));
  else if (argument < 0x1_0000) writer.u8(high | 25).u16(Number(argument));
  else if (argument < 0x1_0000_0000) writer.u8(high | 26).u32(Number(argument));
  else {
    const wide = BigInt(argument);
    assert(wide < 1n << 64n, 'CBOR integer beyond 64 bits');
    writer
      .u8(high | 27)
      .u32(Number(wide >> 32n))
      .u32(Number(wide & 0xffff_ffffn));
  }
}

const bad = (why: string): CryptoError => new CryptoError('MALFORMED_CBOR', `CBOR: ${why}`);

/**
 * Decodes one value strictly: shortest heads, definite lengths, valid UTF-8, no key twice, no
 * float, nothing after the end. Byte strings are views into the input.
 * @throws CryptoError MALFORMED_CBOR
 */
export function decodeCbor(bytes: Uint8Array, limits: CborLimits = {}): CborValue {
  const { maxBytes = 1 << 20, maxDepth = 16, keyOrder = 'sorted' } = limits;
  if (bytes.length > maxBytes) throw bad(`${bytes.length} bytes, at most ${maxBytes} allowed`);
  const decoder = new Decoder(bytes, keyOrder);
  try {
    const value = decoder.read(maxDepth);
    decoder.reader.end();
    return value;
  } catch (error) {
    if (error instanceof DecodeError) throw bad(error.message);
    throw error;
  }
}

class Decoder {
  readonly reader: BinaryReader;
  readonly #bytes: Uint8Array;
  readonly #keyOrder: 'sorted' | 'any';

  constructor(bytes: Uint8Array, keyOrder: 'sorted' | 'any') {
    this.reader = new BinaryReader(bytes);
    this.#bytes = bytes;
    this.#keyOrder = keyOrder;
  }

  read(depthLeft: number): CborValue {
    const first = this.reader.u8();
    const major = first >> 5;
    const low = first & 0x1f;
    if (major === majors.simple) return readSimple(low);
    const argument = this.#argument(low);
    if (major === majors.unsigned) return argument;
    if (major === majors.negative) return negate(argument);
    if (typeof argument === 'bigint') throw bad('length beyond 2^53');
    if (major === majors.bytes) return this.reader.raw(argument);
    if (major === majors.text) return this.#text(argument);
    if (depthLeft === 0) throw bad('nested too deeply');
    if (major === majors.array) return this.#array(argument, depthLeft - 1);
    if (major === majors.map) return this.#map(argument, depthLeft - 1);
    return new CborTag(argument, this.read(depthLeft - 1));
  }

  #argument(low: number): number | bigint {
    if (low < 24) return low;
    if (low === 24) return shortest(this.reader.u8(), 24);
    if (low === 25) return shortest(this.reader.u16(), 0x100);
    if (low === 26) return shortest(this.reader.u32(), 0x1_0000);
    if (low !== 27) throw bad('indefinite length or reserved head');
    const high = this.reader.u32();
    const wide = (BigInt(high) << 32n) | BigInt(this.reader.u32());
    shortest(high, 1);
    return wide <= Number.MAX_SAFE_INTEGER ? Number(wide) : wide;
  }

  #text(length: number): string {
    const bytes = this.reader.raw(length);
    if (!isUtf8(bytes)) throw bad('text is not UTF-8');
    return bytes.toString('utf8');
  }

  #array(length: number, depthLeft: number): CborValue[] {
    // Each item has at least one byte: a forged count fails before it allocates.
    if (length > this.reader.remaining) throw bad('array truncated');
    const items: CborValue[] = [];
    for (let i = 0; i < length; i += 1) items.push(this.read(depthLeft));
    return items;
  }

  #map(length: number, depthLeft: number): Map<CborKey, CborValue> {
    if (length * 2 > this.reader.remaining) throw bad('map truncated');
    const map = new Map<CborKey, CborValue>();
    let previous: Buffer | undefined;
    for (let i = 0; i < length; i += 1) {
      const start = this.reader.position;
      const key = this.read(0);
      if (typeof key !== 'number' && typeof key !== 'bigint' && typeof key !== 'string') {
        throw bad('map key is neither integer nor text');
      }
      const encoded = viewOf(this.#bytes.subarray(start, this.reader.position));
      if (map.has(key)) throw bad('map key twice');
      if (this.#keyOrder === 'sorted' && previous !== undefined && previous.compare(encoded) > 0) {
        throw bad('map keys out of order');
      }
      previous = encoded;
      map.set(key, this.read(depthLeft));
    }
    return map;
  }
}

function readSimple(low: number): boolean | null {
  if (low === simple.false) return false;
  if (low === simple.true) return true;
  if (low === simple.null) return null;
  throw bad('float or simple value');
}

function shortest(value: number, least: number): number {
  if (value < least) throw bad('head not the shortest');
  return value;
}

function negate(argument: number | bigint): number | bigint {
  if (typeof argument === 'bigint' || argument === Number.MAX_SAFE_INTEGER) {
    return -1n - BigInt(argument);
  }
  return -1 - argument;
}
