import type { ReadView } from '@concordat/kv';
import type { NodeEntry } from './constitution.ts';
import { GovernanceError } from './errors.ts';
import { requireKeyThreshold } from './key-threshold.ts';
import { membersOf } from './members.ts';
import { completePolicies, requireConsistentPolicies } from './policies.ts';
import { requireSafeQuorums } from './quorum-policies.ts';
import { readRow, readRows, tables } from './tables.ts';
import { requireNamedMembers, requireSatisfiable, type VotingPolicies } from './voting-policy.ts';

/**
 * What holds of every network after every change: at least one member, voting policies that the
 * members can meet, policies that agree with each other, quorums that meet, one address a node. A
 * network that broke one could never be governed again.
 * @throws GovernanceError LAST_MEMBER, UNSATISFIABLE_VOTING_POLICY, INVALID_POLICY,
 *   UNSAFE_QUORUMS, UNSATISFIABLE_KEY_THRESHOLD, ADDRESS_TAKEN
 */
export function requireLawful(view: ReadView): void {
  const voters = membersOf(view);
  if (voters.length === 0) {
    throw new GovernanceError('LAST_MEMBER', 'a network needs at least one member');
  }
  const votingPolicies = Object.fromEntries(
    readRows(view, tables.votingPolicies),
  ) as unknown as VotingPolicies;
  requireNamedMembers(votingPolicies, voters);
  requireSatisfiable(votingPolicies, voters);
  const policies = completePolicies((name) => readRow(view, tables.policies, name));
  requireConsistentPolicies(policies);
  requireKeyThreshold(policies, voters.length);
  requireQuorumsMeet(view);
  requireOwnAddresses(Array.from(readRows(view, tables.nodes), ([, node]) => node));
}

/**
 * Refuses a change of the voters that the quorum policies do not allow for.
 * @throws GovernanceError UNSAFE_QUORUMS
 */
export function requireQuorumsMeet(view: ReadView): void {
  const policies = completePolicies((name) => readRow(view, tables.policies, name));
  const nodes = Array.from(readRows(view, tables.nodes), ([, node]) => node);
  requireSafeQuorums(policies, nodes);
}

/**
 * Refuses two present nodes at one address, unless one is taking the other's place.
 * @throws GovernanceError ADDRESS_TAKEN
 */
export function requireOwnAddresses(nodes: readonly NodeEntry[]): void {
  const byAddress = new Map<string, NodeEntry>();
  for (const node of nodes) {
    if (node.status === 'retired') continue;
    const other = byAddress.get(node.address);
    byAddress.set(node.address, node);
    if (!other || other.replaces === node.nodeId || node.replaces === other.nodeId) continue;
    throw new GovernanceError('ADDRESS_TAKEN', `two nodes have the address ${node.address}`, {
      address: node.address,
      nodes: [other.nodeId, node.nodeId],
    });
  }
}

/** How many nodes are full parts of the network. */
export function trustedNodes(view: ReadView): number {
  let count = 0;
  for (const [, node] of readRows(view, tables.nodes)) if (node.status === 'trusted') count++;
  return count;
}

/**
 * Refuses a change that took the last trusted node: nobody would be left to run the network.
 * @throws GovernanceError LAST_TRUSTED_NODE
 */
export function requireTrustedNode(view: ReadView, before: number): void {
  if (before === 0 || trustedNodes(view) > 0) return;
  throw new GovernanceError('LAST_TRUSTED_NODE', 'the last trusted node cannot be removed');
}
