import { equalBytes, fromHex } from '@concordat/std';
import { oids, parseCertificate } from './certificate.ts';
import { ecdsaSha256, extension } from './certificate-issue.ts';
import { derBitString, derInteger, derSequence, derValue } from './der.ts';
import { encodeTime } from './der-time.ts';
import { CryptoError } from './errors.ts';
import { maxRevokedCertificates } from './revocation-list.ts';
import type { CertificateSigner } from './signer-elsewhere.ts';

/** What a list says, and who says it. */
export interface RevocationListRequest {
  /** The authority's certificate (DER), and its P-256 key. */
  readonly issuer: { readonly certificateDer: Uint8Array; readonly key: CertificateSigner };
  /** Greater than that of every list before; 0 to 2^159-1. */
  readonly number: bigint;
  /** ms since the Unix epoch; cut to whole seconds. */
  readonly thisUpdateMs: number;
  /** ms since the Unix epoch; cut to whole seconds. */
  readonly nextUpdateMs: number;
  readonly revoked: readonly {
    /** Lowercase hex of the serial number's magnitude. */
    readonly serial: string;
    /** ms since the Unix epoch; cut to whole seconds. */
    readonly atMs: number;
  }[];
}

const refuse = (why: string): CryptoError => new CryptoError('INVALID_REQUEST', why);

/**
 * Issues a complete certificate revocation list (RFC 5280, section 5) signed with ECDSA and SHA-256.
 * @returns DER
 * @throws CryptoError INVALID_REQUEST, or INVALID_CERTIFICATE when the issuer's does not parse
 */
export function issueRevocationList(request: RevocationListRequest): Uint8Array {
  const { issuer, number, revoked, thisUpdateMs, nextUpdateMs } = request;
  const parent = parseCertificate(issuer.certificateDer);
  if (!parent.isCa) throw refuse('the issuer is not an authority');
  if (!equalBytes(issuer.key.publicKeySpki, parent.spki)) {
    throw refuse("the issuing key is not the issuing certificate's");
  }
  if (number < 0n || number >= 1n << 159n) throw refuse('list number outside 0 to 2^159-1');
  if (!(thisUpdateMs <= nextUpdateMs)) throw refuse('the next update comes before this one');
  if (revoked.length > maxRevokedCertificates) {
    throw refuse(`more than ${maxRevokedCertificates} revoked certificates`);
  }
  const entries = revoked.map(({ serial, atMs }) =>
    derSequence(derInteger(magnitudeOf(serial)), encodeTime(atMs)),
  );
  const digits = number.toString(16);
  const extensions = [
    ...(parent.subjectKeyId === undefined
      ? []
      : [extension(oids.authorityKeyId, false, derSequence(derValue(0x80, parent.subjectKeyId)))]),
    extension(
      oids.crlNumber,
      false,
      derInteger(magnitudeOf(digits.length % 2 === 0 ? digits : `0${digits}`)),
    ),
  ];
  const tbs = derSequence(
    derInteger(Uint8Array.of(1)),
    ecdsaSha256,
    parent.subject,
    encodeTime(thisUpdateMs),
    encodeTime(nextUpdateMs),
    ...(entries.length > 0 ? [derSequence(...entries)] : []),
    derValue(0xa0, derSequence(...extensions)),
  );
  return derSequence(tbs, ecdsaSha256, derBitString(issuer.key.sign(tbs)));
}

function magnitudeOf(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  if (!bytes || bytes.length < 1 || bytes.length > 20) throw refuse('serial is not 1-20 bytes');
  return bytes;
}
