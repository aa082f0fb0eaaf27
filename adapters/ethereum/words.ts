/** The EVM's 256-bit words, as numbers on the stack and as bytes in memory. */
export const mask256 = (1n << 256n) - 1n;

/** Low 160 bits: an address. */
export const mask160 = (1n << 160n) - 1n;

/** The numbers 0 to 65,535, made once: most words of a program are among them. */
export const smallWords: readonly bigint[] = Array.from({ length: 65_536 }, (_, i) => BigInt(i));

/** Number of up to 32 big-endian bytes. */
export function wordAt(bytes: Buffer, at: number, size: number): bigint {
  if (size <= 6) return BigInt(bytes.readUIntBE(at, size));
  return BigInt(`0x${bytes.hexSlice(at, at + size)}`);
}

/** 32 bytes as a number; most words are small, so the leading bytes are looked at first. */
export function fullWord(bytes: Buffer, at: number): bigint {
  if (bytes.readUInt32BE(at) === 0 && bytes.readUInt32BE(at + 4) === 0) {
    if (bytes.readUInt32BE(at + 8) === 0 && bytes.readUInt32BE(at + 12) === 0) {
      if (bytes.readUInt32BE(at + 16) === 0 && bytes.readUInt32BE(at + 20) === 0) {
        const low = bytes.readUInt32BE(at + 28);
        const high = bytes.readUInt32BE(at + 24);
        if (high === 0) return low < 65_536 ? (smallWords[low] as bigint) : BigInt(low);
        if (high < 0x20_0000) return BigInt(high * 0x1_0000_0000 + low);
        return bytes.readBigUInt64BE(at + 24);
      }
    }
  }
  return BigInt(`0x${bytes.hexSlice(at, at + 32)}`);
}

/** Writes a word as 32 big-endian bytes. */
export function writeWord(memory: Buffer, at: number, value: bigint): void {
  if (value <= 0xffff_ffffn) {
    memory.fill(0, at, at + 28);
    memory.writeUInt32BE(Number(value), at + 28);
    return;
  }
  memory.hexWrite(value.toString(16).padStart(64, '0'), at, 32);
}

/** 32-byte big-endian form of a word. */
export function wordBytes(value: bigint): Buffer {
  const bytes = Buffer.allocUnsafeSlow(32);
  writeWord(bytes, 0, value);
  return bytes;
}

/** Bytes a number needs; 0 for 0. */
export const byteLength = (value: bigint): number =>
  value === 0n ? 0 : Math.ceil(value.toString(16).length / 2);

/** Words of 32 bytes that hold so many bytes. */
export const wordsOf = (bytes: number): number => Math.ceil(bytes / 32);

/** Power modulo 2^256. */
export function power(base: bigint, exponent: bigint): bigint {
  if (base === 2n) return exponent > 255n ? 0n : 1n << exponent;
  let result = 1n;
  let square = base;
  let left = exponent;
  while (left > 0n) {
    if ((left & 1n) === 1n) result = (result * square) & mask256;
    left >>= 1n;
    if (left > 0n) square = (square * square) & mask256;
  }
  return result;
}
