import { toHex } from '@concordat/std';
import {
  type DerNode,
  DerReader,
  derTags,
  readBitString,
  readBoolean,
  readMagnitude,
  readOid,
} from './der.ts';
import { readTime } from './der-time.ts';
import { readName, readText } from './distinguished-name.ts';
import { CryptoError } from './errors.ts';
import { type GeneralName, readAlternativeNames } from './general-name.ts';
import { sha256 } from './hash.ts';
import { type NameConstraints, readNameConstraints } from './name-constraints.ts';
import { readSignedStructure } from './signed-structure.ts';

/** Bits of the key usage extension (RFC 5280, section 4.2.1.3) as this room tests them. */
export const keyUsageBits = { digitalSignature: 0x80, keyCertSign: 0x04, crlSign: 0x02 } as const;

/** Object identifiers of RFC 5280 and RFC 4519. */
export const oids = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  organizationalUnit: '2.5.4.11',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  crlNumber: '2.5.29.20',
  reasonCode: '2.5.29.21',
  deltaIndicator: '2.5.29.27',
  issuingDistributionPoint: '2.5.29.28',
  certificateIssuer: '2.5.29.29',
  nameConstraints: '2.5.29.30',
  certificatePolicies: '2.5.29.32',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  anyExtendedKeyUsage: '2.5.29.37.0',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

/** An X.509 version 3 certificate, read strictly. Byte strings are views into `der`. */
export interface Certificate {
  readonly der: Uint8Array;
  /** The signed part. */
  readonly tbs: Uint8Array;
  /** AlgorithmIdentifier of the signature, whole encoding. */
  readonly signatureAlgorithm: Uint8Array;
  readonly signature: Uint8Array;
  /** Magnitude, 1-20 bytes. */
  readonly serial: Uint8Array;
  /** Name, whole encoding. */
  readonly issuer: Uint8Array;
  /** Name, whole encoding. */
  readonly subject: Uint8Array;
  /** First instant of validity, ms since the Unix epoch. */
  readonly notBeforeMs: number;
  /** Last instant of validity, ms since the Unix epoch (the end of its second). */
  readonly notAfterMs: number;
  /** SubjectPublicKeyInfo, whole encoding. */
  readonly spki: Uint8Array;
  readonly isCa: boolean;
  readonly pathLength: number | undefined;
  /** First byte of the key usage bits; undefined when the extension is absent. */
  readonly keyUsage: number | undefined;
  /** Purposes as dotted identifiers; undefined when the extension is absent. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly subjectKeyId: Uint8Array | undefined;
  readonly authorityKeyId: Uint8Array | undefined;
  /** Subject alternative names. */
  readonly alternativeNames: readonly GeneralName[];
  /** What names below this authority may be; undefined when the extension is absent. */
  readonly nameConstraints: NameConstraints | undefined;
  /** Critical extensions this room does not understand, as dotted identifiers. */
  readonly unknownCritical: readonly string[];
}

type Extensions = Pick<
  { -readonly [Field in keyof Certificate]: Certificate[Field] },
  | 'isCa'
  | 'pathLength'
  | 'keyUsage'
  | 'extendedKeyUsage'
  | 'subjectKeyId'
  | 'authorityKeyId'
  | 'alternativeNames'
  | 'nameConstraints'
  | 'unknownCritical'
>;

/** Names of what a certificate is about. */
export interface SubjectName {
  /** Empty when the subject has no common name. */
  readonly commonName: string;
  readonly organization?: string;
  /** In the order they stand; absent when there is none. */
  readonly organizationalUnits?: readonly string[];
}

const maxCertificateBytes = 65_536;
const bad = (why: string): CryptoError => new CryptoError('INVALID_CERTIFICATE', why);

/**
 * Reads a certificate by RFC 5280, section 4: DER only, version 3, each extension once, nothing
 * after it. It proves nothing about trust; that is {@link verifyCertificateChain}'s.
 * @throws CryptoError INVALID_CERTIFICATE
 */
export function parseCertificate(der: Uint8Array): Certificate {
  if (der.length > maxCertificateBytes) throw bad(`certificate of ${der.length} bytes`);
  const { fields, tbs, signatureAlgorithm, signature } = readSignedStructure(der);
  const version = fields.enter(0xa0);
  const number = readMagnitude(version.read(derTags.integer));
  if (number.length !== 1 || number[0] !== 2) throw bad('not version 3');
  version.end();
  const serial = readMagnitude(fields.read(derTags.integer));
  if (serial.length > 20) throw bad('serial number longer than 20 bytes');
  // RFC 5280, section 4.1.2.3: both signature algorithm fields are the same.
  if (fields.read(derTags.sequence).raw.compare(signatureAlgorithm) !== 0) {
    throw bad('signature algorithms differ');
  }
  const issuer = fields.read(derTags.sequence).raw;
  const validity = fields.enter(derTags.sequence);
  const notBeforeMs = readTime(validity.read());
  const notAfterMs = readTime(validity.read()) + 999;
  validity.end();
  const subject = fields.read(derTags.sequence).raw;
  const spki = fields.read(derTags.sequence).raw;
  fields.readOptional(0x81);
  fields.readOptional(0x82);
  const extensions = readExtensions(fields.readOptional(0xa3));
  fields.end();
  return {
    der,
    tbs,
    signatureAlgorithm,
    signature,
    serial,
    issuer,
    subject,
    notBeforeMs,
    notAfterMs,
    spki,
    ...extensions,
  };
}

