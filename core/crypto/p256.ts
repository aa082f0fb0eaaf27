import { createECDH, createPrivateKey, type KeyObject } from 'node:crypto';
import { assert, concatBytes, emptyBytes, utf8, viewOf } from '@concordat/std';
import { derInteger, derOid, derSequence, derTags, derValue } from './der.ts';
import { hmacSha256 } from './hash.ts';

/** Order n of the base point of P-256 (SEC 2, section 2.4.2), 32 bytes. */
const order = Buffer.from(
  'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
  'hex',
);

/** DER SPKI of a P-256 key before its 65-byte point: the form every key of ours has. */
const spkiPrefix = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex');

/** Bytes of a P-256 point, uncompressed: 0x04 ‖ x ‖ y. */
export const pointBytes = 65;

/** Whether the bytes are the canonical DER SPKI of an uncompressed P-256 point (91 bytes). */
export const isP256Spki = (spki: Uint8Array): boolean =>
  spki.length === spkiPrefix.length + pointBytes &&
  spkiPrefix.compare(spki, 0, spkiPrefix.length) === 0 &&
  spki[spkiPrefix.length] === 0x04;

/** DER SPKI of an uncompressed point. Whether it lies on the curve is known when it is imported. */
export const spkiOfPoint = (point: Uint8Array): Uint8Array => concatBytes(spkiPrefix, point);

/** The uncompressed point of a canonical P-256 SPKI. */
export const pointOfSpki = (spki: Uint8Array): Uint8Array => spki.subarray(spkiPrefix.length);

/** LabeledExtract of RFC 9180, section 4, in the given suite. */
export const labeledExtract = (
  suite: Uint8Array,
  salt: Uint8Array,
  label: string,
  material: Uint8Array,
): Uint8Array => hmacSha256(salt, concatBytes(utf8('HPKE-v1'), suite, utf8(label), material));

/** LabeledExpand of RFC 9180, section 4, for up to 32 bytes (one HKDF block). */
export function labeledExpand(
  suite: Uint8Array,
  key: Uint8Array,
  label: string,
  info: Uint8Array,
  length: number,
): Uint8Array {
  assert(length >= 1 && length <= 32, `expansion of ${length} bytes`);
  const lengthBytes = Uint8Array.of(0, length);
  const block = Uint8Array.of(1);
  const labeled = concatBytes(lengthBytes, utf8('HPKE-v1'), suite, utf8(label), info, block);
  return hmacSha256(key, labeled).subarray(0, length);
}

/**
 * A private scalar from 32 bytes of entropy by rejection, uniform on 1..n-1 (DeriveKeyPair of
 * RFC 9180, section 7.1.3). The suite separates keys of different uses made of one seed.
 */
export function deriveScalar(suite: Uint8Array, seed: Uint8Array): Uint8Array {
  assert(seed.length === 32, `seed of ${seed.length} bytes`);
  const secret = labeledExtract(suite, emptyBytes, 'dkp_prk', seed);
  for (let counter = 0; counter < 256; counter += 1) {
    const candidate = labeledExpand(suite, secret, 'candidate', Uint8Array.of(counter), 32);
    if (candidate.some((byte) => byte !== 0) && order.compare(candidate) > 0) return candidate;
  }
  throw new Error('no scalar in 256 candidates');
}

/** The private key object of a scalar, with its public point (RFC 5915 inside RFC 5958). */
export function keyOfScalar(scalar: Uint8Array): { key: KeyObject; point: Uint8Array } {
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(viewOf(scalar));
  const point = curve.getPublicKey();
  const inner = derSequence(
    derInteger(Uint8Array.of(1)),
    derValue(derTags.octetString, scalar),
    derValue(0xa1, derValue(derTags.bitString, Uint8Array.of(0), point)),
  );
  const algorithm = derSequence(derOid('1.2.840.10045.2.1'), derOid('1.2.840.10045.3.1.7'));
  const pkcs8 = derSequence(
    derInteger(Uint8Array.of(0)),
    algorithm,
    derValue(derTags.octetString, inner),
  );
  return { key: createPrivateKey({ key: viewOf(pkcs8), format: 'der', type: 'pkcs8' }), point };
}
