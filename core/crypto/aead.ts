import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import { assert } from '@concordat/std';
import { CryptoError } from './errors.ts';

/** Bytes an AEAD adds to its plaintext. */
export const aeadTagBytes = 16;

const algorithm = 'aes-256-gcm';

function checkLengths(key: Uint8Array, nonce: Uint8Array): void {
  assert(key.length === 32, `AEAD key of ${key.length} bytes`);
  assert(nonce.length === 12, `AEAD nonce of ${nonce.length} bytes`);
}

/**
 * AES-256-GCM (NIST SP 800-38D). A nonce must never be used twice under one key: the caller builds
 * it from what is unique by construction.
 * @param key 32 bytes
 * @param nonce 12 bytes
 * @returns ciphertext ‖ 16-byte tag
 */
export function aeadSeal(
  key: Uint8Array,
  nonce: Uint8Array,
  additionalData: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  checkLengths(key, nonce);
  const cipher = createCipheriv(algorithm, createSecretKey(key), nonce, {
    authTagLength: aeadTagBytes,
  });
  cipher.setAAD(additionalData);
  const sealed = Buffer.allocUnsafe(plaintext.length + aeadTagBytes);
  sealed.set(cipher.update(plaintext), 0);
  cipher.final();
  sealed.set(cipher.getAuthTag(), plaintext.length);
  return sealed;
}

/**
 * Opens what {@link aeadSeal} made. Nothing of the plaintext is returned before the tag verified.
 * @throws CryptoError AUTHENTICATION_FAILED when key, nonce, data or sealed bytes are not the same
 */
export function aeadOpen(
  key: Uint8Array,
  nonce: Uint8Array,
  additionalData: Uint8Array,
  sealed: Uint8Array,
): Uint8Array {
  checkLengths(key, nonce);
  const length = sealed.length - aeadTagBytes;
  if (length < 0) throw new CryptoError('AUTHENTICATION_FAILED', 'sealed bytes shorter than a tag');
  const decipher = createDecipheriv(algorithm, createSecretKey(key), nonce, {
    authTagLength: aeadTagBytes,
  });
  decipher.setAAD(additionalData);
  decipher.setAuthTag(sealed.subarray(length));
  const plaintext = decipher.update(sealed.subarray(0, length));
  try {
    decipher.final();
  } catch {
    throw new CryptoError('AUTHENTICATION_FAILED', 'sealed bytes do not authenticate');
  }
  return plaintext;
}
