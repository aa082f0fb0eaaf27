import type { Height, NodeId, View } from '@concordat/std';
import type { Distribution } from './distribution.ts';
import type { Effects } from './effects.ts';
import type { Message } from './message.ts';

/** How many voters of one configuration make a quorum: each 1 to their number. */
export interface QuorumSizes {
  /** Voters that must hold an entry durably before it is committed. */
  readonly replication: number;
  /** Voters that must agree before a node leads. */
  readonly election: number;
}

/** Who orders entries, and by how many. Never changed once it was handed in. */
export interface Configuration {
  /** 1 to 1,024 nodes, none twice; their order is part of it. */
  readonly voters: readonly NodeId[];
  /**
   * Absent = majorities. Of `n` voters `replication + election > n` and `2 election > n`: see
   * `quorumSizesFault`.
   */
  readonly quorums?: QuorumSizes;
}

/** One position of the replicated log. */
export interface Entry {
  /** View of the leader that first proposed it. */
  readonly view: View;
  /** Position, from 1. */
  readonly height: Height;
  /** Opaque bytes (a sealed block); never copied, never to be written to after it was handed in. */
  readonly payload: Uint8Array;
  /** In force from this entry on, when it reconfigures the network. */
  readonly configuration?: Configuration;
}

/** The first height of a run of entries of one view. */
export interface ViewStart {
  readonly view: View;
  readonly fromHeight: Height;
}

/** A configuration and the height of the entry that named it. */
export interface PlacedConfiguration {
  readonly height: Height;
  readonly configuration: Configuration;
}

/**
 * A snapshot: the state after the entry at `height`, in opaque chunks. Consensus carries the chunks
 * and never looks into them.
 */
export interface SnapshotPosition {
  /** Height of the last entry it covers, a committed one; from 1. */
  readonly height: Height;
  /** View of that entry. */
  readonly view: View;
  /** In force after that entry. */
  readonly configuration: Configuration;
  /** Height of the entry that named it; 0 = given with the genesis. */
  readonly configurationHeight: Height;
  /** Chunks it consists of, 1 to 2^20. */
  readonly chunks: number;
  /** Identifies the content, 64 lowercase hex digits: equal digests, equal chunks, whoever sends. */
  readonly digest: string;
}

/** What a node starts from: nothing at all, a log on disk, or a snapshot and what follows it. */
export interface InitialState {
  /** Highest view this node has taken part in; 0 = none. */
  readonly view: View;
  /** Whom this node voted for in that view. */
  readonly votedFor?: NodeId;
  /** Height of the last durable entry; 0 = empty log. */
  readonly lastHeight: Height;
  /** View of the last durable entry; 0 = empty log. */
  readonly lastView: View;
  /** Height up to which entries are known to be committed. */
  readonly committed: Height;
  /** Named by the newest configuration entry of the log (or given with the genesis). */
  readonly configuration: Configuration;
  /** Height of that entry; 0 = given with the genesis. */
  readonly configurationHeight: Height;
  /** Configurations before it that are still active: needed when it is not known to be committed. */
  readonly earlierConfigurations?: readonly PlacedConfiguration[];
  /**
   * Where each view of the log starts, oldest first, beginning with the first entry. After a
   * snapshot whose earlier views are not known it begins at the snapshot's height.
   */
  readonly viewHistory: readonly ViewStart[];
}

/** How a node takes part. Times are in ticks, sizes in bytes. */
export interface RaftOptions {
  readonly self: NodeId;
  /** Silence of the leader after which a node campaigns: drawn from [electionTicks, 2 electionTicks). */
  readonly electionTicks: number;
  /** Interval of a leader's heartbeats, at least 1 and well below `electionTicks`. */
  readonly heartbeatTicks: number;
  /** Source of the spread of election timeouts, uniform in [0, 1). */
  readonly random: () => number;
  /** Payload bytes of one append message; one larger entry still travels alone. */
  readonly maxAppendBytes: number;
  /** Unacknowledged append messages to one peer before the leader waits. */
  readonly maxInflightAppends: number;
  /** Payload bytes kept in memory. Committed, durable entries beyond it are fetched from the driver. */
  readonly maxMemoryBytes: number;
  /**
   * A peer that lacks more entries than this up to the offered snapshot's height is sent the
   * snapshot. Without it a peer gets the snapshot only when the entries are not to be had.
   */
  readonly snapshotGap?: number;
  /** How appends reach the peers; default `directDistribution`. */
  readonly distribution?: Distribution;
  readonly initial: InitialState;
}

/** What a node is in its current view. A learner is in no active configuration of its own log. */
export type Role = 'leader' | 'follower' | 'pre-candidate' | 'candidate' | 'learner';

/** What a leader knows of a peer. */
export interface PeerProgress {
  /** Height up to which the peer holds this leader's log durably. */
  readonly match: Height;
  /** Height up to which the peer has reported to know entries as committed. */
  readonly committed: Height;
  /** Whether the peer answered within the last `electionTicks`. */
  readonly active: boolean;
}

