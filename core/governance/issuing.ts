import { type Certificate, CryptoError, fromPem, parseCertificate } from '@concordat/crypto';
import type { Field } from './field.ts';

const keyCertSign = 0x04;

/** Whether an authority's key usage lets it sign certificates (RFC 5280, section 4.2.1.3). */
export const keyUsageAllowsIssuing = ({ keyUsage }: Pick<Certificate, 'keyUsage'>): boolean =>
  keyUsage === undefined || (keyUsage & keyCertSign) !== 0;

/** Reads a text of one to so many PEM certificates. */
export function readCertificates(field: Field, max: number): readonly Certificate[] {
  const text = field.text(16_384 * max);
  let certificates: Certificate[] = [];
  try {
    certificates = fromPem(text).map(parseCertificate);
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    field.fail('must be X.509 certificates in PEM');
  }
  if (certificates.length > max) field.fail(`holds more than ${max} certificates`);
  return certificates;
}
