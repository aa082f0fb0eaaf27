import { hash } from 'node:crypto';
import { precompilesOf, revisions } from '@concordat/evm';
import type { CustomCrypto } from '@ethereumjs/common';
import secp256k1 from 'secp256k1';
import { keccak256 } from '../crypto.ts';
import { hexBytes } from '../hex.ts';

/** Our primitives for the library, so that engines are compared and not hashes. */
export const libraryCrypto: CustomCrypto = {
  keccak256,
  ecrecover: (digest, v, r, s) => {
    const signature = new Uint8Array(64);
    signature.set(r, 32 - r.length);
    signature.set(s, 64 - s.length);
    return secp256k1.ecdsaRecover(signature, Number(v) - 27, digest, false).slice(1);
  },
  ecdsaRecover: (signature, recovery, digest) =>
    secp256k1.ecdsaRecover(signature, recovery, digest, false),
  kzg: { verifyProof } as unknown as NonNullable<CustomCrypto['kzg']>,
};

const pointEvaluation = precompilesOf(revisions.cancun).get(0x0a);

/** Whether a proof (hex) holds; the library has no check of its own. */
function verifyProof(commitment: string, z: string, y: string, proof: string): boolean {
  const point = hexBytes(commitment);
  const versioned = hash('sha256', point, 'buffer').fill(1, 0, 1);
  const input = Buffer.concat([versioned, hexBytes(z), hexBytes(y), point, hexBytes(proof)]);
  return pointEvaluation?.run(input) !== undefined;
}