/** The machine as it stands. `progress` is live and empty unless this node leads. */
export interface Status {
  readonly role: Role;
  readonly view: View;
  readonly leader?: NodeId;
  readonly committed: Height;
  readonly lastHeight: Height;
  readonly lastView: View;
  /** Every configuration whose quorum is needed, oldest first. */
  readonly configurations: readonly Configuration[];
  readonly progress: ReadonlyMap<NodeId, PeerProgress>;
  /** The snapshot this node can send. */
  readonly offered?: SnapshotPosition;
  /** The snapshot that is being received, and how far: chunks received, and stored by the driver. */
  readonly receiving?: {
    readonly position: SnapshotPosition;
    readonly received: number;
    readonly stored: number;
    /** The driver has been asked to restore it and has not answered yet. */
    readonly restoring: boolean;
  };
  /** This node's removal is committed and a quorum of its successors knows: it may be switched off. */
  readonly retired: boolean;
}

/** Why a proposal was not taken. Each is worth a retry, on another node for NOT_LEADER. */
export type ProposalRefusalCode =
  | 'NOT_LEADER'
  | 'TRANSFERRING'
  | 'BUSY'
  | 'CONFIGURATION_PENDING'
  | 'INVALID_CONFIGURATION';

/** Where a proposal was placed, or why it was not. */
export type Proposed =
  | { readonly ok: true; readonly view: View; readonly height: Height }
  | { readonly ok: false; readonly code: ProposalRefusalCode };

/**
 * Why a message had no effect. Those from `MALFORMED` on are never earned by an honest, healthy
 * peer.
 */
export type RefusalCode =
  /** Of an earlier view than this node is in. */
  | 'STALE_VIEW'
  /** An answer to nothing asked, or a demand of one who may not make it. */
  | 'UNEXPECTED'
  /** Of a node that this one does not feed. */
  | 'UNKNOWN_PEER'
  /** A snapshot that covers no more than is committed here, or is being received. */
  | 'OLD_SNAPSHOT'
  /** A snapshot while another one is being restored. */
  | 'RESTORING'
  /** Its parts contradict each other, or it exceeds a limit. */
  | 'MALFORMED'
  /** Another node leads this view. */
  | 'SECOND_LEADER'
  /** Would change what is agreed. */
  | 'CONFLICT'
  /** One leader describes one snapshot in two ways. */
  | 'SNAPSHOT_MISMATCH';

/** The verdict on a message that was not acted on. */
export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
}

/**
 * A consensus algorithm as the driver sees it: no clock, socket, file or entropy inside. Every
 * method is synchronous; whatever is owed to the outside collects until `takeEffects`.
 */
export interface Consensus {
  /** One unit of time passed. */
  tick(): void;
  /** A message of an authenticated peer. Never throws on foreign input. */
  step(from: NodeId, message: Message): Refusal | undefined;
  /**
   * Why a proposal would not be taken now; undefined when it would. A driver that makes payloads
   * for the position they get asks first: what it sealed for a position may be sealed only once.
   */
  proposalRefusal(configuration?: Configuration): ProposalRefusalCode | undefined;
  /**
   * Leader: places a payload at the next height. A new leader must get an entry of its own view
   * committed before older ones count, so its driver proposes one as soon as the role changes.
   */
  propose(payload: Uint8Array, configuration?: Configuration): Proposed;
  /** The log is durable up to the entry at `height`, which had this `view` when it was appended. */
  persisted(height: Height, view: View): void;
  /** Answers `fetch`: consecutive committed entries from the height asked for; none = try later. */
  provide(peer: NodeId, entries: readonly Entry[]): void;
  /** Replicate to a node that does not vote. Remembered on every node, acted on by the leader. */
  addLearner(peer: NodeId): void;
  /** Stop replicating to a learner. */
  removeLearner(peer: NodeId): void;
  /** Leader: hand over to a voter (default: the most advanced). False when none can take over. */
  transferLeadership(to?: NodeId): boolean;
  /**
   * The connection to a peer broke, as it does when the peer's process ends. A hint about time and
   * nothing else: when that peer leads and stays silent for a heartbeat, this node asks for votes,
   * or lets others ask, without waiting for an election timeout.
   */
  connectionLost(peer: NodeId): void;
  /**
   * This snapshot can be sent: a peer that lacks too much gets it. Replaces an offer of a lower
   * height; what it covers must be committed here.
   */
  offerSnapshot(position: SnapshotPosition): void;
  /** The snapshot with this digest cannot be sent any more, nor the rest of it. */
  withdrawSnapshot(digest: string): void;
  /** Answers `chunkFetch`; undefined = not to be had (now). Chunks have 1 byte to 4 MiB. */
  provideChunk(peer: NodeId, digest: string, index: number, bytes: Uint8Array | undefined): void;
  /** The driver has stored a chunk it got in `chunkReceived`. */
  chunkStored(digest: string, index: number): void;
  /**
   * Answers `restore`: the state is that of the snapshot, durably. The log begins after it.
   * `viewHistory`: where each view up to the snapshot started, if the snapshot says so.
   */
  restored(digest: string, known?: { readonly viewHistory: readonly ViewStart[] }): void;
  /** A chunk, or the snapshot as a whole, does not hold: it is forgotten, and the leader told. */
  restoreFailed(digest: string): void;
  /** From the next append on, appends reach the peers in this way. */
  distributeBy(distribution: Distribution): void;
  /**
   * Asks for a linearizable read; the answer is in `reads` or `failedReads`. False, and no answer
   * to this question, when a read of the same id still waits.
   */
  readIndex(requestId: string): boolean;
  /** Everything owed since the last call; undefined when nothing is. */
  takeEffects(): Effects | undefined;
  readonly status: Status;
}
