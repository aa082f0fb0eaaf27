import { emptyBytes } from '@concordat/std';
import { g1Size, isBelow, isZero, PairingCurve, scalarSize } from './pairing-curve.ts';
import type { Precompile } from './precompile.ts';

/** NIST P-256, also called secp256r1. It has no pairing; the library does its points all the same. */
const curve = await PairingCurve.load({
  id: 107,
  fieldBytes: 32,
  prime: Buffer.from('ffffffff00000001000000000000000000000000ffffffffffffffffffffffff', 'hex'),
});
const { module, g1Points, scalars } = curve;
const sum = curve.allocate(g1Size);
const inverse = curve.allocate(scalarSize);
const generator = curve.allocate(g1Size);
module._mclBnG1_getBasePoint(generator);

const order = Buffer.from(
  'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
  'hex',
);

const yes = new Uint8Array(32);
yes[31] = 1;

const isScalar = (bytes: Uint8Array): boolean => !isZero(bytes) && isBelow(bytes, order);

/** ECDSA over P-256 of a digest (EIP-7951): 1 for a valid signature, no output for any other. */
export const p256Verify: Precompile = {
  gas: () => 6_900,
  run(input) {
    if (input.length !== 160) return emptyBytes;
    const part = (index: number): Uint8Array => input.subarray(32 * index, 32 * (index + 1));
    const [digest, r, s, x, y] = [part(0), part(1), part(2), part(3), part(4)];
    if (!isScalar(r) || !isScalar(s) || (isZero(x) && isZero(y))) return emptyBytes;
    const key = g1Points + g1Size;
    if (!curve.setG1(key, x, y)) return emptyBytes;
    return isSignature(digest, r, s) ? yes : emptyBytes;
  },
};

/** Whether the x of (digest / s) G + (r / s) Q is r. Q is the second of the points. */
function isSignature(digest: Uint8Array, r: Uint8Array, s: Uint8Array): boolean {
  curve.setScalar(inverse, s);
  module._mclBnFr_inv(inverse, inverse);
  curve.setScalar(scalars, digest);
  module._mclBnFr_mul(scalars, scalars, inverse);
  curve.setScalar(scalars + scalarSize, r);
  module._mclBnFr_mul(scalars + scalarSize, scalars + scalarSize, inverse);
  curve.copy(g1Points, generator, g1Size);
  module._mclBnG1_mulVec(sum, g1Points, scalars, 2);
  if (module._mclBnG1_isZero(sum) === 1) return false;
  const [x] = curve.g1(sum);
  // Coordinates above the order are taken modulo it.
  curve.setScalar(scalars, x as Uint8Array);
  curve.setScalar(inverse, r);
  return module._mclBnFr_isEqual(scalars, inverse) === 1;
}
