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

/** What an organisation signs and shows itself with; a roll-over replaces it. */
export interface Identity {
  key: SigningKey;
  certificateDer: Uint8Array;
  certificatePem: string;
}

/** A member organisation: its key, and what the membership list says of it. */
export interface Organisation extends Identity {
  readonly name: string;
  readonly seed: string;
  /** Identities it has had made. */
  identities: number;
  readonly actorId: ActorId;
}

const tenYearsMs = 10 * 365 * 24 * 3600 * 1000;

/** The organisation of this name in a run; the same every time. */
export function createOrganisation(name: string, seed: string): Organisation {
  const identity = createIdentity(name, `${seed} organisation ${name}`);
  return { name, seed, identities: 1, ...identity, actorId: actorIdOf(identity.certificateDer) };
}

/** Another key and certificate for an organisation, which are nothing before a vote. */
export function nextIdentity(organisation: Organisation): Identity {
  const { name, seed } = organisation;
  organisation.identities += 1;
  return createIdentity(name, `${seed} organisation ${name} ${organisation.identities}`);
}

function createIdentity(name: string, keySeed: string): Identity {
  const key = createSigningKey(sha256(utf8(keySeed)));
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
  return { key, certificateDer, certificatePem: toPem(certificateDer) };
}

/** The entry of an organisation in the membership list. */
export const actorEntry = ({ name, certificatePem }: Organisation) => ({
  kind: ['member', 'participant'],
  name,
  certificate: certificatePem,
  roles: [],
});
