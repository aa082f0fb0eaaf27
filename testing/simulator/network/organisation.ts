import {
  actorIdOf,
  createSigningKey,
  issueCertificate,
  type SigningKey,
  sha256,
  toPem,
} from '@concordat/crypto';
import { type ActorId, utf8 } from '@concordat/std';
import { epochMs } from '../platform/world-clock.ts';

/** A member organisation: its key, and what the membership list says of it. */
export interface Organisation {
  readonly name: string;
  readonly key: SigningKey;
  readonly certificateDer: Uint8Array;
  readonly certificatePem: string;
  readonly actorId: ActorId;
}

const tenYearsMs = 10 * 365 * 24 * 3600 * 1000;

/** The organisation of this name in a run; the same every time. */
export function createOrganisation(name: string, seed: string): Organisation {
  const key = createSigningKey(sha256(utf8(`${seed} organisation ${name}`)));
  const certificateDer = issueCertificate({
    subject: { commonName: name },
    publicKeySpki: key.publicKeySpki,
    issuer: { key },
    serial: Uint8Array.of(1),
    notBeforeMs: epochMs - tenYearsMs,
    notAfterMs: epochMs + tenYearsMs,
    isCa: true,
    usages: ['keyCertSign', 'clientAuth'],
  });
  const certificatePem = toPem(certificateDer);
  return { name, key, certificateDer, certificatePem, actorId: actorIdOf(certificateDer) };
}

/** The entry of an organisation in the membership list. */
export const actorEntry = ({ name, certificatePem }: Organisation) => ({
  kind: ['member', 'participant'],
  name,
  certificate: certificatePem,
  roles: [],
});
