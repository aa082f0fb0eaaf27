import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { spkiOf } from './certificate.ts';
import { CryptoError } from './errors.ts';
import { isP256Spki } from './p256.ts';
import { importPublicKey } from './public-key.ts';

/** Bits of an RSA modulus that signatures are taken from. */
export const rsaBits = { least: 2048, most: 8192 } as const;

const bad = (why: string): CryptoError => new CryptoError('INVALID_KEY', `JWK: ${why}`);
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'];

/**
 * The DER SPKI of a public JSON Web Key (RFC 7517) that signs tokens: RSA of 2,048 to 8,192 bits,
 * or P-256; given by its numbers or by the first certificate of `x5c` (section 4.7), not both unless
 * they agree. Members that say nothing about the key are passed over.
 * @throws CryptoError INVALID_KEY, INVALID_CERTIFICATE
 */
export function spkiOfJwk(jwk: unknown): Uint8Array {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) throw bad('not an object');
  const given = jwk as Readonly<Record<string, unknown>>;
  if (privateMembers.some((name) => Object.hasOwn(given, name))) throw bad('it is a private key');
  const numbers = spkiOfNumbers(given);
  const certified = given.x5c === undefined ? undefined : spkiOfCertificate(given.x5c);
  const spki = numbers ?? certified;
  if (spki === undefined) throw bad('neither numbers nor x5c');
  if (numbers && certified && !Buffer.from(numbers).equals(certified)) {
    throw bad('x5c is of another key');
  }
  if (signatureAlgorithmOf(spki) === undefined) {
    throw bad('neither P-256 nor RSA of 2048 to 8192 bits');
  }
  return spki;
}

function spkiOfNumbers({ kty, crv, x, y, n, e }: Readonly<Record<string, unknown>>) {
  const numbers = kty === 'RSA' ? { n, e } : { crv, x, y };
  const values = Object.values(numbers);
  if (kty !== 'RSA' && kty !== 'EC') throw bad('kty is RSA or EC');
  if (values.every((value) => value === undefined)) return undefined;
  if (!values.every((value) => typeof value === 'string' && value.length <= 2_048)) {
    throw bad('a number is missing');
  }
  const key = { kty, ...numbers } as JsonWebKey;
  return exported(() => createPublicKey({ key, format: 'jwk' }));
}

function spkiOfCertificate(x5c: unknown): Uint8Array {
  const [first] = Array.isArray(x5c) ? (x5c as unknown[]) : [];
  if (typeof first !== 'string' || first.length > 16_384) throw bad('x5c is not a chain');
  const der = Buffer.from(first, 'base64');
  if (der.toString('base64') !== first) throw bad('x5c is not base64');
  return spkiOf(der);
}

function exported(make: () => KeyObject): Uint8Array {
  try {
    return make().export({ format: 'der', type: 'spki' });
  } catch {
    throw bad('the numbers are no key');
  }
}

/** The algorithm of RFC 7518, section 3.1, that a key signs tokens by; undefined for other keys. */
export function signatureAlgorithmOf(spki: Uint8Array): 'RS256' | 'ES256' | undefined {
  if (isP256Spki(spki)) return 'ES256';
  const key = importPublicKey(spki);
  if (key?.asymmetricKeyType !== 'rsa') return undefined;
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  return bits >= rsaBits.least && bits <= rsaBits.most ? 'RS256' : undefined;
}
