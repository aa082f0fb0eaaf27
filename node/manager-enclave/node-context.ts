import type { Verdict } from '@concordat/attestation';
import type { ManagerStart } from '@concordat/bridge';
import type { NodeId } from '@concordat/std';
import type { Administration } from './administration.ts';
import type { AdministrativeQueue } from './administrative-queue.ts';
import type { Archive } from './archive.ts';
import type { Backfill } from './backfill.ts';
import type { BlockLog } from './block-log.ts';
import type { ChunkHealing } from './chunk-healing.ts';
import type { ControlLink } from './control-link.ts';
import type { EpochDesk } from './epoch-desk.ts';
import type { HeldBlocks } from './held-blocks.ts';
import type { HistoryPages } from './history-pages.ts';
import type { KeyDesk } from './key-desk.ts';
import type { LeaderChanges } from './leader-changes.ts';
import type { LedgerDriver } from './ledger-driver.ts';
import type { Phase } from './life-cycle.ts';
import type { NetworkKey } from './network-key.ts';
import type { NodeIdentity } from './node-identity.ts';
import type { PeerChannel } from './ports.ts';
import type { ReadBarriers } from './read-barriers.ts';
import type { RecoveryDesk } from './recovery-desk.ts';
import type { RefusalCounts } from './refusal-counts.ts';
import type { Reopening } from './reopening.ts';
import type { SealedRecords } from './sealed-records.ts';
import type { SessionKeys } from './session-keys.ts';
import type { ShareVault } from './share-vault.ts';
import type { SnapshotDesk } from './snapshot-desk.ts';
import type { StoredBlocks } from './stored-blocks.ts';
import type { WorkerFeed } from './worker-feed.ts';
import type { WorkerPrograms } from './worker-programs.ts';
import type { WorkerStates } from './worker-states.ts';

/** The network a manager belongs to, once known. */
export interface NetworkIdentity {
  readonly id: string;
  /** PEM. */
  readonly certificate: string;
}

/** What the parts of a manager know of the node they belong to. */
export interface NodeContext {
  readonly control: ControlLink;
  readonly records: SealedRecords;
  readonly start: ManagerStart;
  readonly identity: NodeIdentity;
  /** What this node's own evidence says of it. */
  readonly verdict: Verdict;
  readonly administration: Administration;
  readonly feed: WorkerFeed;
  readonly states: WorkerStates;
  /** Where workers are asked about programs, and say what they run. */
  readonly programs: WorkerPrograms;
  readonly sessionKeys: SessionKeys;
  /** The network's private key. */
  readonly networkKey: NetworkKey;
  /** What this node does about epochs and their keys. */
  readonly epochs: EpochDesk;
  /** This actor's shares of the keys that session keys are encrypted to. */
  readonly vault: ShareVault;
  /** This node's part in making and sharing those keys. */
  readonly keyDesk: KeyDesk;
  readonly log: BlockLog;
  readonly stored: StoredBlocks;
  /** Pages of the history that are not in memory. */
  readonly pages: HistoryPages;
  /** Which blocks the host has. */
  readonly held: HeldBlocks;
  /** The past as other nodes have it. */
  readonly archive: Archive;
  /** Brings the blocks the host lacks. */
  readonly backfill: Backfill;
  /** Has damaged chunks replaced. */
  readonly healing: ChunkHealing;
  /** Takes snapshots and gives them to others. */
  readonly snapshots: SnapshotDesk;
  readonly refusals: RefusalCounts;
  readonly leaderChanges: LeaderChanges;
  readonly readBarriers: ReadBarriers;
  /** Where members give shares for the network this node recovers. */
  readonly recovery?: RecoveryDesk | undefined;
  readonly channel: PeerChannel;
  readonly network: NetworkIdentity;
  readonly phase: Phase;
  /** Whether consensus has been started. */
  readonly takesPart: boolean;
  /** @throws ManagerError NOT_LEADER before consensus has been started */
  readonly driver: LedgerDriver;
  /** @throws ManagerError NOT_LEADER before consensus has been started */
  readonly queue: AdministrativeQueue;
  /** Whether the next view this node leads begins with an epoch of its own. */
  readonly reopening: Reopening;
  /** Whether stopped nodes may come back under their sealed identities. */
  readonly acceptsResumers: boolean;
  /** The leader as this node knows it. */
  readonly leader: NodeId | undefined;
}
