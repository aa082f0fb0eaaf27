import { emptyBytes, equalBytes, utf8 } from '@concordat/std';
import { keyUsageBits, oids, parseCertificate, type SubjectName } from './certificate.ts';
import { derBitString, derInteger, derOid, derSequence, derTags, derValue } from './der.ts';
import { encodeTime } from './der-time.ts';
import { CryptoError } from './errors.ts';
import { sha256 } from './hash.ts';
import { parseIpAddress } from './ip-address.ts';
import { isP256Spki, pointOfSpki } from './p256.ts';
import type { CertificateSigner } from './signer-elsewhere.ts';

/** What a certificate of ours may be used for. */
export type CertificateUsage = 'clientAuth' | 'serverAuth' | 'keyCertSign';

/** What to certify, and who certifies it. */
export interface CertificateRequest {
  readonly subject: SubjectName;
  /** P-256 public key, canonical DER SPKI. */
  readonly publicKeySpki: Uint8Array;
  /** Self-signed when there is no certificate; then `key` is the subject's own. */
  readonly issuer: { readonly certificateDer?: Uint8Array; readonly key: CertificateSigner };
  /** Positive big-endian integer of 1-20 bytes, unique per issuer, drawn from entropy. */
  readonly serial: Uint8Array;
  /** ms since the Unix epoch; cut to whole seconds. */
  readonly notBeforeMs: number;
  /** ms since the Unix epoch; cut to whole seconds. */
  readonly notAfterMs: number;
  readonly isCa: boolean;
  /** Certificate authorities allowed below this one; no limit when absent. */
  readonly pathLength?: number;
  readonly subjectAltNames?: { readonly dns?: readonly string[]; readonly ip?: readonly string[] };
  readonly usages: readonly CertificateUsage[];
}

/** AlgorithmIdentifier of ecdsa-with-SHA256 (RFC 5758, section 3.2). */
export const ecdsaSha256 = derSequence(derOid('1.2.840.10045.4.3.2'));

/** Organisational units of one subject. */
const maxUnits = 64;

const refuse = (why: string): CryptoError => new CryptoError('INVALID_REQUEST', why);

/**
 * Issues an X.509 version 3 certificate (RFC 5280) signed with ECDSA and SHA-256.
 * @returns DER
 * @throws CryptoError INVALID_REQUEST, or INVALID_CERTIFICATE when the issuer's does not parse
 */
export function issueCertificate(request: CertificateRequest): Uint8Array {
  const { issuer, publicKeySpki } = request;
  checkRequest(request);
  const subject = encodeName(request.subject);
  const parent =
    issuer.certificateDer === undefined ? undefined : parseCertificate(issuer.certificateDer);
  if (!equalBytes(issuer.key.publicKeySpki, parent?.spki ?? publicKeySpki)) {
    throw refuse("the issuing key is not the issuing certificate's");
  }
  if (parent !== undefined && !parent.isCa) throw refuse('the issuer is not an authority');
  const authorityKeyId = parent?.subjectKeyId ?? keyIdOf(issuer.key.publicKeySpki);
  const tbs = derSequence(
    derValue(0xa0, derInteger(Uint8Array.of(2))),
    derInteger(request.serial),
    ecdsaSha256,
    parent?.subject ?? subject,
    derSequence(encodeTime(request.notBeforeMs), encodeTime(request.notAfterMs)),
    subject,
    publicKeySpki,
    derValue(0xa3, derSequence(...encodeExtensions(request, authorityKeyId))),
  );
  return derSequence(tbs, ecdsaSha256, derBitString(issuer.key.sign(tbs)));
}

function checkRequest(request: CertificateRequest): void {
  const { serial, subject } = request;
  if (!isP256Spki(request.publicKeySpki)) throw refuse('not a P-256 public key');
  if (serial.length < 1 || serial.length > 20) throw refuse('serial is not 1-20 bytes');
  // The sign byte of a serial that starts with a high bit would be the 21st.
  if (serial.length === 20 && (serial[0] as number) >= 0x80) throw refuse('serial exceeds 2^159');
  if (serial.every((byte) => byte === 0)) throw refuse('serial is zero');
  if (!(request.notBeforeMs <= request.notAfterMs)) throw refuse('validity ends before it starts');
  if (request.usages.includes('keyCertSign') && !request.isCa) {
    throw refuse('only an authority signs certificates');
  }
  if (request.pathLength !== undefined && !(request.isCa && isPathLength(request.pathLength))) {
    throw refuse('path length is for authorities, 0-255');
  }
  const { commonName, organization, organizationalUnits = [] } = subject;
  if (organizationalUnits.length > maxUnits) throw refuse(`more than ${maxUnits} units`);
  for (const name of [commonName, organization, ...organizationalUnits]) {
    // RFC 5280, appendix A.1: ub-common-name, ub-organization-name, ub-organizational-unit-name.
    if (name !== undefined && !isNamePart(name)) throw refuse('a name is 1-64 visible characters');
  }
}

