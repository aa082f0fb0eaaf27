import {
  type Certificate,
  type ChainRefusal,
  CryptoError,
  certificateFingerprint,
  parseCertificate,
  type SubjectName,
  serialText,
  subjectOf,
  verifyCertificateChain,
} from '@concordat/crypto';
import { equalBytes } from '@concordat/std';
import { type ActorCertificate, certificatesOf, isInUse } from './actor-certificates.ts';
import type { Actor, Constitution } from './constitution.ts';
import { type RevocationTerms, revocationCheck } from './revocation-lists.ts';

/** Why a certificate is nobody's: codes of the catalogue in core/api. */
export type AuthenticationRefusal =
  | 'UNKNOWN_ACTOR'
  | 'CERTIFICATE_RETIRED'
  | 'CLIENT_CERTIFICATE_EXPIRED'
  | 'CLIENT_CERTIFICATE_NOT_YET_VALID'
  | 'CLIENT_CERTIFICATE_REVOKED'
  | 'CLIENT_CERTIFICATE_INVALID';

/** What a client presented. */
export interface PresentedCertificate {
  /** DER. */
  readonly leafDer: Uint8Array;
  /** DER, in any order. */
  readonly intermediates: readonly Uint8Array[];
  /** The instant it must be valid at, ms since the Unix epoch. */
  readonly atMs: number;
}

/** Who of an actor presented a certificate, as that certificate says. */
export interface Bearer {
  /** Common name; empty when there is none. */
  readonly name: string;
  /** Serial number, lowercase hex: see {@link serialText}. */
  readonly serial: string;
  /** Hex SHA-256 of the DER. */
  readonly fingerprint: string;
  /** Whether it is a certificate below the actor's, not one of the membership list. */
  readonly isStaff: boolean;
  /** The actor's roles, or for staff those of them that its certificate names. */
  readonly roles: readonly string[];
}

/** The actor and the chain from the presented certificate up, as DER; or why there is none. */
export type Authentication =
  | {
      readonly ok: true;
      readonly actor: Actor;
      readonly bearer: Bearer;
      readonly chain: readonly Uint8Array[];
      /** Last instant of the chain's validity, and of the use of the actor's certificate in it. */
      readonly untilMs: number;
    }
  | {
      readonly ok: false;
      readonly code: AuthenticationRefusal;
      /** What exactly is wrong with a certificate that is invalid. */
      readonly reason?: ChainRefusal | 'TOO_LARGE' | 'UNREADABLE_NAME';
    };

/** Of a certificate that is presented, bytes: as long as one of the membership list may be. */
const maxLeafBytes = 12 * 1024;

/**
 * The actor a certificate authenticates as: the one whose certificate it is, or whose certificate
 * (an organisation's or intermediate CA's) issued it; of several in its chain the nearest (paper:
 * Actors and Identity). A verdict, never a throw. Takes the cached constitution.
 */
