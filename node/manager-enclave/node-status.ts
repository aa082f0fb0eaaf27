import { unknownNetwork } from './admission.ts';
import type { ShownConstitution } from './constitution-approval.ts';
import { nodeTupleFor } from './network-genesis.ts';
import type { NodeContext } from './node-context.ts';

/** What an operator wants to know at a glance, as the host shows it. No secret is in it. */
export function statusOf(node: NodeContext, reason: string | undefined, shown?: ShownConstitution) {
  const { phase, identity, start, network, verdict } = node;
  const status = node.takesPart ? node.driver.status : undefined;
  return {
    phase,
    ...(reason && { reason }),
    ...(phase === 'awaiting-approval' && shown && { approval: shown }),
    nodeId: identity.nodeId,
    node: nodeTupleFor(start, identity),
    networkId: network.id === unknownNetwork ? undefined : network.id,
    networkCertificate: network.certificate || undefined,
    measurement: verdict.measurement,
    platform: verdict.platform,
    ...(status && {
      role: status.role,
      view: status.view,
      leader: status.leader,
      height: status.lastHeight,
      committedHeight: status.committed,
      snapshotHeight: node.snapshots.newestHeight,
      ...backfillOf(node),
      ...damageOf(node),
    }),
    keys: node.keyDesk.status,
  };
}

/** How much of the past this node's host lacks; nothing when it has all of it. */
export function backfillOf({ held }: NodeContext): { backfill?: Backfilled } {
  return held.next ? { backfill: { missing: held.missing, from: held.next.from } } : {};
}

/** Damaged chunks of the ledger on this host that cannot be replaced for now, if any. */
function damageOf({ healing }: NodeContext): { damaged?: NodeContext['healing']['kept'] } {
  const { kept } = healing;
  return kept.length > 0 ? { damaged: kept.slice(0, 8) } : {};
}

interface Backfilled {
  readonly missing: number;
  readonly from: number;
}
