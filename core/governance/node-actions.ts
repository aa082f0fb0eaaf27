import type { TransactionSet } from '@concordat/kv';
import { toNodeId } from '@concordat/std';
import { actorOfFingerprint } from './actor-certificates.ts';
import type { NodeEntry } from './constitution.ts';
import type { Action, GovernanceEffect } from './effects.ts';
import { GovernanceError } from './errors.ts';
import { admittedNodeProperties, isSignedByOwner, readAdmittedNode } from './node-entry.ts';
import { requireRestored } from './recovery.ts';
import { deleteRow, readRow, readRows, tables, writeRow } from './tables.ts';

/** Changes of the list of validating nodes. */
export const nodeActions = {
  add_node: (args) => {
    const node = readAdmittedNode(args.only(admittedNodeProperties));
    return (set) => admitNode(set, node);
  },
  remove_node: (args) => {
    const nodeId = toNodeId(args.only(['nodeId']).at('nodeId').hex(32));
    return (set) => {
      const node = readRow(set, tables.nodes, nodeId);
      if (!node || node.status === 'retired') {
        throw new GovernanceError('NODE_NOT_FOUND', 'no such present node', { nodeId });
      }
      return removeNode(set, node);
    };
  },
} satisfies Record<string, Action>;

function admitNode(set: TransactionSet, given: NodeEntry): GovernanceEffect[] {
  const { nodeId } = given;
  requireRestored(set);
  // Whoever has a later certificate of the actor need not know the first, whose digest is the id.
  const owner = actorOfFingerprint(set, given.actorId);
  if (!owner) {
    const { actorId } = given;
    throw new GovernanceError('ACTOR_NOT_FOUND', 'no such actor', { actorId });
  }
  const { actorId } = owner;
  const node = { ...given, actorId };
  if (readRow(set, tables.nodes, nodeId)) {
    throw new GovernanceError('NODE_EXISTS', 'that node was listed before', { nodeId });
  }
  if (!isSignedByOwner(owner, node)) {
    throw new GovernanceError(
      'BAD_NODE_SIGNATURE',
      'the tuple {actor key, address, node key} is not signed by the owning actor',
      { actorId, nodeId },
    );
  }
  writeRow(set, tables.nodes, nodeId, node);
  return [{ kind: 'node-admitted', nodeId }];
}

/** With a node goes the successor that is about to take its place. */
function removeNode(set: TransactionSet, node: NodeEntry): GovernanceEffect[] {
  const struck = [...readRows(set, tables.nodes)].filter(
    ([, other]) => other.replaces === node.nodeId && other.status === 'learning',
  );
  return [node, ...struck.map(([, other]) => other)].map((other) => strikeNode(set, other));
}

/** Takes one present node out of the list. */
export function strikeNode(set: TransactionSet, node: NodeEntry): GovernanceEffect {
  const { nodeId } = node;
  // A node that never joined signed nothing, so nobody will look for its key.
  if (node.status === 'admitted') deleteRow(set, tables.nodes, nodeId);
  else writeRow(set, tables.nodes, nodeId, { ...node, status: 'retired', retired: 'removed' });
  return { kind: 'node-removed', nodeId };
}
