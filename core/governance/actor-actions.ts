import type { ReadView, TransactionSet } from '@concordat/kv';
import { type ActorId, toActorId, toHex } from '@concordat/std';
import { actorProperties, actorPublicKey, readActor } from './actor.ts';
import type { Actor } from './constitution.ts';
import type { Action, GovernanceEffect } from './effects.ts';
import { GovernanceError } from './errors.ts';
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
} satisfies Record<string, Action>;

/** One key is one actor: a second certificate over it would be a second vote. */
function requireNewActor(view: ReadView, actor: Actor): void {
  const key = toHex(actorPublicKey(actor));
  for (const [actorId, other] of readRows(view, tables.actors)) {
    const sameKey = toHex(actorPublicKey(other)) === key;
    if (actorId !== actor.actorId && other.name !== actor.name && !sameKey) continue;
    const shared = actorId === actor.actorId ? 'certificate' : sameKey ? 'key' : 'name';
    throw new GovernanceError('ACTOR_EXISTS', `an actor has that ${shared} already`, { actorId });
  }
}

function removeActor(set: TransactionSet, actorId: ActorId): GovernanceEffect[] {
  if (!readRow(set, tables.actors, actorId)) {
    throw new GovernanceError('ACTOR_NOT_FOUND', 'no such actor', { actorId });
  }
  const effects: GovernanceEffect[] = [];
  for (const [, node] of [...readRows(set, tables.nodes)]) {
    if (node.actorId === actorId && node.status !== 'retired') effects.push(strikeNode(set, node));
  }
  deleteRow(set, tables.actors, actorId);
  forgetSigner(set, actorId);
  deleteRow(set, tables.holders, actorId);
  return [...effects, ...forgetMember(set, actorId), { kind: 'actor-removed', actorId }];
}
