import { type KeyObject, verify } from 'node:crypto';
import { toHex } from '@concordat/std';
import { importPublicKey } from './public-key.ts';

/** Something an authority signs: a certificate, a revocation list (RFC 5280, sections 4.1, 5.1). */
export interface SignedByAuthority {
  /** The signed part. */
  readonly tbs: Uint8Array;
  /** AlgorithmIdentifier of the signature, whole encoding. */
  readonly signatureAlgorithm: Uint8Array;
  readonly signature: Uint8Array;
}

interface SignatureScheme {
  readonly hash: 'sha256' | 'sha384' | 'sha512' | null;
  readonly keyType: 'ec' | 'rsa' | 'ed25519';
}

/**
 * Signatures accepted, by the hex of their whole AlgorithmIdentifier. An organisation's authority may
 * be of any of these; SHA-1, RSA-PSS and DSA are not.
 */
const schemes: Readonly<Record<string, SignatureScheme>> = {
  '300a06082a8648ce3d040302': { hash: 'sha256', keyType: 'ec' },
  '300a06082a8648ce3d040303': { hash: 'sha384', keyType: 'ec' },
  '300a06082a8648ce3d040304': { hash: 'sha512', keyType: 'ec' },
  '300d06092a864886f70d01010b0500': { hash: 'sha256', keyType: 'rsa' },
  '300d06092a864886f70d01010c0500': { hash: 'sha384', keyType: 'rsa' },
  '300d06092a864886f70d01010d0500': { hash: 'sha512', keyType: 'rsa' },
  '300506032b6570': { hash: null, keyType: 'ed25519' },
};

const curves = ['prime256v1', 'secp384r1', 'secp521r1'];

/** P-256, P-384, P-521, RSA of 2,048 to 8,192 bits, or Ed25519. */
function isAccepted(key: KeyObject): boolean {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = key;
  if (type === 'ec') return curves.includes(details.namedCurve ?? '');
  const bits = details.modulusLength ?? 0;
  return type === 'rsa' ? bits >= 2048 && bits <= 8192 : type === 'ed25519';
}

/** Whether a key (DER SPKI) may stand in a chain: as an authority's or as the leaf's. */
export function isAcceptedKey(spki: Uint8Array): boolean {
  const key = importPublicKey(spki);
  return key !== undefined && isAccepted(key);
}

/** Why a signature does not count; undefined when the authority's key (DER SPKI) made it. */
export function signatureFault(
  signed: SignedByAuthority,
  authoritySpki: Uint8Array,
): 'UNSUPPORTED_ALGORITHM' | 'BAD_SIGNATURE' | undefined {
  const scheme = schemes[toHex(signed.signatureAlgorithm)];
  const key = importPublicKey(authoritySpki);
  if (scheme === undefined || key === undefined) return 'UNSUPPORTED_ALGORITHM';
  if (key.asymmetricKeyType !== scheme.keyType) return 'BAD_SIGNATURE';
  if (!isAccepted(key)) return 'UNSUPPORTED_ALGORITHM';
  return verify(scheme.hash, signed.tbs, key, signed.signature) ? undefined : 'BAD_SIGNATURE';
}

/** Whether the authority's key made the signature, by a scheme accepted here. */
export const isSignedBy = (
  signed: SignedByAuthority,
  authority: { readonly spki: Uint8Array },
): boolean => signatureFault(signed, authority.spki) === undefined;
