import { equalBytes } from '@concordat/std';
import { type Certificate, keyUsageBits, oids, parseCertificate } from './certificate.ts';
import { isAcceptedKey, signatureFault } from './certificate-signature.ts';
import { CryptoError } from './errors.ts';
import { allowsNames } from './name-constraints.ts';

/** Why no chain from the leaf to a root holds. */
export type ChainRefusal =
  | 'EXPIRED'
  | 'NOT_YET_VALID'
  | 'UNTRUSTED'
  | 'BAD_SIGNATURE'
  | 'NOT_CA'
  | 'PATH_LENGTH'
  | 'KEY_USAGE'
  | 'NAME_CONSTRAINTS'
  | 'UNKNOWN_CRITICAL_EXTENSION'
  | 'UNSUPPORTED_ALGORITHM'
  | RevocationRefusal
  | 'MALFORMED';

/** An authority has revoked what it issued; or its list is too old to tell, where that counts. */
export type RevocationRefusal = 'REVOKED' | 'REVOCATION_UNKNOWN';

/** Asks whether an authority has revoked a certificate that its key signed. */
export type RevocationCheck = (
  certificate: Certificate,
  authority: Certificate,
) => RevocationRefusal | undefined;

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
  /** The trusted certificates: DER, or read already. */
  readonly roots: readonly (Uint8Array | Certificate)[];
  /** The instant it must be valid at, ms since the Unix epoch. */
  readonly atMs: number;
  readonly usage: 'clientAuth' | 'serverAuth';
  /** Asked of every link; without it nothing is revoked. */
  readonly revocation?: RevocationCheck;
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
  readonly revocation: RevocationCheck;
  checksLeft: number;
  /** The most telling failure so far. */
  failure: ChainRefusal;
}

/**
 * Finds a chain from the leaf to a trusted root and verifies it by RFC 5280, section 6: signatures,
 * validity of every certificate at the given time, CA flag, path lengths, key usage and purpose (of
 * authorities too, where they name purposes), name constraints, algorithms and key sizes, revocation
 * where it is asked for, unknown critical extensions. A leaf byte-equal to a root is its own chain:
 * an actor may present the very certificate it was admitted with; roots are never revoked, but
 * removed. Issuer and subject must be equal byte for byte. Names are not compared with an address.
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
    revocation: question.revocation ?? (() => undefined),
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
function parseAll(given: readonly (Uint8Array | Certificate)[]): Certificate[] | undefined {
  try {
    return given.map((one) => (one instanceof Uint8Array ? parseCertificate(one) : one));
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
function leafFault({ keyUsage, spki }: Certificate): ChainRefusal | undefined {
  const signs = keyUsage === undefined || (keyUsage & keyUsageBits.digitalSignature) !== 0;
  if (!signs) return 'KEY_USAGE';
  return isAcceptedKey(spki) ? undefined : 'UNSUPPORTED_ALGORITHM';
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
  return (
    namesFault(authority, path) ??
    commonFault(authority, search) ??
    search.revocation(path.at(-1) as Certificate, authority)
  );
}

/** RFC 5280, section 6.1.3: self-issued authorities below are exempt. */
function namesFault(
  { nameConstraints }: Certificate,
  path: readonly Certificate[],
): ChainRefusal | undefined {
  if (nameConstraints === undefined) return undefined;
  const bound = path.filter((one, at) => at === 0 || !equalBytes(one.issuer, one.subject));
  try {
    return bound.every((one) => allowsNames(nameConstraints, one)) ? undefined : 'NAME_CONSTRAINTS';
  } catch (error) {
    // A name nobody can read is within no bounds.
    if (error instanceof CryptoError) return 'MALFORMED';
    throw error;
  }
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
    const fault = signatureFault(below, authority.spki) ?? authorityFault(authority, path, search);
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
