import { sign, verify } from 'node:crypto';
import { assert, emptyBytes, utf8 } from '@concordat/std';
import { type CborKey, CborTag, type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { certificateFingerprint } from './certificate.ts';
import { CryptoError } from './errors.ts';
import { importP256 } from './public-key.ts';
import type { SigningKey } from './signing-key.ts';

/** Labels of common headers (RFC 9052, section 3.1). */
export const coseHeaders = { alg: 1, crit: 2, contentType: 3, kid: 4 } as const;
/** Algorithm ES256: ECDSA with SHA-256 (RFC 9053, section 2.1). */
export const coseEs256 = -7;

const sign1Tag = 18;
const signatureBytes = 64;

/** A header map. */
export type CoseHeaders = ReadonlyMap<CborKey, CborValue>;

/** What both ways to sign take. */
export interface CoseContent {
  /** Without `alg`, which is added. */
  readonly protectedHeaders: CoseHeaders;
  /** Not signed: anyone can change them. */
  readonly unprotectedHeaders?: CoseHeaders;
  readonly payload: Uint8Array;
  /** Sign the payload and leave it out of the message. */
  readonly detached?: boolean;
}

/** A decoded COSE_Sign1 message; nothing of it is verified yet. */
export interface DecodedCose {
  readonly protectedHeaders: CoseHeaders;
  readonly unprotectedHeaders: CoseHeaders;
  readonly payload: Uint8Array;
  /** r ‖ s, 64 bytes. */
  readonly signature: Uint8Array;
  /**
   * The bytes that are signed. Identify a message by their digest, never by the message's own:
   * anyone can turn a valid ECDSA signature into another, or change an unprotected header.
   */
  readonly tbs: Uint8Array;
}

/** Sig_structure of COSE_Sign1 without external data (RFC 9052, section 4.4). */
const toBeSigned = (protectedBytes: Uint8Array, payload: Uint8Array): Uint8Array =>
  encodeCbor(['Signature1', protectedBytes, emptyBytes, payload]);

/** `kid` of a certificate: its fingerprint's 64 hex digits as UTF-8. */
export const kidOf = (certificateDer: Uint8Array): Uint8Array =>
  utf8(certificateFingerprint(certificateDer));

/** A tagged COSE_Sign1 message (RFC 9052, section 4.2) signed with ES256. */
export function signCose(content: CoseContent & { readonly key: SigningKey }): Uint8Array {
  const key = { key: content.key.keyObject, dsaEncoding: 'ieee-p1363' as const };
  return signCoseWith({ ...content, sign: (tbs) => sign('sha256', tbs, key) });
}

/**
 * As {@link signCose}, with a signature made elsewhere (a token, a card).
 * @param content.sign ECDSA P-256 over SHA-256 of the bytes, as r ‖ s, 64 bytes
 */
export function signCoseWith(
  content: CoseContent & { readonly sign: (tbs: Uint8Array) => Uint8Array },
): Uint8Array {
  const { payload, unprotectedHeaders = new Map() } = content;
  const given = content.protectedHeaders.get(coseHeaders.alg);
  assert(given === undefined || given === coseEs256, 'COSE algorithm other than ES256');
  const headers = new Map(content.protectedHeaders).set(coseHeaders.alg, coseEs256);
  const protectedBytes = encodeCbor(headers);
  const signature = content.sign(toBeSigned(protectedBytes, payload));
  assert(signature.length === signatureBytes, `COSE signature of ${signature.length} bytes`);
  const carried = content.detached === true ? null : payload;
  return encodeCbor(
    new CborTag(sign1Tag, [protectedBytes, unprotectedHeaders, carried, signature]),
  );
}

/** Options of {@link decodeCose}. */
export interface CoseLimits {
  /** Default 1 MiB. */
  readonly maxBytes?: number;
  /** The payload of a message that carries none; refused when the message carries one. */
  readonly detachedPayload?: Uint8Array;
}

const bad = (why: string): CryptoError => new CryptoError('MALFORMED_COSE', `COSE: ${why}`);

/**
 * Reads a tagged COSE_Sign1 message strictly. Header maps may be in any key order, since other
 * signers do not sort; a label in both maps, or critical headers, are refused.
 * @throws CryptoError MALFORMED_COSE, MALFORMED_CBOR
 */
export function decodeCose(bytes: Uint8Array, limits: CoseLimits = {}): DecodedCose {
  const { maxBytes = 1 << 20, detachedPayload } = limits;
  const message = decodeCbor(bytes, { maxBytes, keyOrder: 'any' });
  if (!(message instanceof CborTag) || message.tag !== sign1Tag) throw bad('not COSE_Sign1');
  if (!Array.isArray(message.value) || message.value.length !== 4) throw bad('not four fields');
  const [protectedBytes, unprotectedHeaders, carried, signature] = message.value as CborValue[];
  if (!(protectedBytes instanceof Uint8Array)) throw bad('protected headers are not bytes');
  if (!(unprotectedHeaders instanceof Map)) throw bad('unprotected headers are not a map');
  if (!(signature instanceof Uint8Array) || signature.length !== signatureBytes) {
    throw bad('signature is not 64 bytes');
  }
  const payload = carried === null ? detachedPayload : carried;
  if (!(payload instanceof Uint8Array)) throw bad('payload missing');
  if (carried !== null && detachedPayload !== undefined) throw bad('payload is not detached');
  const protectedHeaders = readProtected(protectedBytes);
  for (const label of unprotectedHeaders.keys()) {
    if (protectedHeaders.has(label)) throw bad('header both protected and not');
  }
  // RFC 9052, section 3.1: a recipient that does not process a critical header must refuse.
  if (protectedHeaders.has(coseHeaders.crit)) throw bad('critical headers are not understood');
  const tbs = toBeSigned(protectedBytes, payload);
  return { protectedHeaders, unprotectedHeaders, payload, signature, tbs };
}

/** An empty map is encoded as no bytes (RFC 9052, section 3). */
function readProtected(bytes: Uint8Array): CoseHeaders {
  if (bytes.length === 0) return new Map();
  const headers = decodeCbor(bytes, { keyOrder: 'any' });
  if (!(headers instanceof Map)) throw bad('protected headers are not a map');
  return headers;
}

/** Whether the message names ES256 and this P-256 key signed it. */
export function verifyCose(decoded: DecodedCose, spki: Uint8Array): boolean {
  if (decoded.protectedHeaders.get(coseHeaders.alg) !== coseEs256) return false;
  const key = importP256(spki);
  if (key === undefined) return false;
  return verify('sha256', decoded.tbs, { key, dsaEncoding: 'ieee-p1363' }, decoded.signature);
}
