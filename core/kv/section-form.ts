import { emptyBytes, viewOf } from '@concordat/std';
import { KvError } from './errors.ts';
import { isTableName, type Key } from './table.ts';
import { maxKeyBytes, maxValueBytes } from './write-set.ts';

// The bytes of a store in a snapshot (docs/format/snapshot.md): one stream, cut into chunks.

/** Bytes of every chunk of a section but its last, which has 1 to this many. */
export const sectionChunkBytes = 1_048_576;

const version = 1;

/** Writes a section as it goes and hands out its chunks. */
export class SectionEncoder {
  #chunk = Buffer.allocUnsafeSlow(sectionChunkBytes);
  #at = 0;
  #finished: Buffer[] = [];
  readonly #head = Buffer.allocUnsafe(maxKeyBytes + 8);

  /** Begins the section. @param tables number of tables that hold anything */
  begin(tables: number): void {
    this.#head[0] = version;
    this.raw(this.#head.subarray(0, writeVarint(this.#head, 1, tables)));
  }

  /** Begins a table. */
  table(name: string, entries: number): void {
    let at = writeVarint(this.#head, 0, name.length);
    at += this.#head.latin1Write(name, at, name.length);
    this.raw(this.#head.subarray(0, writeVarint(this.#head, at, entries)));
  }

  /** A pair's key and the length of its value, whose bytes follow through {@link raw}. */
  key(key: Key, valueBytes: number): void {
    const direct = sectionChunkBytes - this.#at >= key.length + 8;
    const into = direct ? this.#chunk : this.#head;
    const from = direct ? this.#at : 0;
    let at = writeVarint(into, from, key.length);
    at += into.latin1Write(key, at, key.length);
    at = writeVarint(into, at, valueBytes);
    if (direct) this.#advance(at - from);
    else this.raw(this.#head.subarray(0, at));
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; ) {
      const wanted = Math.min(bytes.length - from, sectionChunkBytes - this.#at);
      this.#chunk.set(
        wanted === bytes.length ? bytes : bytes.subarray(from, from + wanted),
        this.#at,
      );
      from += wanted;
      this.#advance(wanted);
    }
  }

  /** Ends the section: its last chunk is cut to what it holds. */
  end(): void {
    if (this.#at > 0) this.#finished.push(Buffer.from(this.#chunk.subarray(0, this.#at)));
    this.#chunk = Buffer.alloc(0);
    this.#at = 0;
  }

  /** Chunks finished since it was last asked. */
  takeFinished(): Buffer[] {
    const finished = this.#finished;
    if (finished.length > 0) this.#finished = [];
    return finished;
  }

  #advance(bytes: number): void {
    this.#at += bytes;
    if (this.#at < sectionChunkBytes) return;
    this.#finished.push(this.#chunk);
    this.#chunk = Buffer.allocUnsafeSlow(sectionChunkBytes);
    this.#at = 0;
  }
}

/** A variable-length integer of RFC 9000, section 16, shortest form, below 2^30. */
function writeVarint(into: Buffer, at: number, value: number): number {
  if (value < 0x40) {
    into[at] = value;
    return at + 1;
  }
  if (value < 0x4000) {
    into[at] = 0x40 | (value >>> 8);
    into[at + 1] = value & 0xff;
    return at + 2;
  }
  return into.writeUInt32BE((0x8000_0000 | value) >>> 0, at);
}

/** Where a decoder puts what it reads. */
export interface SectionSink {
  /** The pairs that follow are of this table. */
  table(name: string, entries: number): void;
  /** One pair; the value is a view into the input, or made of several. */
  pair(key: Key, value: Uint8Array): void;
}

/** A value of which only the beginning has come. */
interface PartialValue {
  readonly key: Key;
  readonly length: number;
  readonly parts: Uint8Array[];
  had: number;
}

/** Reads a section from its chunks, strictly: only the one encoding of its contents is accepted. */
export class SectionDecoder {
  readonly #sink: SectionSink;
  /** Bytes of a field that the last chunk broke off in. */
  #carried: Uint8Array = emptyBytes;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  /** Position of `#bytes` in the section. */
  #base = 0;
  #begun = false;
  #tablesLeft = 0;
  #entriesLeft = 0;
  #lastTable = '';
  #lastKey: Key | undefined;
  #value: PartialValue | undefined;

  constructor(sink: SectionSink) {
    this.#sink = sink;
  }

  /** Reads on. @throws KvError MALFORMED, and whatever the sink throws */
  feed(chunk: Uint8Array): void {
    this.#bytes =
      this.#carried.length === 0 ? viewOf(chunk) : Buffer.concat([this.#carried, chunk]);
    this.#at = 0;
    let more = true;
    while (more && this.#at < this.#bytes.length) more = this.#step();
    this.#carried = this.#bytes.subarray(this.#at);
    this.#base += this.#at;
  }

  /** @throws KvError MALFORMED when the section does not end here */
  end(): void {
    const open = this.#value !== undefined || this.#tablesLeft > 0 || this.#entriesLeft > 0;
    if (open || !this.#begun || this.#carried.length > 0) throw this.#malformed('is truncated');
  }

  /** Reads one thing; false when the rest of it is in the next chunk. */
  #step(): boolean {
    if (this.#value !== undefined) return this.#continueValue(this.#value);
    if (!this.#begun) return this.#begin();
    if (this.#entriesLeft > 0) return this.#pair();
    if (this.#tablesLeft > 0) return this.#table();
    throw this.#malformed('has trailing bytes');
  }

  #begin(): boolean {
    if (this.#bytes[this.#at] !== version) throw this.#malformed('has a version unknown here');
    const fields = new Fields(this.#bytes, this.#at + 1);
    const tables = fields.varint();
    if (tables === undefined) return this.#unfinished(fields);
    this.#begun = true;
    this.#tablesLeft = tables;
    this.#at = fields.at;
    return true;
  }

  #table(): boolean {
    const fields = new Fields(this.#bytes, this.#at);
    const length = fields.varint();
    if (length !== undefined && length > 255) throw this.#malformed('has an invalid table name');
    const name = fields.text(length);
    const entries = fields.varint();
    if (name === undefined || entries === undefined) return this.#unfinished(fields);
    if (!isTableName(name)) throw this.#malformed('has an invalid table name');
    if (name <= this.#lastTable) throw this.#malformed('has tables out of order');
    if (entries === 0) throw this.#malformed('names a table that holds nothing');
    this.#sink.table(name, entries);
    this.#lastTable = name;
    this.#lastKey = undefined;
    this.#tablesLeft--;
    this.#entriesLeft = entries;
    this.#at = fields.at;
    return true;
  }

  #pair(): boolean {
    const fields = new Fields(this.#bytes, this.#at);
    const keyBytes = fields.varint();
    if (keyBytes !== undefined && keyBytes > maxKeyBytes) {
      throw this.#malformed('has a key longer than 65,535 bytes');
    }
    const key = fields.text(keyBytes);
    const valueBytes = fields.varint();
    if (key === undefined || valueBytes === undefined) return this.#unfinished(fields);
    if (this.#lastKey !== undefined && key <= this.#lastKey) {
      throw this.#malformed('has keys out of order');
    }
    if (valueBytes > maxValueBytes) throw this.#malformed('has a value too long');
    this.#lastKey = key;
    this.#at = fields.at;
    if (this.#bytes.length - this.#at < valueBytes) {
      this.#value = { key, length: valueBytes, parts: [], had: 0 };
      return true;
    }
    const value = this.#bytes.subarray(this.#at, this.#at + valueBytes);
    this.#at += valueBytes;
    this.#put(key, value);
    return true;
  }

  #continueValue(value: PartialValue): boolean {
    const until = Math.min(this.#bytes.length, this.#at + value.length - value.had);
    value.parts.push(this.#bytes.subarray(this.#at, until));
    value.had += until - this.#at;
    this.#at = until;
    if (value.had < value.length) return false;
    this.#value = undefined;
    this.#put(value.key, Buffer.concat(value.parts));
    return true;
  }

  #put(key: Key, value: Uint8Array): void {
    this.#sink.pair(key, value);
    this.#entriesLeft--;
  }

  #unfinished({ why }: Fields): boolean {
    if (why !== undefined) throw this.#malformed(why);
    return false;
  }

  #malformed(what: string): KvError {
    return new KvError('MALFORMED', `a section ${what}`, { at: this.#base + this.#at });
  }
}

/** Fields at a position: undefined when the bytes end within one, and for all that follow. */
class Fields {
  at: number;
  /** What is wrong with a field that is all there. */
  why: string | undefined;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** A variable-length integer in shortest form, below 2^30. */
  varint(): number | undefined {
    const first = this.#bytes[this.at];
    if (first === undefined) return undefined;
    if (first < 0x40) {
      this.at++;
      return first;
    }
    if (first >= 0xc0) return this.#refuse('has a length of 2^30 or more');
    const width = first < 0x80 ? 2 : 4;
    if (this.#bytes.length - this.at < width) return this.#stop();
    const value =
      width === 2
        ? ((first & 0x3f) << 8) | (this.#bytes[this.at + 1] as number)
        : this.#bytes.readUInt32BE(this.at) - 0x8000_0000;
    if (value < (width === 2 ? 0x40 : 0x4000)) {
      return this.#refuse('has a length that is not in shortest form');
    }
    this.at += width;
    return value;
  }

  text(length: number | undefined): string | undefined {
    if (length === undefined || length > this.#bytes.length - this.at) return this.#stop();
    const from = this.at;
    this.at += length;
    return this.#bytes.latin1Slice(from, this.at);
  }

  #refuse(why: string): undefined {
    this.why ??= why;
    return this.#stop();
  }

  #stop(): undefined {
    this.at = this.#bytes.length;
    return undefined;
  }
}
