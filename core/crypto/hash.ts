import { createHmac, createSecretKey, hash, hkdfSync, timingSafeEqual } from 'node:crypto';
import { assert, type Digest } from '@concordat/std';

// The one-shot hash with a string result is several times faster than with a Buffer result,
// even after the copy back (measured: 0.3 µs against 1.5 µs for 100 bytes).

/** SHA-256 (FIPS 180-4) of the bytes: 32 bytes. */
export const sha256 = (bytes: Uint8Array): Digest =>
  Buffer.from(hash('sha256', bytes, 'binary'), 'latin1') as Uint8Array as Digest;

/**
 * SHA-256 as a binary string of 32 characters, the fastest form for hot paths. A string argument is
 * itself binary: one byte a character, codes 0-255.
 */
export const sha256Latin1 = (data: string | Uint8Array): string =>
  hash('sha256', typeof data === 'string' ? Buffer.from(data, 'latin1') : data, 'binary');

/** SHA-256 as 64 lowercase hex digits. */
export const sha256Hex = (bytes: Uint8Array): string => hash('sha256', bytes, 'hex');

/** SHA-256 of a text's UTF-8 bytes, as {@link sha256Latin1} gives it: no copy to bytes before. */
export const sha256OfText = (text: string): string => hash('sha256', text, 'binary');

/** HMAC-SHA256 (RFC 2104) of the bytes: 32 bytes. */
export const hmacSha256 = (key: Uint8Array, bytes: Uint8Array): Digest =>
  // The runtime takes ten times longer to find out that plain bytes are no key object.
  createHmac('sha256', createSecretKey(key)).update(bytes).digest() as Uint8Array as Digest;

/**
 * HKDF-SHA256 (RFC 5869), extract and expand in one.
 * @param salt empty for none
 * @param info context the output is bound to
 * @param length bytes wanted, 1-8,160
 */
export function hkdfSha256(
  key: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  length: number,
): Uint8Array {
  assert(length >= 1 && length <= 255 * 32, `HKDF length out of range: ${length}`);
  return new Uint8Array(hkdfSync('sha256', key, salt, info, length));
}

/** Whether two byte strings are equal, in time that depends on their lengths only. */
export const constantTimeEqual = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && timingSafeEqual(a, b);
