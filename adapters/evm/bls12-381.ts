import { g1Size, g2Size, isZero, PairingCurve } from './pairing-curve.ts';

/** BLS12-381 (EIP-2537, 4844). */
export const bls: PairingCurve = await PairingCurve.load({
  id: 5,
  fieldBytes: 48,
  prime: Buffer.from(
    '1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f624' +
      '1eabfffeb153ffffb9feffffffffaaab',
    'hex',
  ),
});

/** Bytes of a field element, and of points of the first and second group, in EIP-2537. */
export const fieldBytes = 64;
/** Bytes of a point of the first group. */
export const g1Bytes = 128;
/** Bytes of a point of the second group. */
export const g2Bytes = 256;

const zeros = 16;
const result1 = bls.allocate(g1Size);
const result2 = bls.allocate(g2Size);

/** A field element without its 16 leading zeros, 48 bytes; undefined when they are none. */
export function fieldAt(input: Uint8Array, at: number): Uint8Array | undefined {
  if (!isZero(input.subarray(at, at + zeros))) return undefined;
  return input.subarray(at + zeros, at + fieldBytes);
}

/** Reads a point of the first group; false when it is not on the curve. */
export function readG1(to: number, input: Uint8Array, at: number): boolean {
  const x = fieldAt(input, at);
  const y = fieldAt(input, at + fieldBytes);
  return x !== undefined && y !== undefined && bls.setG1(to, x, y);
}

/** Reads a point of the second group; false when it is not on the curve. */
export function readG2(to: number, input: Uint8Array, at: number): boolean {
  const parts: Uint8Array[] = [];
  for (let i = 0; i < 4; i++) {
    const part = fieldAt(input, at + fieldBytes * i);
    if (part === undefined) return false;
    parts.push(part);
  }
  return bls.setG2(to, parts.slice(0, 2), parts.slice(2));
}

/** Whether a point of the curve is in the subgroup of prime order. */
export const inSubgroup1 = (at: number): boolean =>
  bls.module._mclBnG1_isZero(at) === 1 || bls.module._mclBnG1_isValidOrder(at) === 1;

/** Whether a point of the twist is in the subgroup of prime order. */
export const inSubgroup2 = (at: number): boolean =>
  bls.module._mclBnG2_isZero(at) === 1 || bls.module._mclBnG2_isValidOrder(at) === 1;

/** A point of the first group, 128 bytes. */
export const writeG1 = (at: number): Uint8Array => joined(bls.g1(at));

/** A point of the second group, 256 bytes. */
export const writeG2 = (at: number): Uint8Array => joined(bls.g2(at));

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.length * fieldBytes);
  for (const [index, part] of parts.entries()) bytes.set(part, index * fieldBytes + zeros);
  return bytes;
}

/** Where results of the first group are worked out. */
export const scratch1: number = result1;
/** Where results of the second group are worked out. */
export const scratch2: number = result2;