export function actorForCertificate(
  constitution: Pick<Constitution, 'actors'> & RevocationTerms,
  presented: PresentedCertificate,
): Authentication {
  const { leafDer, atMs } = presented;
  // It goes with every request of its connection, and is remembered.
  if (leafDer.length > maxLeafBytes) return invalid('TOO_LARGE');
  const known = knownIn(constitution.actors);
  const fingerprint = certificateFingerprint(leafDer);
  const own = known.get(fingerprint);
  const wasFirst = constitution.actors.some(({ actorId }) => actorId === fingerprint);
  if (own ? !isInUse(own.certificate, atMs) : wasFirst) {
    return { ok: false, code: 'CERTIFICATE_RETIRED' };
  }
  const inUse = [...known.values()].filter(({ certificate }) => isInUse(certificate, atMs));
  const verdict = verifyCertificateChain({
    leaf: leafDer,
    intermediates: presented.intermediates,
    roots: inUse.map(({ parsed }) => parsed),
    atMs,
    usage: 'clientAuth',
    revocation: revocationCheck(constitution, atMs),
  });
  if (!verdict.ok) return refusalOf(verdict.code);
  const root = verdict.chain.map((der) => known.get(certificateFingerprint(der))).find(Boolean);
  if (!root) return { ok: false, code: 'UNKNOWN_ACTOR' };
  // It may hang below another actor's certificate, which is in use: the nearest is meant all the same.
  if (!isInUse(root.certificate, atMs)) return { ok: false, code: 'CERTIFICATE_RETIRED' };
  const subject = readSubject(leafDer);
  if (!subject) return invalid('UNREADABLE_NAME');
  const chain = verdict.chain.map(parseCertificate);
  const { actor, certificate } = root;
  const isStaff = own === undefined;
  // One the actor no longer has is not staff's of the one that followed it over the same key.
  if (isStaff && chain.slice(1).some(({ spki }) => equalBytes(spki, chain[0]?.spki ?? spki))) {
    return { ok: false, code: 'CERTIFICATE_RETIRED' };
  }
  const ends = chain.map(({ notAfterMs }) => notAfterMs);
  if (certificate.untilSeconds !== undefined) ends.push(certificate.untilSeconds * 1000 + 999);
  return {
    ok: true,
    actor,
    bearer: {
      name: subject.commonName,
      serial: serialText(chain[0]?.serial ?? new Uint8Array(0)),
      fingerprint,
      isStaff,
      roles: isStaff ? staffRoles(actor, subject) : actor.roles,
    },
    chain: verdict.chain,
    untilMs: Math.min(...ends),
  };
}

interface Known {
  readonly actor: Actor;
  readonly certificate: ActorCertificate;
  readonly parsed: Certificate;
}

const knownByList = new WeakMap<readonly Actor[], ReadonlyMap<string, Known>>();

/** Certificates of a membership list by fingerprint, read once for the list. */
function knownIn(actors: readonly Actor[]): ReadonlyMap<string, Known> {
  const before = knownByList.get(actors);
  if (before !== undefined) return before;
  const known = new Map<string, Known>();
  for (const actor of actors) {
    for (const certificate of certificatesOf(actor)) {
      const { fingerprint, der } = certificate;
      known.set(fingerprint, { actor, certificate, parsed: parseCertificate(der) });
    }
  }
  knownByList.set(actors, known);
  return known;
}

const rolePrefix = 'role:';

/**
 * Roles of someone of an organisation: those of the actor that an organisational unit of the
 * certificate's subject names, as `role:auditor` or plainly `auditor`; `role:*` names them all. The
 * organisation shares its roles out, the constitution says which there are to share.
 */
export function staffRoles(
  { roles }: Pick<Actor, 'roles'>,
  { organizationalUnits = [] }: SubjectName,
): readonly string[] {
  if (organizationalUnits.includes(`${rolePrefix}*`)) return roles;
  return roles.filter((role) =>
    organizationalUnits.some((unit) => unit === role || unit === `${rolePrefix}${role}`),
  );
}

/** Undefined when our strict reader cannot make sense of the names. */
function readSubject(der: Uint8Array): SubjectName | undefined {
  try {
    return subjectOf(der);
  } catch (error) {
    if (error instanceof CryptoError) return undefined;
    throw error;
  }
}

const invalid = (reason: NonNullable<Refused['reason']>): Authentication => ({
  ok: false,
  code: 'CLIENT_CERTIFICATE_INVALID',
  reason,
});

type Refused = Extract<Authentication, { ok: false }>;

function refusalOf(code: ChainRefusal): Authentication {
  switch (code) {
    case 'UNTRUSTED':
      return { ok: false, code: 'UNKNOWN_ACTOR' };
    case 'EXPIRED':
      return { ok: false, code: 'CLIENT_CERTIFICATE_EXPIRED' };
    case 'NOT_YET_VALID':
      return { ok: false, code: 'CLIENT_CERTIFICATE_NOT_YET_VALID' };
    case 'REVOKED':
      return { ok: false, code: 'CLIENT_CERTIFICATE_REVOKED' };
    default:
      return invalid(code);
  }
}
