import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { toLatin1, viewOf } from '@concordat/std';
import { CryptoError } from './errors.ts';
import { isP256Spki } from './p256.ts';

/** Imported keys kept: importing costs about as much as a verification. */
const cacheLimit = 1024;
const cache = new Map<string, KeyObject>();

/** The key object of a DER SPKI that is met once; undefined when it is not a key. */
export function loadPublicKey(spki: Uint8Array): KeyObject | undefined {
  try {
    return createPublicKey({ key: viewOf(spki), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

/** The key object of a DER SPKI, from a bounded cache; undefined when it is not a key. */
export function importPublicKey(spki: Uint8Array): KeyObject | undefined {
  const name = toLatin1(spki);
  const known = cache.get(name);
  if (known !== undefined) return known;
  const key = loadPublicKey(spki);
  if (key === undefined) return undefined;
  if (cache.size >= cacheLimit) {
    // The oldest half goes at once: amortised constant, and no bookkeeping on a hit.
    for (const old of [...cache.keys()].slice(0, cacheLimit / 2)) cache.delete(old);
  }
  cache.set(name, key);
  return key;
}

/** The key object of a P-256 SPKI in canonical form; undefined for anything else. */
export const importP256 = (spki: Uint8Array): KeyObject | undefined =>
  isP256Spki(spki) ? importPublicKey(spki) : undefined;

/**
 * A P-256 private key from PKCS#8 (PEM text, or DER bytes).
 * @throws CryptoError INVALID_KEY
 */
export function importPrivateP256(source: string | Uint8Array): {
  key: KeyObject;
  spki: Uint8Array;
} {
  try {
    const key =
      typeof source === 'string'
        ? createPrivateKey({ key: source, format: 'pem' })
        : createPrivateKey({ key: viewOf(source), format: 'der', type: 'pkcs8' });
    const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
    if (isP256Spki(spki)) return { key, spki };
  } catch {
    // The cause may quote the input, which is a secret: it stays here.
  }
  throw new CryptoError('INVALID_KEY', 'not a P-256 private key in PKCS#8');
}

/** A private key as PKCS#8 PEM. */
export const toPkcs8Pem = (key: KeyObject): string =>
  key.export({ format: 'pem', type: 'pkcs8' }).toString();
