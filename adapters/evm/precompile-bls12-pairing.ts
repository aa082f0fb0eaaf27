import { bls, fieldAt, fieldBytes, g1, g2 } from './bls12-381.ts';
import type { Precompile } from './precompile.ts';

const { module } = bls;
const pairBytes = g1.pointBytes + g2.pointBytes;
const fields = bls.allocate(2 * 48);

/** Whether a product of pairings is one (EIP-2537). */
export const blsPairing: Precompile = {
  gas: (input) => 37_700 + 32_600 * Math.floor(input.length / pairBytes),
  run(input) {
    if (input.length === 0 || input.length % pairBytes !== 0) return undefined;
    return bls.pairing(input.length / pairBytes, (index, p, q) => {
      const at = index * pairBytes;
      if (!g1.read(p, input, at) || !g1.isInSubgroup(p)) return false;
      return g2.read(q, input, at + g1.pointBytes) && g2.isInSubgroup(q);
    });
  },
};

/** The point of the first group that a field element is mapped to (EIP-2537, RFC 9380). */
export const blsMapToG1: Precompile = {
  gas: () => 5_500,
  run(input) {
    if (input.length !== fieldBytes) return undefined;
    const element = fieldAt(input, 0);
    if (element === undefined || !bls.setField(fields, element)) return undefined;
    if (module._mclBnFp_mapToG1(g1.result, fields) !== 0) return undefined;
    return g1.write(g1.result);
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
    if (module._mclBnFp2_mapToG2(g2.result, fields) !== 0) return undefined;
    return g2.write(g2.result);
  },
};
