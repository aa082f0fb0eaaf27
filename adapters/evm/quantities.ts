import { viewOf } from '@concordat/std';

/** Unsigned big-endian bytes to bigint; empty bytes are zero. */
export function toBigInt(bytes: Uint8Array): bigint {
  const length = bytes.length;
  if (length === 0) return 0n;
  const buffer = viewOf(bytes);
  if (length <= 6) return BigInt(buffer.readUIntBE(0, length));
  return BigInt(`0x${buffer.hexSlice(0, length)}`);
}

/** Shortest unsigned big-endian bytes; zero has none. */
export function toMinimalBytes(value: bigint): Uint8Array {
  if (value === 0n) return new Uint8Array(0);
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
}

/** 32-byte big-endian form of a number below 2^256. */
export function toWord(value: bigint): Uint8Array {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex');
}

/** Greatest number of 256 bits. */
export const greatestWord: bigint = (1n << 256n) - 1n;

const low64 = 0xffff_ffff_ffff_ffffn;

/** Writes a number below 2^256 as the engine holds it: four 64-bit limbs, the least first. */
export function writeLimbs(memory: DataView, at: number, value: bigint): void {
  memory.setBigUint64(at, value & low64, true);
  if (value <= low64) {
    memory.setBigUint64(at + 8, 0n, true);
    memory.setBigUint64(at + 16, 0n, true);
    memory.setBigUint64(at + 24, 0n, true);
    return;
  }
  memory.setBigUint64(at + 8, (value >> 64n) & low64, true);
  memory.setBigUint64(at + 16, (value >> 128n) & low64, true);
  memory.setBigUint64(at + 24, value >> 192n, true);
}

/** Reads {@link writeLimbs}. */
export function readLimbs(memory: DataView, at: number): bigint {
  const low = memory.getBigUint64(at, true);
  const rest =
    memory.getBigUint64(at + 8, true) |
    (memory.getBigUint64(at + 16, true) << 64n) |
    (memory.getBigUint64(at + 24, true) << 128n);
  return rest === 0n ? low : low | (rest << 64n);
}
