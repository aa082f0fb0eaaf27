import { type KeyObject, verify } from 'node:crypto';
import { equalBytes, toHex } from '@concordat/std';
import { type Certificate, keyUsageBits, oids, parseCertificate } from './certificate.ts';
import { CryptoError } from './errors.ts';
import { importPublicKey } from './public-key.ts';

/** Why no chain from the leaf to a root holds. */
export type ChainRefusal =
  | 'EXPIRED'
  | 'NOT_YET_VALID'
  | 'UNTRUSTED'
  | 'BAD_SIGNATURE'
  | 'NOT_CA'
  | 'PATH_LENGTH'
  | 'KEY_USAGE'
  | 'UNKNOWN_CRITICAL_EXTENSION'
  | 'MALFORMED';

/** A chain from leaf to root, both included, as DER; or why there is none. */
export type ChainVerdict =
  | { readonly ok: true; readonly chain: readonly Uint8Array[] }
  | { readonly ok: false; readonly code: ChainRefusal };

/** What to verify. */
export interface ChainQuestion {
  /** DER. */
  readonly leaf: Uint8Array;
  /** DER, in any order, at most 16. */
  readonly intermediates: readonly Uint8Array[];
  /** DER of the trusted certificates. */
  readonly roots: readonly Uint8Array[];
  /** The instant it must be valid at, ms since the Unix epoch. */
  readonly atMs: number;
  readonly usage: 'clientAuth' | 'serverAuth';
}

const maxIntermediates = 16;
const maxChainLength = 8;
/** Bounds the search where many certificates share one name. */
const maxSignatureChecks = 64;

interface Search {
  readonly roots: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  readonly atMs: number;
  readonly purpose: string;
  checksLeft: number;
  /** The most telling failure so far. */
  failure: ChainRefusal;
}

/**
 * Finds a chain from the leaf to a trusted root and verifies it by RFC 5280, section 6: signatures,
 * validity of every certificate at the given time, CA flag, path lengths, key usage and purpose (of
 * authorities too, where they name purposes), unknown critical extensions. A leaf byte-equal to a
 * root is its own chain: an actor may present the very certificate it was admitted with.
 * Names are not compared with an address, and revocation is by removal of a root.
 */
export function verifyCertificateChain(question: ChainQuestion): ChainVerdict {
  const refused = (code: ChainRefusal): ChainVerdict => ({ ok: false, code });
  if (question.intermediates.length > maxIntermediates) return refused('MALFORMED');
  const [leaf] = parseAll([question.leaf]) ?? [];
  const roots = parseAll(question.roots);
  const intermediates = parseAll(question.intermediates);
  if (!leaf || !roots || !intermediates) return refused('MALFORMED');
  const search: Search = {
    roots,
    intermediates,
    atMs: question.atMs,
    purpose: oids[question.usage],
    checksLeft: maxSignatureChecks,
    failure: 'UNTRUSTED',
  };
  const fault = commonFault(leaf, search) ?? leafFault(leaf);
  if (fault !== undefined) return refused(fault);
  if (roots.some((root) => equalBytes(root.der, leaf.der))) return { ok: true, chain: [leaf.der] };
  const chain = extend(search, [leaf]);
  return chain === undefined
    ? refused(search.failure)
    : { ok: true, chain: chain.map(({ der }) => der) };
}

/** Undefined when one of them does not parse. */
function parseAll(ders: readonly Uint8Array[]): Certificate[] | undefined {
  try {
    return ders.map(parseCertificate);
  } catch (error) {
    if (error instanceof CryptoError) return undefined;
    throw error;
  }
}

/** What makes any certificate of a chain unusable, whatever its place. */
function commonFault(certificate: Certificate, search: Search): ChainRefusal | undefined {
  if (search.atMs < certificate.notBeforeMs) return 'NOT_YET_VALID';
  if (!(search.atMs <= certificate.notAfterMs)) return 'EXPIRED';
  if (certificate.unknownCritical.length > 0) return 'UNKNOWN_CRITICAL_EXTENSION';
  const purposes = certificate.extendedKeyUsage;
  if (purposes === undefined || purposes.includes(oids.anyExtendedKeyUsage)) return undefined;
  return purposes.includes(search.purpose) ? undefined : 'KEY_USAGE';
}

