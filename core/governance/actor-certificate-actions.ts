import { certificateFingerprint, spkiOf, toPem } from '@concordat/crypto';
import type { ReadView, TransactionSet } from '@concordat/kv';
import { type ActorId, equalBytes, toActorId, toHex } from '@concordat/std';
import { lastSecond, readCertificate } from './actor.ts';
import {
  actorOfFingerprint,
  actorPublicKeys,
  certificatesOf,
  maxActorCertificates,
  writeActor,
} from './actor-certificates.ts';
import { type Actor, type EarlierCertificate, isMember } from './constitution.ts';
import type { Action, GovernanceEffect } from './effects.ts';
import { GovernanceError } from './errors.ts';
import { Field } from './field.ts';
import { deleteRow, readRow, readRows, tables } from './tables.ts';

/** Roll-over of actors' certificates: the new one comes, both are good, the old one goes. */
export const actorCertificateActions = {
  add_actor_certificate: (args) => {
    args.only(['actorId', 'certificate', 'earlierUntilSeconds']);
    const actorId = toActorId(args.at('actorId').hex(32));
    const certificate = args.at('certificate');
    const der = readCertificate(certificate);
    const untilSeconds = args.optional('earlierUntilSeconds')?.integer({ min: 1, max: lastSecond });
    return (set) => {
      const actor = requireActor(set, actorId);
      if (isMember(actor)) {
        new Field(toHex(spkiOf(der)), certificate.path, certificate.code).publicKey();
      }
      return addCertificate(set, actor, { der, ...(untilSeconds && { untilSeconds }) });
    };
  },
  remove_actor_certificate: (args) => {
    args.only(['actorId', 'fingerprint']);
    const actorId = toActorId(args.at('actorId').hex(32));
    const fingerprint = args.at('fingerprint').hex(32);
    return (set) => removeCertificate(set, requireActor(set, actorId), fingerprint);
  },
} satisfies Record<string, Action>;

function requireActor(view: ReadView, actorId: ActorId): Actor {
  const actor = readRow(view, tables.actors, actorId);
  if (actor) return actor;
  throw new GovernanceError('ACTOR_NOT_FOUND', 'no such actor', { actorId });
}

interface Added {
  readonly der: Uint8Array;
  /** When the newest of those before ends; it may end sooner. */
  readonly untilSeconds?: number;
}

function addCertificate(
  set: TransactionSet,
  actor: Actor,
  { der, untilSeconds }: Added,
): GovernanceEffect[] {
  const { actorId } = actor;
  const fingerprint = certificateFingerprint(der);
  const known = certificatesOf(actor);
  if (known.some((one) => one.fingerprint === fingerprint)) {
    throw new GovernanceError('CERTIFICATE_EXISTS', 'the actor has that certificate', {
      actorId,
      fingerprint,
    });
  }
  if (known.length >= maxActorCertificates) {
    throw new GovernanceError(
      'CERTIFICATE_LIMIT',
      `an actor has at most ${maxActorCertificates} certificates: remove one first`,
      { actorId },
    );
  }
  requireNobodyElses(set, actorId, der);
  const before: EarlierCertificate[] = [
    { certificate: actor.certificate },
    ...(actor.earlier ?? []),
  ].map((one) => (untilSeconds === undefined ? one : ended(one, untilSeconds)));
  revise(set, { ...actor, certificate: toPem(der), earlier: before });
  return [{ kind: 'actor-certificate-added', actorId, fingerprint }];
}

const ended = (one: EarlierCertificate, untilSeconds: number): EarlierCertificate => ({
  certificate: one.certificate,
  untilSeconds: Math.min(one.untilSeconds ?? untilSeconds, untilSeconds),
});

function removeCertificate(
  set: TransactionSet,
  actor: Actor,
  fingerprint: string,
): GovernanceEffect[] {
  const { actorId, earlier = [] } = actor;
  const known = certificatesOf(actor);
  const at = known.findIndex((one) => one.fingerprint === fingerprint);
  if (at < 0) {
    throw new GovernanceError('CERTIFICATE_NOT_FOUND', 'the actor has no such certificate', {
      actorId,
      fingerprint,
    });
  }
  const left = [{ certificate: actor.certificate }, ...earlier].filter((_, i) => i !== at);
  const [newest, ...others] = left;
  // One whose time ends cannot be the only one that is left.
  if (newest === undefined || 'untilSeconds' in newest) {
    throw new GovernanceError(
      'LAST_CERTIFICATE',
      'an actor keeps a certificate that does not end: add the new one first, or remove the actor',
      { actorId },
    );
  }
  const { earlier: _, ...rest } = actor;
  revise(set, {
    ...rest,
    certificate: newest.certificate,
    ...(others.length > 0 && { earlier: others }),
  });
  deleteRow(set, tables.laterCertificates, fingerprint);
  return [{ kind: 'actor-certificate-removed', actorId, fingerprint }];
}

function revise(set: TransactionSet, actor: Actor): void {
  writeActor(set, { ...actor, revision: (actor.revision ?? 0) + 1 });
}

/**
 * One key is one actor, however many certificates there are over it: another's would be a second
 * vote.
 * @throws GovernanceError ACTOR_EXISTS
 */
export function requireNobodyElses(view: ReadView, actorId: ActorId, der: Uint8Array): void {
  const key = spkiOf(der);
  const holder = actorOfFingerprint(view, certificateFingerprint(der));
  for (const [otherId, other] of readRows(view, tables.actors)) {
    if (otherId === actorId) continue;
    const shared =
      holder?.actorId === otherId
        ? 'certificate'
        : actorPublicKeys(other).some((one) => equalBytes(one, key)) && 'key';
    if (!shared) continue;
    throw new GovernanceError('ACTOR_EXISTS', `an actor has that ${shared} already`, {
      actorId: otherId,
    });
  }
}

/** Forgets the later certificates of an actor that is removed. */
export function dropLaterCertificates(set: TransactionSet, actor: Actor): void {
  for (const { fingerprint } of certificatesOf(actor)) {
    deleteRow(set, tables.laterCertificates, fingerprint);
  }
}
