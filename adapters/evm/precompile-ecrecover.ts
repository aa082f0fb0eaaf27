import { emptyBytes } from '@concordat/std';
import secp256k1 from 'secp256k1';
import { addressOfPoint } from './keccak.ts';
import { isZero } from './pairing-curve.ts';
import { type Precompile, padded } from './precompile.ts';

/** Address that signed a digest, 32 bytes; nothing when no key fits (Yellow Paper, E.1). */
export const ecrecover: Precompile = {
  gas: () => 3_000,
  run(input) {
    const v = padded(input, 32, 32);
    const parity = v[31];
    if ((parity !== 27 && parity !== 28) || !isZero(v.subarray(0, 31))) return emptyBytes;
    // Copies: the library keeps no reference, but wants buffers of its own.
    const digest = Uint8Array.from(padded(input, 0, 32));
    const signature = Uint8Array.from(padded(input, 64, 64));
    let point: Uint8Array;
    try {
      point = secp256k1.ecdsaRecover(signature, parity - 27, digest, false);
    } catch {
      return emptyBytes;
    }
    const answer = new Uint8Array(32);
    answer.set(addressOfPoint(point), 12);
    return answer;
  },
};
