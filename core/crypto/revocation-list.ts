import { equalBytes, toHex } from '@concordat/std';
import { type Certificate, keyUsageBits, oids } from './certificate.ts';
import { type SignedByAuthority, signatureFault } from './certificate-signature.ts';
import { type DerNode, DerReader, derTags, readBoolean, readMagnitude, readOid } from './der.ts';
import { readTime } from './der-time.ts';
import { CryptoError } from './errors.ts';
import { readSignedStructure } from './signed-structure.ts';

/** Largest revocation list, bytes of DER. */
export const maxRevocationListBytes = 65_536;
/** Certificates that one list may revoke. */
export const maxRevokedCertificates = 2_000;

/** A certificate revocation list (RFC 5280, section 5), read strictly: complete, of its issuer alone. */
export interface RevocationList extends SignedByAuthority {
  readonly der: Uint8Array;
  /** Name of the authority, whole encoding. */
  readonly issuer: Uint8Array;
  readonly authorityKeyId: Uint8Array | undefined;
  /** ms since the Unix epoch. */
  readonly thisUpdateMs: number;
  /** When the next list is due at the latest, ms since the Unix epoch. */
  readonly nextUpdateMs: number;
  /** Each list of an authority has a greater one. */
  readonly number: bigint;
  /** Serial numbers, see {@link serialText}. */
  readonly revoked: ReadonlySet<string>;
}

/** Why a list is not the authority's. */
export type RevocationListFault =
  | 'WRONG_ISSUER'
  | 'KEY_USAGE'
  | 'UNSUPPORTED_ALGORITHM'
  | 'BAD_SIGNATURE';

/** A serial number as lowercase hex of its magnitude: two digits a byte, no leading zero byte. */
export const serialText = (serial: Uint8Array): string => toHex(serial);

const bad = (why: string): CryptoError => new CryptoError('INVALID_REVOCATION_LIST', why);
const unsupported = (why: string): CryptoError =>
  new CryptoError('UNSUPPORTED_REVOCATION_LIST', why);

/**
 * Reads a list: DER only, version 2, with number and next update; complete (no delta), about its
 * issuer's own certificates (not indirect) and all of them. It proves nothing about who signed it;
 * that is {@link revocationListFault}'s.
 * @throws CryptoError INVALID_REVOCATION_LIST; UNSUPPORTED_REVOCATION_LIST: a delta, indirect or
 *   partial list, or one with critical extensions that are not understood here
 */
export function parseRevocationList(der: Uint8Array): RevocationList {
  if (der.length > maxRevocationListBytes) {
    throw bad(`a list of ${der.length} bytes; at most ${maxRevocationListBytes}`);
  }
  try {
    return read(der);
  } catch (error) {
    if (!(error instanceof CryptoError) || error.code !== 'INVALID_CERTIFICATE') throw error;
    throw bad(error.message);
  }
}

function read(der: Uint8Array): RevocationList {
  const { fields, tbs, signatureAlgorithm, signature } = readSignedStructure(der);
  const version = readMagnitude(fields.read(derTags.integer));
  if (version.length !== 1 || version[0] !== 1) throw bad('not version 2');
  // RFC 5280, section 5.1.2.2: both signature algorithm fields are the same.
  if (!equalBytes(fields.read(derTags.sequence).raw, signatureAlgorithm)) {
    throw bad('signature algorithms differ');
  }
  const issuer = fields.read(derTags.sequence).raw;
  const thisUpdateMs = readTime(fields.read());
  if (fields.nextTag !== derTags.utcTime && fields.nextTag !== derTags.generalizedTime) {
    throw bad('no next update (RFC 5280, section 5.1.2.5)');
  }
  const nextUpdateMs = readTime(fields.read());
  if (nextUpdateMs < thisUpdateMs) throw bad('the next update comes before this one');
  const revoked = readRevoked(fields.readOptional(derTags.sequence));
  const extensions = readListExtensions(fields.readOptional(0xa0));
  fields.end();
  const signed = { tbs, signatureAlgorithm, signature };
  return { der, ...signed, issuer, thisUpdateMs, nextUpdateMs, revoked, ...extensions };
}

