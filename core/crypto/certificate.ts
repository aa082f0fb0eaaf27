import { toHex, viewOf } from '@concordat/std';
import { msOfUtc } from './calendar.ts';
import {
  type DerNode,
  DerReader,
  derTags,
  readBitString,
  readBoolean,
  readMagnitude,
  readOid,
} from './der.ts';
import { CryptoError } from './errors.ts';
import { sha256 } from './hash.ts';

/** Bits of the key usage extension (RFC 5280, section 4.2.1.3) as this room tests them. */
export const keyUsageBits = { digitalSignature: 0x80, keyCertSign: 0x04, crlSign: 0x02 } as const;

/** Object identifiers of RFC 5280 and RFC 4519. */
export const oids = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
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
  | 'unknownCritical'
>;

/** Names of what a certificate is about. */
export interface SubjectName {
  /** Empty when the subject has no common name. */
  readonly commonName: string;
  readonly organization?: string;
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
  const file = new DerReader(der);
  const outer = file.enter(derTags.sequence);
  file.end();
  const tbs = outer.read(derTags.sequence);
  const signatureAlgorithm = outer.read(derTags.sequence).raw;
  const signature = readBitString(outer.read(derTags.bitString));
  outer.end();
  if (signature.unusedBits !== 0) throw bad('signature is not whole bytes');

  const fields = new DerReader(tbs.content);
  const version = fields.enter(0xa0);
  if (readMagnitude(version.read(derTags.integer))[0] !== 2) throw bad('not version 3');
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
    tbs: tbs.raw,
    signatureAlgorithm,
    signature: signature.bytes,
    serial,
    issuer,
    subject,
    notBeforeMs,
    notAfterMs,
    spki,
    ...extensions,
  };
}

/** UTCTime or GeneralizedTime as RFC 5280, section 4.1.2.5, allows them: seconds, and Z. */
function readTime(node: DerNode): number {
  const text = node.content.toString('latin1');
  const short = node.tag === derTags.utcTime;
  if (!short && node.tag !== derTags.generalizedTime) throw bad('not a time');
  const match = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text);
  if (match === null || (match[1] as string).length !== (short ? 2 : 4)) throw bad('time form');
  const [given = 0, month = 0, ...rest] = match.slice(1).map(Number);
  const year = short ? given + (given < 50 ? 2000 : 1900) : given;
  const [day = 0, hour = 0, minute = 0, second = 0] = rest;
  const ms = msOfUtc({ year, month, day, hour, minute, second });
  if (ms === undefined) throw bad('no such time');
  return ms;
}

function readExtensions(node: DerNode | undefined): Extensions {
  const found: Extensions & { unknownCritical: string[] } = {
    isCa: false,
    pathLength: undefined,
    keyUsage: undefined,
    extendedKeyUsage: undefined,
    subjectKeyId: undefined,
    authorityKeyId: undefined,
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
    if (!known && critical) found.unknownCritical.push(oid);
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
    // Names do not restrict a path here, and any policy is acceptable.
    case oids.subjectAltName:
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
 * Common name and organisation of a certificate's subject; of several, the last, which is the most
 * specific.
 * @throws CryptoError INVALID_CERTIFICATE
 */
export function subjectOf(certificateDer: Uint8Array): SubjectName {
  const names = new DerReader(parseCertificate(certificateDer).subject).enter(derTags.sequence);
  let commonName = '';
  let organization: string | undefined;
  while (!names.done) {
    const relative = names.enter(derTags.set);
    while (!relative.done) {
      const pair = relative.enter(derTags.sequence);
      const oid = readOid(pair.read(derTags.oid));
      const value = pair.read();
      pair.end();
      if (oid === oids.commonName) commonName = readText(value);
      if (oid === oids.organization) organization = readText(value);
    }
  }
  return organization === undefined ? { commonName } : { commonName, organization };
}

function readText(node: DerNode): string {
  switch (node.tag) {
    case derTags.utf8String:
      return node.content.toString('utf8');
    case derTags.printableString:
    case derTags.ia5String:
    case derTags.teletexString:
      return node.content.toString('latin1');
    case derTags.bmpString:
      if (node.content.length % 2 !== 0) throw bad('BMPString of odd length');
      return Buffer.from(viewOf(node.content)).swap16().toString('utf16le');
    default:
      throw bad(`name of string type ${node.tag}`);
  }
}