/** TLS 1.3 and COSE need a key that signs (RFC 8446, section 4.4.2.2). */
function leafFault({ keyUsage }: Certificate): ChainRefusal | undefined {
  const signs = keyUsage === undefined || (keyUsage & keyUsageBits.digitalSignature) !== 0;
  return signs ? undefined : 'KEY_USAGE';
}

/** What keeps an authority from standing above the path, leaf first. */
function authorityFault(
  authority: Certificate,
  path: readonly Certificate[],
  search: Search,
): ChainRefusal | undefined {
  if (!authority.isCa) return 'NOT_CA';
  const { keyUsage, pathLength } = authority;
  if (keyUsage !== undefined && (keyUsage & keyUsageBits.keyCertSign) === 0) return 'KEY_USAGE';
  // RFC 5280, section 4.2.1.9: self-issued authorities below do not count.
  const below = path.slice(1).filter((one) => !equalBytes(one.issuer, one.subject)).length;
  if (pathLength !== undefined && below > pathLength) return 'PATH_LENGTH';
  return commonFault(authority, search);
}

/** Depth first: roots before intermediates, so that the shortest trusted path is found early. */
function extend(search: Search, path: readonly Certificate[]): Certificate[] | undefined {
  if (path.length >= maxChainLength) return undefined;
  const below = path.at(-1) as Certificate;
  for (const [index, authority] of [...search.roots, ...search.intermediates].entries()) {
    if (!mayHaveIssued(authority, below)) continue;
    if (path.some((one) => equalBytes(one.der, authority.der))) continue;
    if (search.checksLeft === 0) return undefined;
    search.checksLeft -= 1;
    const fault = isSignedBy(below, authority)
      ? authorityFault(authority, path, search)
      : 'BAD_SIGNATURE';
    if (fault !== undefined) {
      // What a true issuer lacks tells more than that a namesake did not sign.
      if (fault !== 'BAD_SIGNATURE' || search.failure === 'UNTRUSTED') search.failure = fault;
      continue;
    }
    const longer = [...path, authority];
    const chain = index < search.roots.length ? longer : extend(search, longer);
    if (chain !== undefined) return chain;
  }
  return undefined;
}

function mayHaveIssued(authority: Certificate, below: Certificate): boolean {
  if (!equalBytes(authority.subject, below.issuer)) return false;
  const [wanted, has] = [below.authorityKeyId, authority.subjectKeyId];
  return wanted === undefined || has === undefined || equalBytes(wanted, has);
}

interface SignatureScheme {
  readonly hash: 'sha256' | 'sha384' | 'sha512' | null;
  readonly suits: (key: KeyObject) => boolean;
}

const curves = ['prime256v1', 'secp384r1', 'secp521r1'];
const isEc = (key: KeyObject): boolean =>
  key.asymmetricKeyType === 'ec' && curves.includes(key.asymmetricKeyDetails?.namedCurve ?? '');
const isRsa = (key: KeyObject): boolean => {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  return key.asymmetricKeyType === 'rsa' && bits >= 2048 && bits <= 8192;
};

/**
 * Signatures accepted in certificates, by the hex of their whole AlgorithmIdentifier. An
 * organisation's authority may be of any of these; SHA-1, RSA under 2,048 bits and RSA-PSS are not.
 */
const schemes: Readonly<Record<string, SignatureScheme>> = {
  '300a06082a8648ce3d040302': { hash: 'sha256', suits: isEc },
  '300a06082a8648ce3d040303': { hash: 'sha384', suits: isEc },
  '300a06082a8648ce3d040304': { hash: 'sha512', suits: isEc },
  '300d06092a864886f70d01010b0500': { hash: 'sha256', suits: isRsa },
  '300d06092a864886f70d01010c0500': { hash: 'sha384', suits: isRsa },
  '300d06092a864886f70d01010d0500': { hash: 'sha512', suits: isRsa },
  '300506032b6570': { hash: null, suits: (key) => key.asymmetricKeyType === 'ed25519' },
};

/** Whether the authority's key made the certificate's signature, by a scheme accepted here. */
export function isSignedBy(certificate: Certificate, authority: Certificate): boolean {
  const scheme = schemes[toHex(certificate.signatureAlgorithm)];
  const key = importPublicKey(authority.spki);
  if (scheme === undefined || key === undefined || !scheme.suits(key)) return false;
  return verify(scheme.hash, certificate.tbs, key, certificate.signature);
}