function readExtensions(node: DerNode | undefined): Extensions {
  const found: Extensions & { unknownCritical: string[] } = {
    isCa: false,
    pathLength: undefined,
    keyUsage: undefined,
    extendedKeyUsage: undefined,
    subjectKeyId: undefined,
    authorityKeyId: undefined,
    alternativeNames: [],
    nameConstraints: undefined,
    unknownCritical: [],
  };
  if (node === undefined) return found;
  const seen = new Set<string>();
  const wrapper = new DerReader(node.content);
  const list = wrapper.enter(derTags.sequence);
  wrapper.end();
  while (!list.done) {
    const extension = list.enter(derTags.sequence);
    const oid = readOid(extension.read(derTags.oid));
    const mark = extension.readOptional(derTags.boolean);
    const critical = mark !== undefined && readBoolean(mark);
    const value = extension.read(derTags.octetString).content;
    extension.end();
    if (seen.has(oid)) throw bad(`extension ${oid} twice`);
    seen.add(oid);
    const known = readExtension(found, oid, value);
    // What is not judged here of the names an authority may certify is not understood.
    const half = oid === oids.nameConstraints && found.nameConstraints?.hasUnsupported === true;
    if ((!known || half) && critical) found.unknownCritical.push(oid);
  }
  return found;
}

/** Reads one extension into the record; false when it is not one this room acts on. */
function readExtension(into: Extensions, oid: string, value: Buffer): boolean {
  const reader = new DerReader(value);
  switch (oid) {
    case oids.basicConstraints: {
      const body = reader.enter(derTags.sequence);
      const ca = body.readOptional(derTags.boolean);
      const length = body.readOptional(derTags.integer);
      body.end();
      into.isCa = ca !== undefined && readBoolean(ca);
      if (length !== undefined) into.pathLength = readSmall(length);
      // RFC 5280, section 4.2.1.9.
      if (length !== undefined && !into.isCa) throw bad('a path length without an authority');
      break;
    }
    case oids.keyUsage:
      into.keyUsage = readBitString(reader.read(derTags.bitString)).bytes[0] ?? 0;
      break;
    case oids.extendedKeyUsage: {
      const body = reader.enter(derTags.sequence);
      const purposes: string[] = [];
      while (!body.done) purposes.push(readOid(body.read(derTags.oid)));
      into.extendedKeyUsage = purposes;
      break;
    }
    case oids.subjectKeyId:
      into.subjectKeyId = reader.read(derTags.octetString).content;
      break;
    case oids.authorityKeyId:
      into.authorityKeyId = reader.enter(derTags.sequence).readOptional(0x80)?.content;
      break;
    case oids.subjectAltName:
      into.alternativeNames = readAlternativeNames(value);
      return true;
    case oids.nameConstraints:
      into.nameConstraints = readNameConstraints(value);
      return true;
    // Any policy is acceptable.
    case oids.certificatePolicies:
      reader.read(derTags.sequence);
      break;
    default:
      return false;
  }
  reader.end();
  return true;
}

function readSmall(node: DerNode): number {
  const magnitude = readMagnitude(node);
  if (magnitude.length > 2) throw bad('path length too large');
  return magnitude.readUIntBE(0, magnitude.length);
}

/** SHA-256 of a certificate's DER, 64 lowercase hex digits. */
export const certificateFingerprint = (der: Uint8Array): string => toHex(sha256(der));

/**
 * DER SPKI of a certificate's public key.
 * @throws CryptoError INVALID_CERTIFICATE
 */
export const spkiOf = (certificateDer: Uint8Array): Uint8Array =>
  parseCertificate(certificateDer).spki;

/**
 * Common name, organisation and units of a certificate's subject; of several common names or
 * organisations the last, which is the most specific.
 * @throws CryptoError INVALID_CERTIFICATE
 */
export function subjectOf(certificateDer: Uint8Array): SubjectName {
  let commonName = '';
  let organization: string | undefined;
  const units: string[] = [];
  for (const { oid, value } of readName(parseCertificate(certificateDer).subject).flat()) {
    if (oid === oids.commonName) commonName = readText(value);
    if (oid === oids.organization) organization = readText(value);
    if (oid === oids.organizationalUnit) units.push(readText(value));
  }
  return {
    commonName,
    ...(organization !== undefined && { organization }),
    ...(units.length > 0 && { organizationalUnits: units }),
  };
}
