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

/** Bytes of a field element in EIP-2537. */
export const fieldBytes = 64;
const zeros = 16;

/** A group of points: where it is worked in, and how. */
export interface Group {
  /** Bytes of a point in EIP-2537. */
  readonly pointBytes: number;
  /** Bytes of a point in the library's memory, and room there for a batch of them. */
  readonly size: number;
  readonly points: number;
  /** Where results are worked out. */
  readonly result: number;
  readonly sum: number;
  /** Reads a point; false when it is not on the curve. */
  readonly read: (to: number, input: Uint8Array, at: number) => boolean;
  /** Whether a point of the curve is in the subgroup of prime order. */
  readonly isInSubgroup: (at: number) => boolean;
  /** A point, `pointBytes` long. */
  readonly write: (at: number) => Uint8Array;
  readonly clear: (r: number) => void;
  readonly add: (r: number, a: number, b: number) => void;
  /** Sum of `count` multiples. */
  readonly multiply: (r: number, points: number, scalars: number, count: number) => void;
}

const { module } = bls;

/** The first group: points of the curve. */
export const g1: Group = {
  pointBytes: 128,
  size: g1Size,
  points: bls.g1Points,
  result: bls.allocate(g1Size),
  sum: bls.allocate(g1Size),
  read: readG1,
  isInSubgroup: (at) => module._mclBnG1_isZero(at) === 1 || module._mclBnG1_isValidOrder(at) === 1,
  write: (at) => joined(bls.g1(at)),
  clear: module._mclBnG1_clear,
  add: module._mclBnG1_add,
  multiply: module._mclBnG1_mulVec,
};

/** The second group: points of the twist. */
export const g2: Group = {
  pointBytes: 256,
  size: g2Size,
  points: bls.g2Points,
  result: bls.allocate(g2Size),
  sum: bls.allocate(g2Size),
  read: readG2,
  isInSubgroup: (at) => module._mclBnG2_isZero(at) === 1 || module._mclBnG2_isValidOrder(at) === 1,
  write: (at) => joined(bls.g2(at)),
  clear: module._mclBnG2_clear,
  add: module._mclBnG2_add,
  multiply: module._mclBnG2_mulVec,
};

/** A field element without its 16 leading zeros, 48 bytes; undefined when they are none. */
export function fieldAt(input: Uint8Array, at: number): Uint8Array | undefined {
  if (!isZero(input.subarray(at, at + zeros))) return undefined;
  return input.subarray(at + zeros, at + fieldBytes);
}

function readG1(to: number, input: Uint8Array, at: number): boolean {
  const x = fieldAt(input, at);
  const y = fieldAt(input, at + fieldBytes);
  return x !== undefined && y !== undefined && bls.setG1(to, x, y);
}

function readG2(to: number, input: Uint8Array, at: number): boolean {
  const parts: Uint8Array[] = [];
  for (let i = 0; i < 4; i++) {
    const part = fieldAt(input, at + fieldBytes * i);
    if (part === undefined) return false;
    parts.push(part);
  }
  return bls.setG2(to, parts.slice(0, 2), parts.slice(2));
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.length * fieldBytes);
  for (const [index, part] of parts.entries()) bytes.set(part, index * fieldBytes + zeros);
  return bytes;
}
