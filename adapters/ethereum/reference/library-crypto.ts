import type { CustomCrypto } from '@ethereumjs/common';
import secp256k1 from 'secp256k1';
import { keccak256 } from '../crypto.ts';

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
  kzg: {
    verifyProof: () => false,
  } as unknown as NonNullable<CustomCrypto['kzg']>,
};
