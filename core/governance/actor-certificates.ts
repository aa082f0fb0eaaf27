import { certificateFingerprint, fromPem, spkiOf } from '@concordat/crypto';
import type { ReadView, TransactionSet } from '@concordat/kv';
import { type ActorId, assert } from '@concordat/std';
import type { Actor } from './constitution.ts';
import { readRow, tables, writeRow } from './tables.ts';

/** Certificates one actor may have at a time, the newest included. */
export const maxActorCertificates = 4;

/** A certificate an actor may use. */
export interface ActorCertificate {
  readonly der: Uint8Array;
  /** Hex SHA-256 of the DER: what `kid` of a message names. */
  readonly fingerprint: string;
  /** Last second of its use, since the Unix epoch; absent: until a vote removes it. */
  readonly untilSeconds?: number;
}

/** All certificates of an actor, the newest first, whether or not their time is over. */
export const certificatesOf = (actor: Actor): readonly ActorCertificate[] =>
  [{ certificate: actor.certificate }, ...(actor.earlier ?? [])].map(toActorCertificate);

function toActorCertificate({
  certificate,
  ...until
}: NonNullable<Actor['earlier']>[number]): ActorCertificate {
  const [der] = fromPem(certificate);
  assert(der !== undefined, 'an actor without a certificate was let in');
  return { der, fingerprint: certificateFingerprint(der), ...until };
}

/** Whether an actor may use one of its certificates at a time, ms since the Unix epoch. */
export const isInUse = ({ untilSeconds }: ActorCertificate, atMs: number): boolean =>
  untilSeconds === undefined || atMs < (untilSeconds + 1) * 1000;

/** The actor that has, or had, the certificate of a fingerprint; undefined for strangers'. */
export function actorOfFingerprint(view: ReadView, fingerprint: string): Actor | undefined {
  const later = readRow(view, tables.laterCertificates, fingerprint);
  return readRow(view, tables.actors, later ?? fingerprint);
}

/** Writes an actor, and whose its later certificates are. */
export function writeActor(set: TransactionSet, actor: Actor): void {
  const { actorId } = actor;
  writeRow(set, tables.actors, actorId, actor);
  if (actor.revision === undefined) return;
  for (const { fingerprint } of certificatesOf(actor)) {
    if (fingerprint !== actorId) writeRow(set, tables.laterCertificates, fingerprint, actorId);
  }
}

/** The id of that actor; of a stranger's certificate, its own fingerprint. */
export const actorIdOfFingerprint = (view: ReadView, fingerprint: string): ActorId =>
  actorOfFingerprint(view, fingerprint)?.actorId ?? (fingerprint as ActorId);

/** DER SPKI of an actor's keys, the newest first, each once. */
export function actorPublicKeys(actor: Actor): readonly Uint8Array[] {
  const keys = certificatesOf(actor).map(({ der }) => spkiOf(der));
  return keys.filter((key, at) => keys.findIndex((one) => Buffer.compare(one, key) === 0) === at);
}
