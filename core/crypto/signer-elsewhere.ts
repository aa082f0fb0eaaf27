import { assert } from '@concordat/std';
import { derInteger, derSequence } from './der.ts';
import { spkiOfPoint } from './p256.ts';
import type { SigningKey } from './signing-key.ts';

/** What signs certificates: a key at hand, or one in a token. */
export type CertificateSigner = Pick<SigningKey, 'publicKeySpki' | 'sign'>;

/**
 * What signs as {@link SigningKey} does with a private key that is elsewhere (a token, a card).
 * @param publicKey uncompressed point of P-256, 65 bytes
 * @param sign ECDSA over SHA-256 of the bytes, as r ‖ s, 64 bytes
 */
export const signerBy = (
  publicKey: Uint8Array,
  sign: (bytes: Uint8Array) => Uint8Array,
): CertificateSigner => ({
  publicKeySpki: spkiOfPoint(publicKey),
  sign: (bytes) => derSignature(sign(bytes)),
});

/** ECDSA-Sig-Value (RFC 3279, section 2.2.3) of r ‖ s. */
function derSignature(signature: Uint8Array): Uint8Array {
  assert(signature.length === 64, `signature of ${signature.length} bytes`);
  return derSequence(derInteger(signature.subarray(0, 32)), derInteger(signature.subarray(32)));
}
