import { concatBytes, emptyBytes, utf8 } from '@concordat/std';
import { aeadOpen, aeadSeal } from './aead.ts';
import { CryptoError } from './errors.ts';
import { hmacSha256 } from './hash.ts';

// Replies to what was sent in an HPKE context, sealed as Oblivious HTTP does (RFC 9458, section
// 4.4): key and nonce come from a secret that the context exports, and a nonce of the reply.

/** Bytes of a reply's nonce: max(Nn, Nk) of AES-256-GCM. */
export const replyNonceBytes = 32;

/** What a reply belongs to. */
interface ReplyTo {
  /** Exported by the context of the request, 32 bytes. */
  readonly secret: Uint8Array;
  /** Ephemeral point of that context, 65 bytes. */
  readonly ephemeral: Uint8Array;
}

/** HKDF-Extract and one block of HKDF-Expand (RFC 5869) each for key and nonce. */
function keysOf({ secret, ephemeral }: ReplyTo, replyNonce: Uint8Array) {
  const extracted = hmacSha256(concatBytes(ephemeral, replyNonce), secret);
  const expand = (label: string, bytes: number): Uint8Array =>
    hmacSha256(extracted, concatBytes(utf8(label), Uint8Array.of(1))).subarray(0, bytes);
  return { key: expand('key', 32), nonce: expand('nonce', 12) };
}

/**
 * Seals a reply.
 * @param replyNonce 32 bytes of entropy that are never used for another reply to the same request
 * @returns replyNonce ‖ ciphertext ‖ tag (16)
 */
export function sealReply(to: ReplyTo, plaintext: Uint8Array, replyNonce: Uint8Array): Uint8Array {
  const { key, nonce } = keysOf(to, replyNonce);
  return concatBytes(replyNonce, aeadSeal(key, nonce, emptyBytes, plaintext));
}

/**
 * Opens what {@link sealReply} made.
 * @throws CryptoError AUTHENTICATION_FAILED when it was altered, or belongs to another request
 */
export function openReply(to: ReplyTo, sealed: Uint8Array): Uint8Array {
  if (sealed.length < replyNonceBytes) {
    throw new CryptoError('AUTHENTICATION_FAILED', 'a sealed reply shorter than its nonce');
  }
  const { key, nonce } = keysOf(to, sealed.subarray(0, replyNonceBytes));
  return aeadOpen(key, nonce, emptyBytes, sealed.subarray(replyNonceBytes));
}
