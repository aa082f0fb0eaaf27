import { concatBytes, viewOf } from '@concordat/std';
import { CryptoError } from './errors.ts';

/** DER tags this room meets (X.690, section 8): universal, and context-specific ones of X.509. */
export const derTags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  nullValue: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  numericString: 0x12,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  visibleString: 0x1a,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One value: tag byte, shortest definite length, contents (X.690, section 10.1). */
export function derValue(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const content = concatBytes(...contents);
  const length = content.length;
  if (length < 0x80) return concatBytes(Uint8Array.of(tag, length), content);
  const digits: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256);
  return concatBytes(Uint8Array.of(tag, 0x80 | digits.length, ...digits), content);
}

/** SEQUENCE of encoded values. */
export const derSequence = (...values: readonly Uint8Array[]): Uint8Array =>
  derValue(derTags.sequence, ...values);

/** Non-negative INTEGER from its big-endian magnitude, of any length. */
export function derInteger(magnitude: Uint8Array): Uint8Array {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start += 1;
  const digits = magnitude.length === 0 ? Uint8Array.of(0) : magnitude.subarray(start);
  const sign = (digits[0] as number) >= 0x80 ? Uint8Array.of(0) : new Uint8Array(0);
  return derValue(derTags.integer, sign, digits);
}

/** OBJECT IDENTIFIER from its dotted form. */
export function derOid(dotted: string): Uint8Array {
  const arcs = dotted.split('.').map(Number);
  const [first = 0, second = 0, ...rest] = arcs;
  const bytes: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const digits = [arc % 128];
    for (let high = Math.floor(arc / 128); high > 0; high = Math.floor(high / 128)) {
      digits.unshift(0x80 | (high % 128));
    }
    bytes.push(...digits);
  }
  return derValue(derTags.oid, Uint8Array.from(bytes));
}

/** BIT STRING of whole bytes. */
export const derBitString = (bytes: Uint8Array, unusedBits = 0): Uint8Array =>
  derValue(derTags.bitString, Uint8Array.of(unusedBits), bytes);

/** One decoded value: its tag byte, its contents and its whole encoding, views into the input. */
export interface DerNode {
  readonly tag: number;
  readonly content: Buffer;
  readonly raw: Buffer;
}

const bad = (why: string): CryptoError => new CryptoError('INVALID_CERTIFICATE', `DER: ${why}`);

/**
 * Reads consecutive DER values strictly: low tag numbers, definite and shortest lengths, nothing
 * past the end. Every failure is a CryptoError INVALID_CERTIFICATE.
 */
export class DerReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = viewOf(bytes);
  }

  /** Whether every byte was read. */
  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next tag byte; undefined at the end. */
  get nextTag(): number | undefined {
    return this.#bytes[this.#at];
  }

  /**
   * The next value, of the given tag where one is given.
   * @throws CryptoError INVALID_CERTIFICATE
   */
  read(tag?: number): DerNode {
    const bytes = this.#bytes;
    const start = this.#at;
    const found = bytes[start];
    if (found === undefined) throw bad('value missing');
    if ((found & 0x1f) === 0x1f) throw bad('high tag number');
    if (tag !== undefined && found !== tag) throw bad(`tag ${found} where ${tag} belongs`);
    const length = this.#length(start + 1);
    const from = this.#at;
    if (length > bytes.length - from) throw bad('value truncated');
    this.#at = from + length;
    return {
      tag: found,
      content: bytes.subarray(from, this.#at),
      raw: bytes.subarray(start, this.#at),
    };
  }

  /** The next value when it has the tag; undefined, reading nothing, when it has another. */
  readOptional(tag: number): DerNode | undefined {
    return this.nextTag === tag ? this.read(tag) : undefined;
  }

  /** A reader of the contents of the next value. */
  enter(tag: number): DerReader {
    return new DerReader(this.read(tag).content);
  }

  /** @throws CryptoError INVALID_CERTIFICATE when bytes are left */
  end(): void {
    if (!this.done) throw bad('bytes after the end');
  }

  #length(at: number): number {
    const first = this.#bytes[at];
    if (first === undefined) throw bad('length missing');
    this.#at = at + 1;
    if (first < 0x80) return first;
    const digits = first & 0x7f;
    if (digits === 0) throw bad('indefinite length');
    if (digits > 3) throw bad('length too large');
    if (digits > this.#bytes.length - at - 1) throw bad('length truncated');
    const length = this.#bytes.readUIntBE(at + 1, digits);
    if (length < 0x80 || length < 2 ** (8 * (digits - 1))) throw bad('length not the shortest');
    this.#at = at + 1 + digits;
    return length;
  }
}

/** BOOLEAN contents: DER allows 0x00 and 0xff only. */
export function readBoolean(node: DerNode): boolean {
  const value = node.content[0];
  if (node.content.length !== 1 || (value !== 0 && value !== 0xff)) throw bad('boolean');
  return value === 0xff;
}

/** Magnitude of a non-negative INTEGER in its shortest form, without the sign byte. */
export function readMagnitude(node: DerNode): Buffer {
  const [first, second] = node.content;
  if (first === undefined) throw bad('empty integer');
  if (first >= 0x80) throw bad('negative integer');
  if (first !== 0 || second === undefined) return node.content;
  if (second < 0x80) throw bad('integer not the shortest');
  return node.content.subarray(1);
}

/** Bytes of a BIT STRING and how many low bits of the last one are unused (which must be zero). */
export function readBitString(node: DerNode): { bytes: Buffer; unusedBits: number } {
  const unusedBits = node.content[0];
  const bytes = node.content.subarray(1);
  if (unusedBits === undefined || unusedBits > 7) throw bad('bit string');
  const last = bytes.at(-1);
  if (last === undefined ? unusedBits > 0 : (last & ((1 << unusedBits) - 1)) !== 0) {
    throw bad('bit string padding');
  }
  return { bytes, unusedBits };
}

/** Dotted form of an OBJECT IDENTIFIER; arcs up to 2^31. */
export function readOid(node: DerNode): string {
  const arcs: number[] = [];
  let arc = 0;
  let inside = false;
  for (const byte of node.content) {
    if (!inside && byte === 0x80) throw bad('identifier arc not the shortest');
    if (arc >= 2 ** 24) throw bad('identifier arc too large');
    arc = arc * 128 + (byte & 0x7f);
    inside = byte >= 0x80;
    if (inside) continue;
    arcs.push(arc);
    arc = 0;
  }
  const first = arcs[0];
  if (first === undefined || inside) throw bad('identifier');
  const root = Math.min(Math.floor(first / 40), 2);
  return [root, first - root * 40, ...arcs.slice(1)].join('.');
}
