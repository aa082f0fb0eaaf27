/**
 * How a platform lays out the structures of PKCS#11 (2.40 base specification, section 2.1): elsewhere
 * than on Windows as C does, and there CK_ULONG and pointers are of one size, so nothing but
 * CK_FUNCTION_LIST has gaps; on Windows packed to one byte, with a CK_ULONG of 4.
 */
export interface Layout {
  /** Bytes of CK_ULONG. */
  readonly ulong: 4 | 8;
  /** Bytes of a pointer; structures are for 64-bit processes. */
  readonly pointer: 8;
  /** Where the pointers begin in CK_FUNCTION_LIST, after a CK_VERSION of 2 bytes. */
  readonly functionsAt: 2 | 8;
}

/** The layout of a platform, as `process.platform` names it. */
export const layoutOf = (platform: string): Layout =>
  platform === 'win32'
    ? { ulong: 4, pointer: 8, functionsAt: 2 }
    : { ulong: 8, pointer: 8, functionsAt: 8 };

/** A field of a structure: a CK_ULONG, or a pointer to bytes (null for none). */
export type Field = number | { readonly pointer: Uint8Array | null };

/** Gives the address of bytes in this process. */
export type AddressOf = (bytes: Uint8Array) => bigint;

/** The most a CK_ULONG holds where it has 4 bytes: "unavailable" is all ones. */
const mask32 = 0xffffffffn;

/** What a structure points at lives as long as the structure: C knows addresses only. */
const pointedAt = new WeakMap<Uint8Array, readonly Uint8Array[]>();

/**
 * Fields one after the other, little-endian as every supported platform is. What they point at is
 * kept in memory for as long as somebody holds what this returns.
 */
export function writeFields(
  layout: Layout,
  fields: readonly Field[],
  addressOf: AddressOf,
): Uint8Array {
  const isUlong = (field: Field): field is number => typeof field === 'number';
  const length = fields.reduce<number>(
    (sum, field) => sum + (isUlong(field) ? layout.ulong : layout.pointer),
    0,
  );
  const bytes = Buffer.alloc(length);
  const held: Uint8Array[] = [];
  let at = 0;
  for (const field of fields) {
    if (isUlong(field)) {
      if (layout.ulong === 8) bytes.writeBigUInt64LE(BigInt(field), at);
      else bytes.writeUInt32LE(field, at);
      at += layout.ulong;
    } else {
      // An empty array has no memory that C could be pointed at.
      const { pointer } = field;
      if (pointer) held.push(pointer);
      bytes.writeBigUInt64LE(pointer && pointer.length > 0 ? addressOf(pointer) : 0n, at);
      at += layout.pointer;
    }
  }
  pointedAt.set(bytes, held);
  return bytes;
}

/** The CK_ULONG at an offset; undefined when it says "unavailable" (all ones). */
export function readUlong({ ulong }: Layout, bytes: Uint8Array, at = 0): number | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const value = ulong === 8 ? buffer.readBigUInt64LE(at) : BigInt(buffer.readUInt32LE(at));
  const all = ulong === 8 ? (mask32 << 32n) | mask32 : mask32;
  return value === all ? undefined : Number(value);
}

/** A text of fixed length, padded with blanks, not ended by zero (section 3, "CK_UTF8CHAR"). */
export const readPadded = (bytes: Uint8Array): string =>
  new TextDecoder().decode(bytes).replace(/[ \0]+$/, '');

/** CK_TOKEN_INFO (section 3.2), as far as it is used. */
export interface TokenInfo {
  readonly label: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
  readonly flags: number;
}

/** Bytes of CK_TOKEN_INFO: texts, flags, ten counts, two versions, a time, then alignment. */
export const tokenInfoBytes = ({ ulong }: Layout): number => 96 + 11 * ulong + 4 + 16 + ulong;

/** Reads CK_TOKEN_INFO. */
export const readTokenInfo = (layout: Layout, bytes: Uint8Array): TokenInfo => ({
  label: readPadded(bytes.subarray(0, 32)),
  manufacturer: readPadded(bytes.subarray(32, 64)),
  model: readPadded(bytes.subarray(64, 80)),
  serial: readPadded(bytes.subarray(80, 96)),
  flags: readUlong(layout, bytes, 96) ?? 0,
});
