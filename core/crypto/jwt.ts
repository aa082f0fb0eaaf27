import { verify } from 'node:crypto';
import { fromUtf8, utf8 } from '@concordat/std';
import { CryptoError } from './errors.ts';
import { signatureAlgorithmOf } from './jwk.ts';
import { importPublicKey } from './public-key.ts';

/** A decoded token (RFC 7519) in compact form; nothing of it is verified yet. */
export interface DecodedJwt {
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly signature: Uint8Array;
  /** The bytes that are signed: header and payload as they were sent. */
  readonly signed: Uint8Array;
}

/** Characters of a token. */
export const maxTokenLength = 16_384;

const bad = (why: string): CryptoError => new CryptoError('MALFORMED_JWT', `token: ${why}`);

/**
 * Reads a token strictly: three parts of unpadded base64url in its one form, the first two JSON
 * objects, no critical headers (RFC 7515, section 4.1.11: they are not understood).
 * @throws CryptoError MALFORMED_JWT; its message quotes nothing of the token
 */
export function decodeJwt(token: string): DecodedJwt {
  if (token.length > maxTokenLength) throw bad(`more than ${maxTokenLength} characters`);
  const parts = token.split('.');
  if (parts.length !== 3) throw bad('not three parts');
  const [header, payload, signature] = parts.map(fromBase64Url) as [Buffer, Buffer, Buffer];
  const decoded = {
    header: objectOf(header, 'header'),
    payload: objectOf(payload, 'payload'),
    signature,
    signed: utf8(token.slice(0, token.lastIndexOf('.'))),
  };
  if (Object.hasOwn(decoded.header, 'crit')) throw bad('critical headers are not understood');
  return decoded;
}

/**
 * Whether the key signed the token by the algorithm that this kind of key has (RS256 or ES256) and
 * that the header names: a header cannot choose how it is verified.
 */
export function verifyJwt({ header, signature, signed }: DecodedJwt, spki: Uint8Array): boolean {
  const algorithm = signatureAlgorithmOf(spki);
  const key = importPublicKey(spki);
  if (algorithm === undefined || key === undefined || header.alg !== algorithm) return false;
  if (algorithm === 'RS256') return verify('sha256', signed, key, signature);
  return verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

function fromBase64Url(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (text.length === 0 || bytes.toString('base64url') !== text) throw bad('not base64url');
  return bytes;
}

function objectOf(bytes: Uint8Array, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(bytes));
  } catch {
    throw bad(`the ${what} is not JSON`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw bad(`the ${what} is not an object`);
  }
  return value as Record<string, unknown>;
}
