import type { ActorId, NodeId } from '@concordat/std';
import { canonicalJson, constitutionDigest } from './canonical-json.ts';
import type { Constitution, NodeEntry } from './constitution.ts';

/** Whose own admission is no change of what it approved. */
export interface Newcomer {
  readonly nodeId: NodeId;
  /** The actor that runs it, where it said so: then that actor's admission is its own as well. */
  readonly actorId?: ActorId;
}

/**
 * Hex SHA-256 of what a newcomer approves of a constitution (paper, "Adding a New Member or
 * Participant"): all of it, but for its own admission and for what nodes do without a vote. Of each
 * other present node it holds owner, name and addresses; keys and status change when a node starts
 * anew. Two constitutions with these terms differ in nothing that anybody voted on otherwise.
 */
export function constitutionTerms(
  constitution: Constitution,
  { nodeId, actorId }: Partial<Newcomer> = {},
): string {
  const present = constitution.nodes.filter(
    (node) => node.status !== 'retired' && node.nodeId !== nodeId,
  );
  // A node that starts anew and its successor are one place in the list.
  const places = [...new Set(present.map((node) => canonicalJson(placeOf(node))))].sort();
  const actors = constitution.actors.filter((actor) => actor.actorId !== actorId);
  const terms = { ...constitution, actors, nodes: places as readonly unknown[] as NodeEntry[] };
  return constitutionDigest(terms);
}

const placeOf = ({ actorId, name, address, adminAddress, applicationAddresses }: NodeEntry) => ({
  actorId,
  name,
  address,
  adminAddress,
  applicationAddresses,
});
