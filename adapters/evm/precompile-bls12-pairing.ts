import {
  bls,
  fieldAt,
  fieldBytes,
  g1Bytes,
  g2Bytes,
  inSubgroup1,
  inSubgroup2,
  readG1,
  readG2,
  scratch1,
  scratch2,
  writeG1,
  writeG2,
} from './bls12-381.ts';
import { batch, g1Size, g2Size } from './pairing-curve.ts';
import type { Precompile } from './precompile.ts';

const { module } = bls;
const pairBytes = g1Bytes + g2Bytes;
const fields = bls.allocate(2 * 48);

/** Whether a product of pairings is one (EIP-2537). */
export const blsPairing: Precompile = {
  gas: (input) => 37_700 + 32_600 * Math.floor(input.length / pairBytes),
  run(input) {
    if (input.length === 0 || input.length % pairBytes !== 0) return undefined;
    bls.startPairing();
    let held = 0;
    for (let at = 0; at < input.length; at += pairBytes) {
      const p = bls.g1Points + held * g1Size;
      const q = bls.g2Points + held * g2Size;
      if (!readG1(p, input, at) || !inSubgroup1(p)) return undefined;
      if (!readG2(q, input, at + g1Bytes) || !inSubgroup2(q)) return undefined;
      // A pair with infinity multiplies by one.
      if (module._mclBnG1_isZero(p) === 1 || module._mclBnG2_isZero(q) === 1) continue;
      if (++held < batch) continue;
      bls.multiplyPairs(held);
      held = 0;
    }
    bls.multiplyPairs(held);
    const result = new Uint8Array(32);
    result[31] = bls.isOne() ? 1 : 0;
    return result;
  },
};

/** The point of the first group that a field element is mapped to (EIP-2537, RFC 9380). */
export const blsMapToG1: Precompile = {
  gas: () => 5_500,
  run(input) {
    if (input.length !== fieldBytes) return undefined;
    const element = fieldAt(input, 0);
    if (element === undefined || !bls.setField(fields, element)) return undefined;
    if (module._mclBnFp_mapToG1(scratch1, fields) !== 0) return undefined;
    return writeG1(scratch1);
  },
};

/** The point of the second group that an element of the extension is mapped to (EIP-2537). */
export const blsMapToG2: Precompile = {
  gas: () => 23_800,
  run(input) {
    if (input.length !== 2 * fieldBytes) return undefined;
    const real = fieldAt(input, 0);
    const imaginary = fieldAt(input, fieldBytes);
    if (real === undefined || imaginary === undefined) return undefined;
    if (!bls.setField(fields, real) || !bls.setField(fields + 48, imaginary)) return undefined;
    if (module._mclBnFp2_mapToG2(scratch2, fields) !== 0) return undefined;
    return writeG2(scratch2);
  },
};
