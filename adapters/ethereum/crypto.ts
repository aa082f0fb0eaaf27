import { keccak256 } from '@concordat/evm';
import secp256k1 from 'secp256k1';

export { keccak256 } from '@concordat/evm';

/** Order of the secp256k1 group. */
export const curveOrder = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

/** Greatest `s` of a signature that EIP-2 accepts. */
export const greatestLowS: bigint = curveOrder / 2n;

/**
 * Address (20 bytes) that signed a 32-byte digest, or undefined when no key fits. `signature` is
 * r‖s, 32 bytes each.
 */
export function recoverAddress(
  digest: Uint8Array,
  signature: Uint8Array,
  yParity: number,
): Uint8Array | undefined {
  try {
    const point = secp256k1.ecdsaRecover(signature, yParity, digest, false);
    return keccak256(point.subarray(1)).slice(12);
  } catch {
    return undefined;
  }
}

/** Address (20 bytes) of a 32-byte secret key. Test and demonstration tools use it. */
export function addressOfKey(key: Uint8Array): Uint8Array {
  return keccak256(secp256k1.publicKeyCreate(key, false).subarray(1)).slice(12);
}

/** Signs a 32-byte digest with a 32-byte secret key: r‖s with low s, and the parity. */
export function signDigest(
  digest: Uint8Array,
  key: Uint8Array,
): { readonly signature: Uint8Array; readonly yParity: 0 | 1 } {
  const { signature, recid } = secp256k1.ecdsaSign(digest, key);
  return { signature, yParity: recid === 1 ? 1 : 0 };
}
