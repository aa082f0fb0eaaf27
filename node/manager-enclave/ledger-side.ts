import { randomBytes } from 'node:crypto';
import { createRaft, type InitialState } from '@concordat/consensus';
import type { Policies } from '@concordat/governance';
import { AdministrativeQueue } from './administrative-queue.ts';
import { CatchUp } from './catch-up.ts';
import { distributionUnder } from './distribution-policy.ts';
import { entropy } from './enclave-sources.ts';
import { JoinDesk } from './join-desk.ts';
import { LedgerDriver } from './ledger-driver.ts';
import { type LedgerConsequences, LedgerReactions } from './ledger-reactions.ts';
import type { NodeContext } from './node-context.ts';
import { PeerRoster } from './peer-roster.ts';
import { ReadIndex } from './read-index.ts';
import { snapshotGapUnder } from './snapshot-policy.ts';

const maxAppendBytes = 4 * 1024 * 1024;
const payloadCacheBytes = 64 * 1024 * 1024;

/** The parts of a manager that take part in consensus. */
export interface LedgerSide {
  readonly driver: LedgerDriver;
  readonly queue: AdministrativeQueue;
  readonly joinDesk: JoinDesk;
  readonly roster: PeerRoster;
  readonly readIndex: ReadIndex;
}

/** Makes them for a node that starts from a state of its log under these policies. */
export function createLedgerSide(
  node: NodeContext,
  consequences: LedgerConsequences,
  { initial, policies }: { readonly initial: InitialState; readonly policies: Policies },
): LedgerSide {
  const { administration, log, control, channel, identity, stored, network } = node;
  const events = new LedgerReactions(node, consequences);
  const consensus = createRaft({
    self: identity.nodeId,
    ...ticksOf(policies, node.start.tickMs),
    random: () => randomBytes(4).readUInt32BE() / 0x1_0000_0000,
    maxAppendBytes,
    maxInflightAppends: 256,
    maxMemoryBytes: payloadCacheBytes,
    // Asked whenever a peer is behind: a vote may have changed it.
    get snapshotGap() {
      const inForce = administration.isCommitted ? administration.committedConstitution : undefined;
      return snapshotGapUnder(inForce?.policies ?? policies);
    },
    distribution: distributionUnder(policies),
    initial,
  });
  const readIndex: ReadIndex = new ReadIndex((requestId) => driver.readIndex(requestId));
  const snapshots = new CatchUp(node, {
    onRestoring: (height) => consequences.onRestoring(height),
    onRestored: (height) => events.restored(height),
  });
  const parts = { consensus, log, disk: control, stored, peers: channel, events };
  const driver = new LedgerDriver({ ...parts, reads: readIndex, snapshots });
  node.epochs.onKey(() => {
    driver.keyCame();
    events.keyCame();
  });
  const offered = node.snapshots.newestUsable;
  if (offered) driver.offerSnapshot(offered);
  const queue = new AdministrativeQueue({
    administration,
    driver,
    log,
    sessionKey: () => events.sessionKey(),
    onPlaced: (height, announcement) => events.placed(height, announcement),
    onTakenBack: () => events.takenBack(),
  });
  const joinDesk = new JoinDesk({
    administration,
    queue,
    driver,
    network,
    networkKey: node.networkKey,
    entropy,
    log: (event, fields) => control.log(event, fields),
  });
  const roster = new PeerRoster(identity.nodeId, channel, driver);
  return { driver, queue, joinDesk, roster, readIndex };
}

/** Times of the constitution in ticks of this host. */
const ticksOf = ({ electionTimeoutMs, heartbeatMs }: Policies, tickMs: number) => ({
  electionTicks: Math.max(4, Math.ceil(electionTimeoutMs / tickMs)),
  heartbeatTicks: Math.max(1, Math.floor(heartbeatMs / tickMs)),
});
