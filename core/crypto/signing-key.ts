import { type KeyObject, sign, verify } from 'node:crypto';
import { utf8 } from '@concordat/std';
import { CryptoError } from './errors.ts';
import { deriveScalar, keyOfScalar, spkiOfPoint } from './p256.ts';
import { importP256, importPrivateP256, toPkcs8Pem } from './public-key.ts';

/** A P-256 private key that signs (ECDSA with SHA-256, FIPS 186-5). */
export interface SigningKey {
  /** DER SPKI of the public key, 91 bytes: the form identities are hashes of. */
  readonly publicKeySpki: Uint8Array;
  /** DER ECDSA-Sig-Value over SHA-256 of the bytes, at most 72 bytes. */
  sign(bytes: Uint8Array): Uint8Array;
  /** The private key as PKCS#8 PEM. Secret. */
  toPkcs8Pem(): string;
  /** The private key, for TLS and other native users. Secret. */
  readonly keyObject: KeyObject;
}

const suite = utf8('concordat signing key v1');

function signingKeyOf(keyObject: KeyObject, publicKeySpki: Uint8Array): SigningKey {
  return {
    keyObject,
    publicKeySpki,
    sign: (bytes) => sign('sha256', bytes, keyObject),
    toPkcs8Pem: () => toPkcs8Pem(keyObject),
  };
}

/** The signing key of 32 bytes of the caller's entropy: the same seed gives the same key. */
export function createSigningKey(seed: Uint8Array): SigningKey {
  const { key, point } = keyOfScalar(deriveScalar(suite, seed));
  return signingKeyOf(key, spkiOfPoint(point));
}

/**
 * The signing key of a private scalar.
 * @param scalar 32 bytes big-endian; left to the caller to erase
 * @throws CryptoError INVALID_KEY when it is not in 1..n-1
 */
export function importSigningScalar(scalar: Uint8Array): SigningKey {
  try {
    const { key, point } = keyOfScalar(scalar);
    return signingKeyOf(key, spkiOfPoint(point));
  } catch {
    // The cause may quote the input, which is a secret: it stays here.
    throw new CryptoError('INVALID_KEY', 'not a P-256 private scalar');
  }
}

/** The private scalar of a signing key, 32 bytes big-endian. Secret: the caller erases it. */
export function exportSigningScalar({ keyObject }: SigningKey): Uint8Array {
  const { d = '' } = keyObject.export({ format: 'jwk' });
  return Uint8Array.from(Buffer.from(d, 'base64url'));
}

/**
 * A signing key from PKCS#8, PEM or DER.
 * @throws CryptoError INVALID_KEY when it is not a P-256 private key
 */
export function importSigningKey(pkcs8: string | Uint8Array): SigningKey {
  const { key, spki } = importPrivateP256(pkcs8);
  return signingKeyOf(key, spki);
}

/**
 * Whether the DER signature over SHA-256 of the bytes is by this P-256 key. A key or signature of
 * any other form is false, never a throw.
 */
export function verifySignature(
  spki: Uint8Array,
  bytes: Uint8Array,
  derSignature: Uint8Array,
): boolean {
  const key = importP256(spki);
  if (key === undefined) return false;
  return verify('sha256', bytes, key, derSignature);
}

/** Whether the bytes are the canonical SPKI of a P-256 key that signatures can be verified with. */
export const isSigningPublicKey = (spki: Uint8Array): boolean => importP256(spki) !== undefined;
