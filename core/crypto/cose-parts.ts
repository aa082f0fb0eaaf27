import { concatBytes } from '@concordat/std';
import { CborTag, type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { DerReader, derTags } from './der.ts';
import { CryptoError } from './errors.ts';

/** CBOR tag of COSE_Sign1 (RFC 9052, section 4.2). */
const sign1Tag = 18;
const halfBytes = 32;

/**
 * Makes a COSE_Sign1 message of the bytes that were signed elsewhere and their signature; nothing is
 * verified. Signer and submitter need to exchange nothing but those bytes.
 * @param tbs Sig_structure without external data (RFC 9052, section 4.4)
 * @param signature r ‖ s, 64 bytes
 * @throws CryptoError MALFORMED_COSE, MALFORMED_CBOR
 */
export function joinCose(tbs: Uint8Array, signature: Uint8Array): Uint8Array {
  const structure = decodeCbor(tbs, { maxBytes: tbs.length });
  const [context, protectedBytes, external, payload] = Array.isArray(structure)
    ? (structure as CborValue[])
    : [];
  const isSigned =
    Array.isArray(structure) &&
    structure.length === 4 &&
    context === 'Signature1' &&
    external instanceof Uint8Array &&
    external.length === 0;
  if (!isSigned || !(protectedBytes instanceof Uint8Array) || !(payload instanceof Uint8Array)) {
    throw new CryptoError('MALFORMED_COSE', 'COSE: not the bytes a signature covers');
  }
  if (signature.length !== 2 * halfBytes) {
    throw new CryptoError('MALFORMED_COSE', 'COSE: signature is not 64 bytes');
  }
  return encodeCbor(new CborTag(sign1Tag, [protectedBytes, new Map(), payload, signature]));
}

/**
 * An ECDSA signature as other programs write it, ECDSA-Sig-Value in DER (RFC 3279, section 2.2.3), as
 * r ‖ s, 64 bytes.
 * @throws CryptoError INVALID_CERTIFICATE when it is none of P-256
 */
export function signatureOfDer(der: Uint8Array): Uint8Array {
  const reader = new DerReader(der);
  const parts = reader.enter(derTags.sequence);
  reader.end();
  const [r, s] = [readHalf(parts), readHalf(parts)];
  parts.end();
  return concatBytes(r, s);
}

function readHalf(parts: DerReader): Uint8Array {
  const { content } = parts.read(derTags.integer);
  const isSigned = (content[0] ?? 0x80) >= 0x80;
  const isPadded = content.length > 1 && content[0] === 0 && (content[1] ?? 0) < 0x80;
  const digits = content[0] === 0 ? content.subarray(1) : content;
  if (isSigned || isPadded || digits.length > halfBytes) {
    throw new CryptoError('INVALID_CERTIFICATE', 'DER: not a half of a P-256 signature');
  }
  const half = new Uint8Array(halfBytes);
  half.set(digits, halfBytes - digits.length);
  return half;
}
