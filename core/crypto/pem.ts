import { fromBase64, toBase64 } from '@concordat/std';
import { CryptoError } from './errors.ts';

const begin = '-----BEGIN CERTIFICATE-----';
const end = '-----END CERTIFICATE-----';

/** A certificate's DER as PEM (RFC 7468), with a final newline. */
export function toPem(certificateDer: Uint8Array): string {
  const lines = toBase64(certificateDer).match(/.{1,64}/g) ?? [];
  return `${begin}\n${lines.join('\n')}\n${end}\n`;
}

/**
 * The DER of every certificate in a PEM text, in order. Text between certificates is ignored, as
 * RFC 7468 allows; other PEM types are too.
 * @throws CryptoError MALFORMED_PEM when there is none, or one is cut or not base64
 */
export function fromPem(pem: string): Uint8Array[] {
  const found: Uint8Array[] = [];
  let at = pem.indexOf(begin);
  while (at >= 0) {
    const from = at + begin.length;
    const to = pem.indexOf(end, from);
    if (to < 0) throw new CryptoError('MALFORMED_PEM', 'a certificate has no end line');
    const der = fromBase64(pem.slice(from, to).replaceAll(/[ \t\r\n]/g, ''));
    if (der === undefined || der.length === 0) {
      throw new CryptoError('MALFORMED_PEM', 'a certificate is not base64');
    }
    found.push(der);
    at = pem.indexOf(begin, to + end.length);
  }
  if (found.length === 0) throw new CryptoError('MALFORMED_PEM', 'no certificate in the text');
  return found;
}
