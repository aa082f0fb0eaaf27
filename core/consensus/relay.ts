import type { NodeId } from '@concordat/std';
import type { Refusal } from './consensus.ts';
import { handleAppend } from './follower.ts';
import type { Relay } from './message.ts';
import { maxVoters } from './quorum.ts';
import type { RaftState } from './state.ts';

/** Handles an append that came by way of a peer, and passes it on before anything else is done. */
export function handleRelay(state: RaftState, from: NodeId, relay: Relay): Refusal | undefined {
  const { leader, targets, append } = relay;
  const known = state.configurations.voters.has(from) || state.learners.has(from);
  if (!known && from !== state.leader) {
    return { code: 'UNKNOWN_PEER', message: 'relay by a node that is no member' };
  }
  if (leader === state.self) return { code: 'UNEXPECTED', message: 'a relay of our own append' };
  const malformed = malformedRelay(state, relay);
  if (malformed) return { code: 'MALFORMED', message: malformed };
  const refusal = handleAppend(state, leader, append);
  if (refusal) return refusal;
  for (const { to, relayTo } of state.distribution.plan(targets)) {
    state.outbox.send(to, { ...relay, targets: relayTo });
  }
  return undefined;
}

function malformedRelay(state: RaftState, { view, leader, targets, append }: Relay) {
  if (view !== append.view) return 'a relay of another view than its append';
  if (targets.length > maxVoters) return `a relay to ${targets.length} nodes`;
  if (new Set(targets).size !== targets.length) return 'a relay names a node twice';
  if (targets.includes(state.self) || targets.includes(leader)) return 'a relay goes in a circle';
  return undefined;
}