function readRevoked(node: DerNode | undefined): Set<string> {
  const revoked = new Set<string>();
  if (node === undefined) return revoked;
  const list = new DerReader(node.content);
  let count = 0;
  while (!list.done) {
    count += 1;
    if (count > maxRevokedCertificates) {
      throw bad(`more than ${maxRevokedCertificates} revoked certificates`);
    }
    const entry = list.enter(derTags.sequence);
    const serial = readMagnitude(entry.read(derTags.integer));
    if (serial.length > 20) throw bad('serial number longer than 20 bytes');
    readTime(entry.read());
    for (const extension of readExtensions(entry.readOptional(derTags.sequence))) {
      judgeEntry(extension);
    }
    entry.end();
    revoked.add(serialText(serial));
  }
  if (count === 0) throw bad('an empty list of revoked certificates is left out');
  return revoked;
}

interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Buffer;
}

function readExtensions(node: DerNode | undefined): Extension[] {
  if (node === undefined) return [];
  const list = new DerReader(node.content);
  const found: Extension[] = [];
  while (!list.done) {
    const extension = list.enter(derTags.sequence);
    const oid = readOid(extension.read(derTags.oid));
    const mark = extension.readOptional(derTags.boolean);
    const critical = mark !== undefined && readBoolean(mark);
    const value = extension.read(derTags.octetString).content;
    extension.end();
    if (found.some((one) => one.oid === oid)) throw bad(`extension ${oid} twice`);
    found.push({ oid, critical, value });
  }
  return found;
}

/** removeFromCRL (RFC 5280, section 5.3.1) is for deltas; every other reason revokes. */
const removeFromList = 8;

function judgeEntry({ oid, critical, value }: Extension): void {
  if (oid === oids.certificateIssuer) {
    throw unsupported('an indirect list: an entry names another issuer');
  }
  if (oid === oids.reasonCode) {
    const reader = new DerReader(value);
    const { content } = reader.read(derTags.enumerated);
    reader.end();
    if (content.length !== 1) throw bad('reason of a revocation');
    if (content[0] === removeFromList) throw unsupported('a delta list: an entry takes one back');
    return;
  }
  if (critical) throw unsupported(`an entry has the unknown critical extension ${oid}`);
}

function readListExtensions(
  node: DerNode | undefined,
): Pick<RevocationList, 'number' | 'authorityKeyId'> {
  const wrapper = new DerReader(node?.content ?? new Uint8Array(0));
  let number: bigint | undefined;
  let authorityKeyId: Uint8Array | undefined;
  const list = wrapper.readOptional(derTags.sequence);
  wrapper.end();
  for (const { oid, critical, value } of readExtensions(list)) {
    const reader = new DerReader(value);
    if (oid === oids.crlNumber) {
      const magnitude = readMagnitude(reader.read(derTags.integer));
      reader.end();
      if (magnitude.length > 20) throw bad('a list number longer than 20 bytes');
      number = BigInt(`0x${toHex(magnitude)}`);
    } else if (oid === oids.authorityKeyId) {
      authorityKeyId = reader.enter(derTags.sequence).readOptional(0x80)?.content;
      reader.end();
    } else if (oid === oids.deltaIndicator) {
      throw unsupported('a delta list: distribute the complete one');
    } else if (oid === oids.issuingDistributionPoint) {
      judgeDistributionPoint(reader);
    } else if (critical) {
      throw unsupported(`the list has the unknown critical extension ${oid}`);
    }
  }
  if (number === undefined) throw bad('no list number (RFC 5280, section 5.2.3)');
  return { number, authorityKeyId };
}

/** Where the list is published says nothing; that it is about others, or not about all, does. */
function judgeDistributionPoint(reader: DerReader): void {
  const body = reader.enter(derTags.sequence);
  reader.end();
  body.readOptional(0xa0);
  const restriction = body.nextTag;
  if (restriction === 0x84) throw unsupported('an indirect list: distribute the authority’s own');
  if (restriction !== undefined) throw unsupported('a list about some certificates only');
}

/** Why a list is not this authority's, or not to be relied on; undefined when it is. */
export function revocationListFault(
  list: RevocationList,
  authority: Certificate,
): RevocationListFault | undefined {
  const { authorityKeyId: wanted } = list;
  const { subjectKeyId: has, keyUsage } = authority;
  if (!equalBytes(list.issuer, authority.subject)) return 'WRONG_ISSUER';
  if (wanted !== undefined && has !== undefined && !equalBytes(wanted, has)) return 'WRONG_ISSUER';
  if (!authority.isCa) return 'KEY_USAGE';
  if (keyUsage !== undefined && (keyUsage & keyUsageBits.crlSign) === 0) return 'KEY_USAGE';
  return signatureFault(list, authority.spki);
}
