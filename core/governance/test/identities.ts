import {
  actorIdOf,
  createSigningKey,
  issueCertificate,
  issueRevocationList,
  parseCertificate,
  type SigningKey,
  serialText,
  toPem,
} from '@concordat/crypto';
import { issuerIdOf } from '@concordat/governance';
import { noon, organisation, seed, validFromMs, validToMs } from './network.ts';

/** A key and a certificate. */
export interface Issued {
  readonly key: SigningKey;
  readonly der: Uint8Array;
}

const later = new Map<string, ReturnType<typeof renew>>();

/** A later certificate of an organisation: the n-th, on a key of its own or on the first one. */
export function renewed(name: string, n: number, { sameKey = false } = {}) {
  const known = later.get(`${name} ${n}`) ?? renew(name, n, sameKey);
  later.set(`${name} ${n}`, known);
  return known;
}

function renew(name: string, n: number, sameKey: boolean) {
  const key = sameKey ? organisation(name).key : createSigningKey(seed(80_000 + n));
  const der = issueCertificate({
    subject: { commonName: name },
    publicKeySpki: key.publicKeySpki,
    issuer: { key },
    serial: Uint8Array.of(n),
    notBeforeMs: validFromMs,
    notAfterMs: validToMs,
    isCa: true,
    usages: ['keyCertSign', 'clientAuth'],
  });
  return { key, der, pem: toPem(der), fingerprint: actorIdOf(der) as string };
}

/** A certificate below another, a person's unless said otherwise. */
export function issued(name: string, issuer: Issued, changes: object = {}): Issued {
  const number = [...name].reduce((sum, char) => sum * 31 + char.charCodeAt(0), 3) >>> 0;
  const key = createSigningKey(seed(number));
  const der = issueCertificate({
    subject: { commonName: name },
    publicKeySpki: key.publicKeySpki,
    issuer: { key: issuer.key, certificateDer: issuer.der },
    serial: Uint8Array.of(1, number & 0xff, (number >> 8) & 0xff),
    notBeforeMs: validFromMs,
    notAfterMs: validToMs,
    isCa: false,
    usages: ['clientAuth'],
    ...changes,
  });
  return { key, der };
}

/** What makes an authority of it. */
export const authority = { isCa: true, usages: ['keyCertSign'] };

/** A revocation list of an authority, or of the organisation of that name. */
export function revocationList(
  by: string | Issued,
  number: bigint,
  revoked: readonly Issued[] = [],
  changes: object = {},
): Uint8Array {
  const { key, der } = typeof by === 'string' ? organisation(by) : by;
  return issueRevocationList({
    issuer: { key, certificateDer: der },
    number,
    thisUpdateMs: noon * 1000,
    nextUpdateMs: (noon + 86_400) * 1000,
    revoked: revoked.map((one) => ({
      serial: serialText(parseCertificate(one.der).serial),
      atMs: noon * 1000,
    })),
    ...changes,
  });
}

/** Id under which an organisation's list is kept. */
export const issuerId = (name: string): string =>
  issuerIdOf(parseCertificate(organisation(name).der));
