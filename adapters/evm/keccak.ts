import { arithmetic, arithmeticRoom } from './arithmetic.ts';

/** Keccak-256 (the original padding, not SHA3-256), 32 bytes. */
export function keccak256(bytes: Uint8Array): Uint8Array {
  const { at, memory } = arithmeticRoom(32 + bytes.length);
  memory.set(bytes, at + 32);
  arithmetic.keccak256(at, at + 32, bytes.length);
  return new Uint8Array(memory.subarray(at, at + 32));
}

/** Address (20 bytes) of a public key: 65 bytes, the first being 4. */
export const addressOfPoint = (point: Uint8Array): Uint8Array =>
  keccak256(point.subarray(1)).subarray(12);
