import { actorIdOf, fromPem, spkiOf, toPem } from '@concordat/crypto';
import { assert, toActorId, toHex } from '@concordat/std';
import { type Actor, type ActorKind, type EarlierCertificate, isMember } from './constitution.ts';
import { Field } from './field.ts';

const actorKinds: readonly ActorKind[] = ['member', 'participant'];

/** The properties of an actor that a constitution or an add_actor action gives. */
export const actorProperties = ['kind', 'name', 'certificate', 'roles'] as const;

/**
 * Reads an actor; its id follows from its certificate. Members need a P-256 key, because they
 * sign COSE messages with ES256. @throws GovernanceError of the field's code
 */
export function readActor(field: Field): Actor {
  const certificateField = field.at('certificate');
  const der = readCertificate(certificateField);
  const kind = readActorKinds(field.at('kind'));
  const roles = field.optional('roles');
  const actor: Actor = {
    actorId: actorIdOf(der),
    kind,
    name: field.at('name').name(),
    certificate: toPem(der),
    roles: roles ? readRoles(roles) : [],
  };
  if (isMember(actor)) {
    new Field(toHex(spkiOf(der)), certificateField.path, field.code).publicKey();
  }
  return actor;
}

/** Reads one or both kinds, sorted. @throws GovernanceError of the field's code */
export function readActorKinds(field: Field): ActorKind[] {
  const kinds = field.list(2).map((item) => item.oneOf(actorKinds));
  if (kinds.length === 0) field.fail('must name at least one kind');
  return [...new Set(kinds)].sort();
}

/** Reads an actor's roles, at most 32, sorted. @throws GovernanceError of the field's code */
export const readRoles = (field: Field): string[] =>
  [...new Set(field.list(32).map((role) => role.identifier()))].sort();

/**
 * Reads an actor as the constitution of a running network lists it: with its id, and with what votes
 * changed of its certificates.
 */
export function readListedActor(field: Field): Actor {
  field.only(['actorId', ...actorProperties, 'earlier', 'revision']);
  const { roles, ...read } = readActor(field);
  const given = field.optional('actorId');
  const revision = field.optional('revision')?.integer({ min: 1, max: 1_000_000_000 });
  if (revision === undefined) {
    if (given && given.value !== read.actorId) given.fail('must be that of the certificate');
    field.optional('earlier')?.fail('is for actors whose certificates were changed');
    return { ...read, roles };
  }
  const earlier = field.optional('earlier')?.list(maxEarlier).map(readEarlier) ?? [];
  const actorId = toActorId(field.at('actorId').hex(32));
  return { ...read, actorId, roles, ...(earlier.length > 0 && { earlier }), revision };
}

const maxEarlier = 3;

function readEarlier(field: Field): EarlierCertificate {
  field.only(['certificate', 'untilSeconds']);
  const untilSeconds = field.optional('untilSeconds')?.integer({ min: 1, max: lastSecond });
  const certificate = toPem(readCertificate(field.at('certificate')));
  return { certificate, ...(untilSeconds !== undefined && { untilSeconds }) };
}

/** The last second of the year 9999. */
export const lastSecond = 253_402_300_799;

/** Reads a text that is exactly one PEM certificate, as DER. */
export function readCertificate(field: Field): Uint8Array {
  const pem = field.text(16_384);
  let ders: Uint8Array[] = [];
  try {
    ders = fromPem(pem);
    for (const der of ders) spkiOf(der);
  } catch {
    field.fail('must be an X.509 certificate in PEM');
  }
  const [der] = ders;
  if (der === undefined || ders.length !== 1) field.fail('must be exactly one PEM certificate');
  return der;
}

/** DER of an actor's certificate. */
export function actorCertificate(actor: Actor): Uint8Array {
  const [der] = fromPem(actor.certificate);
  assert(der !== undefined, 'an actor without a certificate was let in');
  return der;
}
