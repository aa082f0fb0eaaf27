import { encodeIdentity } from '@concordat/bridge';
import type { Actor } from './actors.ts';
import { actorOf } from './intake.ts';

const encoded = new WeakMap<Actor, Uint8Array>();
const maxKnown = 1_024;
const known = new Map<string, Actor>();

/**
 * The actor of an identity record. The same record gives the same object, so that a thousand
 * connections of one actor parse it once.
 * @throws DecodeError INVALID
 */
export function knownActor(identity: Uint8Array): Actor {
  const key = Buffer.from(identity).toString('latin1');
  let actor = known.get(key);
  if (actor === undefined) {
    actor = actorOf(identity);
    encoded.set(actor, Buffer.from(identity));
    if (known.size >= maxKnown) known.clear();
    known.set(key, actor);
  }
  return actor;
}

/** The identity record of an actor, to travel with a forwarded request. */
export function identityOf(actor: Actor): Uint8Array {
  let identity = encoded.get(actor);
  if (identity === undefined) {
    const { actorId, name, kinds, roles, staff, certificate = '' } = actor;
    const who = { subject: staff?.name ?? name, serial: staff?.serial ?? '' };
    const presented = { ...who, isStaff: staff !== undefined, fingerprint: actorId, certificate };
    identity = encodeIdentity({ actorId, name, kinds, roles, ...presented });
    encoded.set(actor, identity);
  }
  return identity;
}
