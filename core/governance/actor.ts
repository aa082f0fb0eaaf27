import { actorIdOf, fromPem, spkiOf, toPem } from '@concordat/crypto';
import { assert, toHex } from '@concordat/std';
import { type Actor, type ActorKind, isMember } from './constitution.ts';
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
  const kinds = field.at('kind').list(2);
  const kind = [...new Set(kinds.map((item) => item.oneOf(actorKinds)))].sort();
  if (kind.length === 0) field.at('kind').fail('must name at least one kind');
  const roles = (field.optional('roles')?.list(32) ?? []).map((role) => role.identifier());
  const actor: Actor = {
    actorId: actorIdOf(der),
    kind,
    name: field.at('name').name(),
    certificate: toPem(der),
    roles: [...new Set(roles)].sort(),
  };
  if (isMember(actor)) {
    new Field(toHex(spkiOf(der)), certificateField.path, field.code).publicKey();
  }
  return actor;
}

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

/** DER SPKI of an actor's key. */
export const actorPublicKey = (actor: Actor): Uint8Array => spkiOf(actorCertificate(actor));
