import type { Constitution } from '@concordat/governance';
import { ManagerError } from './errors.ts';
import type { NodeContext } from './node-context.ts';
import type { RecordKeeper, RejoinRecord } from './record-keeper.ts';

/** A node and its sealed records. */
type RecordingNode = NodeContext & { readonly keeper: RecordKeeper };

/** What the next launch of this node rejoins with, as the node list is now. */
export function rejoinRecordOf(
  { administration, identity, network }: NodeContext,
  { nodes }: Pick<Constitution, 'nodes'> = administration.exists
    ? administration.constitution
    : { nodes: [] },
): RejoinRecord {
  const peers = nodes
    .filter(({ nodeId, status }) => nodeId !== identity.nodeId && status === 'trusted')
    .map(({ address }) => address);
  return {
    replaces: identity.nodeId,
    peers,
    networkCertificate: network.certificate,
    networkId: network.id,
  };
}

/**
 * Checks that the ledger has confirmed the snapshot another node gave, if this one stands on such:
 * it was recorded before it was given. Otherwise nothing of it is kept, and the next launch joins.
 * @throws ManagerError SNAPSHOT_UNPROVEN
 */
export async function requireProven(node: RecordingNode): Promise<void> {
  const height = node.snapshots.unproven;
  if (height === undefined) return;
  throw await discarding(node, `the ledger has no record of the snapshot ${height}`);
}

/** Leaves word that nothing of this node's state is to be used again; answers why. */
export async function discarding(node: RecordingNode, why: string): Promise<ManagerError> {
  const record = rejoinRecordOf(node);
  await node.keeper.keepRejoin({ ...record, discardLedger: true });
  return new ManagerError('SNAPSHOT_UNPROVEN', why);
}
