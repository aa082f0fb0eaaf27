import { readFile } from 'node:fs/promises';
import { CryptoError, fromPem } from '@concordat/crypto';
import { CliError } from './errors.ts';

/** A certificate in a file, the first if there are several: its text, and its DER. @throws CliError USAGE */
export async function readCertificateFile(
  file: string,
): Promise<{ readonly pem: string; readonly der: Uint8Array }> {
  const pem = await readFile(file, 'utf8');
  try {
    const [der] = fromPem(pem);
    if (der) return { pem, der };
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
  }
  throw new CliError('USAGE', `${file} holds no certificate in PEM`);
}
