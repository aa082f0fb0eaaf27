import { assert, viewOf } from '@concordat/std';
import { KvError } from './errors.ts';
import { isTableName, type Key } from './table.ts';

/**
 * What one transaction changed: two byte strings, each canonical (docs/format/write-set.md) and
 * empty when the transaction wrote nothing to that segment's tables.
 */
export interface WriteSet {
  /** Writes to `public:` tables. */
  readonly publicWrites: Uint8Array;
  /** Writes to all other tables. */
  readonly privateWrites: Uint8Array;
}

/** One change: `value` is absent when the key was deleted. */
export interface Write {
  readonly table: string;
  readonly key: Key;
  readonly value?: Uint8Array;
}

/** Longest key, bytes. */
export const maxKeyBytes = 65_535;
/** Longest value, bytes: its length plus one must fit the largest length field. */
export const maxValueBytes = 0x3fff_fffe;

/** One table's writes, keys in strictly increasing order. */
export interface TableWrites {
  readonly name: string;
  readonly keys: readonly Key[];
  readonly values: readonly (Uint8Array | undefined)[];
}

const slabBytes = 65_536;
let slab = Buffer.allocUnsafeSlow(slabBytes);
let slabAt = 0;

/**
 * Encodes one segment: tables in strictly increasing name order, none empty. The bytes are a view
 * into a slab shared with other write sets, because one allocation each costs more than the rest.
 */
export function encodeWriteSet(tables: readonly TableWrites[]): Uint8Array {
  let room = 4;
  for (const { name, keys, values } of tables) {
    room += 8 + name.length;
    for (let i = 0; i < keys.length; i++) {
      room += 8 + (keys[i] as Key).length + (values[i]?.length ?? 0);
    }
  }
  if (room > slabBytes - slabAt) {
    if (room > slabBytes >> 2) return writeTables(Buffer.allocUnsafeSlow(room), 0, tables);
    slab = Buffer.allocUnsafeSlow(slabBytes);
    slabAt = 0;
  }
  const encoded = writeTables(slab, slabAt, tables);
  slabAt += encoded.length;
  return encoded;
}

function writeTables(into: Buffer, start: number, tables: readonly TableWrites[]): Uint8Array {
  let at = writeLength(into, start, tables.length);
  for (const { name, keys, values } of tables) {
    at = writeLength(into, at, name.length);
    at += into.write(name, at, name.length, 'latin1');
    at = writeLength(into, at, keys.length);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as Key;
      const value = values[i];
      at = writeLength(into, at, key.length);
      at += into.write(key, at, key.length, 'latin1');
      if (value === undefined) {
        into[at++] = 0;
      } else {
        at = writeLength(into, at, value.length + 1);
        into.set(value, at);
        at += value.length;
      }
    }
  }
  return into.subarray(start, at);
}

/** A variable-length integer of RFC 9000, section 16, shortest form, below 2^30. */
function writeLength(into: Buffer, at: number, value: number): number {
  if (value < 0x40) {
    into[at] = value;
    return at + 1;
  }
  if (value < 0x4000) {
    into[at] = 0x40 | (value >>> 8);
    into[at + 1] = value & 0xff;
    return at + 2;
  }
  assert(value < 0x4000_0000, 'a length of 2^30 or more');
  into.writeUInt32BE((0x8000_0000 | value) >>> 0, at);
  return at + 4;
}

/** The table name that was found to be one last. */
let checkedName: string | undefined;

/** Where a decoder puts what it reads, in the order of the bytes. */
export interface WriteSink {
  /** The writes that follow are to this table. */
  table(name: string): void;
  /** One write; the value is a view into the input. */
  write(key: Key, value: Uint8Array | undefined): void;
}

/**
 * Reads one segment strictly: only the one encoding of its writes is accepted.
 * @throws KvError MALFORMED, and whatever the sink throws
 */
export function readWriteSet(bytes: Uint8Array, sink: WriteSink): void {
  if (bytes.length === 0) return;
  const reader = new SegmentReader(bytes);
  const tables = reader.length();
  if (tables === 0) malformed('counts no table', 0);
  let lastName = '';
  for (let t = 0; t < tables; t++) {
    const name = reader.text(reader.length());
    // One table takes most writes: its name is looked at once.
    if (name !== checkedName && !isTableName(name))
      malformed('has an invalid table name', reader.at);
    checkedName = name;
    if (t > 0 && name <= lastName) malformed('has tables out of order', reader.at);
    lastName = name;
    sink.table(name);
    const count = reader.length();
    if (count === 0) malformed('names a table without writes', reader.at);
    let lastKey = '';
    for (let i = 0; i < count; i++) {
      const keyLength = reader.length();
      if (keyLength > maxKeyBytes) malformed('has a key longer than 65,535 bytes', reader.at);
      const key = reader.text(keyLength);
      if (i > 0 && key <= lastKey) malformed('has keys out of order', reader.at);
      lastKey = key;
      const field = reader.length();
      sink.write(key, field === 0 ? undefined : reader.raw(field - 1));
    }
  }
  if (reader.at !== bytes.length) malformed('has trailing bytes', reader.at);
}

/**
 * The writes of one segment, in its order; values are views into the input.
 * @throws KvError MALFORMED when the bytes are not a canonical write set
 */
export function decodeWriteSet(bytes: Uint8Array): Iterable<Write> {
  const writes: Write[] = [];
  let table = '';
  readWriteSet(bytes, {
    table: (name) => {
      table = name;
    },
    write: (key, value) => {
      writes.push(value === undefined ? { table, key } : { table, key, value });
    },
  });
  return writes;
}

/**
 * The first table that a segment writes to, which is the lowest by name; undefined when it writes to
 * none. Nothing behind the name is looked at.
 * @throws KvError MALFORMED
 */
export function firstTableOf(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return undefined;
  const reader = new SegmentReader(bytes);
  reader.length();
  return reader.text(reader.length());
}

/** Reads the fields of a segment, each within its bounds. */
class SegmentReader {
  at = 0;
  readonly #bytes: Buffer;
  readonly #end: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = viewOf(bytes);
    this.#end = bytes.length;
  }

  /** A variable-length integer in shortest form, below 2^30. */
  length(): number {
    const at = this.at;
    if (at >= this.#end) malformed('is truncated', at);
    const first = this.#bytes[at] as number;
    if (first < 0x40) {
      this.at = at + 1;
      return first;
    }
    if (first < 0x80) {
      this.#need(2);
      const value = ((first & 0x3f) << 8) | (this.#bytes[at + 1] as number);
      if (value < 0x40) malformed('has a length that is not in shortest form', at);
      this.at = at + 2;
      return value;
    }
    if (first >= 0xc0) malformed('has a length of 2^30 or more', at);
    this.#need(4);
    const value = this.#bytes.readUInt32BE(at) - 0x8000_0000;
    if (value < 0x4000) malformed('has a length that is not in shortest form', at);
    this.at = at + 4;
    return value;
  }

  text(length: number): string {
    this.#need(length);
    const at = this.at;
    this.at = at + length;
    return this.#bytes.toString('latin1', at, at + length);
  }

  raw(length: number): Uint8Array {
    this.#need(length);
    const at = this.at;
    this.at = at + length;
    return this.#bytes.subarray(at, at + length);
  }

  #need(length: number): void {
    if (length > this.#end - this.at) malformed('is truncated', this.at);
  }
}

function malformed(what: string, at: number): never {
  throw new KvError('MALFORMED', `a write set ${what}`, { at });
}