const isNamePart = (name: string): boolean =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  name.isWellFormed() && /^[^\u0000-\u001f\u007f]{1,64}$/.test(name);

const isPathLength = (value: number): boolean =>
  Number.isInteger(value) && value >= 0 && value <= 255;

/** Leftmost 160 bits of SHA-256 of the public key's bits (RFC 7093, section 2, method 1). */
const keyIdOf = (spki: Uint8Array): Uint8Array => sha256(pointOfSpki(spki)).subarray(0, 20);

function encodeName(name: SubjectName): Uint8Array {
  const pair = (oid: string, text: string): Uint8Array =>
    derValue(derTags.set, derSequence(derOid(oid), derValue(derTags.utf8String, utf8(text))));
  const { commonName, organization, organizationalUnits = [] } = name;
  return derSequence(
    ...(organization === undefined ? [] : [pair(oids.organization, organization)]),
    ...organizationalUnits.map((unit) => pair(oids.organizationalUnit, unit)),
    pair(oids.commonName, commonName),
  );
}

function encodeExtensions(request: CertificateRequest, authorityKeyId: Uint8Array): Uint8Array[] {
  const { isCa, pathLength, usages } = request;
  const constraints = [
    isCa ? derValue(derTags.boolean, Uint8Array.of(0xff)) : emptyBytes,
    pathLength === undefined ? emptyBytes : derInteger(Uint8Array.of(pathLength)),
  ];
  const extensions = [
    extension(oids.basicConstraints, true, derSequence(...constraints)),
    extension(oids.keyUsage, true, encodeKeyUsage(isCa)),
  ];
  const purposes = usages.filter((usage) => usage !== 'keyCertSign');
  if (purposes.length > 0) {
    const list = [...new Set(purposes)].map((usage) => derOid(oids[usage]));
    extensions.push(extension(oids.extendedKeyUsage, false, derSequence(...list)));
  }
  const alternatives = encodeAltNames(request);
  if (alternatives.length > 0) {
    extensions.push(extension(oids.subjectAltName, false, derSequence(...alternatives)));
  }
  const subjectKeyId = derValue(derTags.octetString, keyIdOf(request.publicKeySpki));
  extensions.push(extension(oids.subjectKeyId, false, subjectKeyId));
  const authority = derSequence(derValue(0x80, authorityKeyId));
  extensions.push(extension(oids.authorityKeyId, false, authority));
  return extensions;
}

/** An extension of a certificate or a list, with its value's encoding. */
export function extension(oid: string, critical: boolean, value: Uint8Array): Uint8Array {
  const mark = critical ? derValue(derTags.boolean, Uint8Array.of(0xff)) : emptyBytes;
  return derSequence(derOid(oid), mark, derValue(derTags.octetString, value));
}

/** Every key of ours signs (TLS, COSE); an authority's also signs certificates and lists. */
function encodeKeyUsage(isCa: boolean): Uint8Array {
  const { digitalSignature, keyCertSign, crlSign } = keyUsageBits;
  return isCa
    ? derBitString(Uint8Array.of(digitalSignature | keyCertSign | crlSign), 1)
    : derBitString(Uint8Array.of(digitalSignature), 7);
}

function encodeAltNames({ subjectAltNames = {} }: CertificateRequest): Uint8Array[] {
  const { dns = [], ip = [] } = subjectAltNames;
  const dnsNames = dns.map((name) => {
    if (!/^(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(name) || name.length > 253) {
      throw refuse('an alternative name is not a DNS name');
    }
    return derValue(0x82, utf8(name));
  });
  const addresses = ip.map((text) => {
    const address = parseIpAddress(text);
    if (address === undefined) throw refuse('an alternative name is not an IP address');
    return derValue(0x87, address);
  });
  return [...dnsNames, ...addresses];
}
