import {
  type CertificateRequest,
  createSigningKey,
  issueCertificate,
  parseCertificate,
  type SigningKey,
} from '@concordat/crypto';
import { viewOf } from '@concordat/std';
import { derBitString, derSequence } from '../der.ts';

/** The instant the tests judge at, inside every default validity. */
export const now = Date.UTC(2026, 5, 1);

/** A deterministic signing key. */
export const keyOf = (n: number): SigningKey => createSigningKey(new Uint8Array(32).fill(n));

/** One party of a test: a key and a certificate on it. */
export interface Party {
  readonly key: SigningKey;
  readonly der: Uint8Array;
}

type Choices = Partial<Omit<CertificateRequest, 'issuer' | 'subject'>> & { organization?: string };

let serial = 0;

function issue(name: string, key: SigningKey, issuer: Party | undefined, request: Choices): Party {
  serial += 1;
  const { organization, ...rest } = request;
  const der = issueCertificate({
    subject: organization === undefined ? { commonName: name } : { commonName: name, organization },
    publicKeySpki: key.publicKeySpki,
    issuer: issuer === undefined ? { key } : { key: issuer.key, certificateDer: issuer.der },
    serial: Uint8Array.of(serial >> 8, serial & 0xff),
    notBeforeMs: Date.UTC(2026, 0),
    notAfterMs: Date.UTC(2027, 0),
    isCa: false,
    usages: ['clientAuth', 'serverAuth'],
    ...rest,
  });
  return { key, der };
}

/** An authority, self-signed without an issuer. */
export const authority = (name: string, n: number, issuer?: Party, choices: Choices = {}): Party =>
  issue(name, keyOf(n), issuer, { isCa: true, usages: ['keyCertSign'], ...choices });

/** An end entity, self-signed without an issuer. */
export const endEntity = (name: string, n: number, issuer?: Party, choices: Choices = {}): Party =>
  issue(name, keyOf(n), issuer, choices);

/** The certificate with its signed part edited in place and signed anew. */
export function resign(der: Uint8Array, key: SigningKey, edit: (tbs: Buffer) => void): Uint8Array {
  const { tbs, signatureAlgorithm } = parseCertificate(der);
  const edited = Buffer.from(tbs);
  edit(edited);
  return derSequence(edited, signatureAlgorithm, derBitString(key.sign(edited)));
}

/** Overwrites the one place where the hex occurs, with hex of the same length. */
export function patch(bytes: Buffer, from: string, to: string): void {
  const at = bytes.indexOf(from, 0, 'hex');
  if (at < 0 || bytes.indexOf(from, at + 1, 'hex') >= 0 || from.length !== to.length) {
    throw new Error(`no single ${from} to patch`);
  }
  viewOf(bytes).write(to, at, 'hex');
}
