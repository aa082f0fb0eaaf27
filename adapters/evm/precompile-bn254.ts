import { concatBytes } from '@concordat/std';
import { g1Size, PairingCurve } from './pairing-curve.ts';
import { type Precompile, padded } from './precompile.ts';

/** BN254, also called alt_bn128 (EIP-196, 197). */
const curve = await PairingCurve.load({
  id: 4,
  fieldBytes: 32,
  prime: Buffer.from('30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47', 'hex'),
});
const a = curve.allocate(g1Size);
const b = curve.allocate(g1Size);
const { module } = curve;

const pointBytes = 64;
const pairBytes = 192;

/** Reads x ‖ y at `from`, 32 bytes each; false when that is no point. */
function readG1(at: number, input: Uint8Array, from: number): boolean {
  const bytes = padded(input, from, pointBytes);
  return curve.setG1(at, bytes.subarray(0, 32), bytes.subarray(32));
}

/** Reads a point of the twist: imaginary before real parts. Its order is checked. */
function readG2(at: number, input: Uint8Array, from: number): boolean {
  const part = (index: number): Uint8Array =>
    input.subarray(from + 32 * index, from + 32 * (index + 1));
  if (!curve.setG2(at, [part(1), part(0)], [part(3), part(2)])) return false;
  return module._mclBnG2_isZero(at) === 1 || module._mclBnG2_isValidOrder(at) === 1;
}

/** Sum of two points (EIP-196, 1108). */
export const bn254Add = (price: number): Precompile => ({
  gas: () => price,
  run(input) {
    if (!readG1(a, input, 0) || !readG1(b, input, pointBytes)) return undefined;
    module._mclBnG1_add(a, a, b);
    return concatBytes(...curve.g1(a));
  },
});

/** Multiple of a point (EIP-196, 1108). */
export const bn254Multiply = (price: number): Precompile => ({
  gas: () => price,
  run(input) {
    if (!readG1(a, input, 0)) return undefined;
    curve.setScalar(curve.scalars, padded(input, pointBytes, 32));
    module._mclBnG1_mul(a, a, curve.scalars);
    return concatBytes(...curve.g1(a));
  },
});

/** Whether a product of pairings is one (EIP-197, 1108). */
export const bn254Pairing = (base: number, pair: number): Precompile => ({
  gas: (input) => base + pair * Math.floor(input.length / pairBytes),
  run(input) {
    if (input.length % pairBytes !== 0) return undefined;
    return curve.pairing(input.length / pairBytes, (index, p, q) => {
      const at = index * pairBytes;
      return readG1(p, input, at) && readG2(q, input, at + pointBytes);
    });
  },
});
