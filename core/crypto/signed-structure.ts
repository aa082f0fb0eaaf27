import { DerReader, derTags, readBitString } from './der.ts';
import { CryptoError } from './errors.ts';

/** What is signed, by which algorithm, and the signature: a certificate or a revocation list. */
export interface SignedStructure {
  /** DER of what the signature covers. */
  readonly tbs: Buffer;
  /** Its fields, none of them read yet. */
  readonly fields: DerReader;
  /** DER of the AlgorithmIdentifier outside of it. */
  readonly signatureAlgorithm: Buffer;
  readonly signature: Buffer;
}

/**
 * Reads the outer form of certificates and revocation lists (RFC 5280, sections 4.1.1 and 5.1.1): three
 * parts and nothing after them.
 * @throws CryptoError INVALID_CERTIFICATE
 */
export function readSignedStructure(der: Uint8Array): SignedStructure {
  const file = new DerReader(der);
  const outer = file.enter(derTags.sequence);
  file.end();
  const tbs = outer.read(derTags.sequence);
  const signatureAlgorithm = outer.read(derTags.sequence).raw;
  const { bytes: signature, unusedBits } = readBitString(outer.read(derTags.bitString));
  outer.end();
  if (unusedBits !== 0)
    throw new CryptoError('INVALID_CERTIFICATE', 'signature is not whole bytes');
  return { tbs: tbs.raw, fields: new DerReader(tbs.content), signatureAlgorithm, signature };
}
