import { isSigningPublicKey } from '@concordat/crypto';
import type { ReadView, TransactionSet } from '@concordat/kv';
import { type ActorId, toActorId } from '@concordat/std';
import {
  actorCertificate,
  actorProperties,
  readActor,
  readActorKinds,
  readRoles,
} from './actor.ts';
import { dropLaterCertificates, requireNobodyElses } from './actor-certificate-actions.ts';
import { actorPublicKeys, writeActor } from './actor-certificates.ts';
import { type Actor, isMember } from './constitution.ts';
import type { Action, GovernanceEffect } from './effects.ts';
import { GovernanceError } from './errors.ts';
import type { Field } from './field.ts';
import { forgetMember } from './member-leaving.ts';
import { strikeNode } from './node-actions.ts';
import { forgetSigner } from './replay.ts';
import { deleteRow, readRow, readRows, tables, writeRow } from './tables.ts';

/** Changes of the membership list. */
export const actorActions = {
  add_actor: (args) => {
    const actor = readActor(args.only(actorProperties));
    return (set) => {
      requireNewActor(set, actor);
      writeRow(set, tables.actors, actor.actorId, actor);
      return [{ kind: 'actor-added', actorId: actor.actorId }];
    };
  },
  remove_actor: (args) => {
    const actorId = toActorId(args.only(['actorId']).at('actorId').hex(32));
    return (set) => removeActor(set, actorId);
  },
  set_actor_roles: (args) => {
    const actorId = toActorId(args.only(['actorId', 'roles']).at('actorId').hex(32));
    const roles = readRoles(args.at('roles'));
    return (set) => {
      changeActor(set, actorId, { roles });
      return [{ kind: 'actor-roles-changed', actorId }];
    };
  },
  set_actor_kind: (args) => {
    const actorId = toActorId(args.only(['actorId', 'kind']).at('actorId').hex(32));
    const kind = readActorKinds(args.at('kind'));
    return (set) => {
      const actor = changeActor(set, actorId, { kind });
      if (isMember(actor)) requireMemberKey(actor, args);
      // Whoever is no member leaves what members are named in; its keys are dealt anew without it.
      const left = isMember(actor) ? [] : forgetMember(set, actorId);
      return [...left, { kind: 'actor-kind-changed', actorId }];
    };
  },
} satisfies Record<string, Action>;

function changeActor(
  set: TransactionSet,
  actorId: ActorId,
  change: Partial<Pick<Actor, 'kind' | 'roles'>>,
): Actor {
  const actor = readRow(set, tables.actors, actorId);
  if (!actor) throw new GovernanceError('ACTOR_NOT_FOUND', 'no such actor', { actorId });
  const changed = { ...actor, ...change, revision: (actor.revision ?? 0) + 1 };
  writeActor(set, changed);
  return changed;
}

/** Members sign with ES256, by whatever certificate they use. */
function requireMemberKey(actor: Actor, args: Field): void {
  for (const key of actorPublicKeys(actor)) {
    if (isSigningPublicKey(key)) continue;
    args.at('kind').fail('must not name member: the actor has a certificate that is not P-256');
  }
}

/** One key is one actor: a second certificate over it would be a second vote. */
function requireNewActor(view: ReadView, actor: Actor): void {
  for (const [actorId, other] of readRows(view, tables.actors)) {
    if (actorId !== actor.actorId && other.name !== actor.name) continue;
    const shared = actorId === actor.actorId ? 'certificate' : 'name';
    throw new GovernanceError('ACTOR_EXISTS', `an actor has that ${shared} already`, { actorId });
  }
  requireNobodyElses(view, actor.actorId, actorCertificate(actor));
}

function removeActor(set: TransactionSet, actorId: ActorId): GovernanceEffect[] {
  const actor = readRow(set, tables.actors, actorId);
  if (!actor) {
    throw new GovernanceError('ACTOR_NOT_FOUND', 'no such actor', { actorId });
  }
  const effects: GovernanceEffect[] = [];
  for (const [, node] of [...readRows(set, tables.nodes)]) {
    if (node.actorId === actorId && node.status !== 'retired') effects.push(strikeNode(set, node));
  }
  deleteRow(set, tables.actors, actorId);
  dropLaterCertificates(set, actor);
  forgetSigner(set, actorId);
  deleteRow(set, tables.holders, actorId);
  return [...effects, ...forgetMember(set, actorId), { kind: 'actor-removed', actorId }];
}
