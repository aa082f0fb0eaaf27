import type { Height, NodeId, View } from '@concordat/std';
import type { Entry, SnapshotPosition } from './consensus.ts';

/** A position of the log, identified as Raft does: two logs with it agree on everything before. */
export interface LogPosition {
  readonly height: Height;
  readonly view: View;
}

/** Leader to peer: entries after `previous` (none = heartbeat). Raft, figure 2, AppendEntries. */
export interface Append {
  readonly type: 'append';
  readonly view: View;
  readonly previous: LogPosition;
  /** The leader's commit height; it says nothing about entries beyond this append's tail. */
  readonly committed: Height;
  /** Number of the leader's latest round of reads; echoed. */
  readonly round: number;
  /** The receiver's removal is committed and a quorum of its successors knows. */
  readonly retire: boolean;
  readonly entries: readonly Entry[];
}

/** Answer to an append. With `rejected` it is a NACK, and nothing in it may advance a commit. */
export interface AppendResponse {
  readonly type: 'append-response';
  readonly view: View;
  readonly round: number;
  /** Agrees with the leader up to here, durably. */
  readonly match: Height;
  /** Agrees with the leader up to here, in memory. */
  readonly received: Height;
  /** The peer's commit height. */
  readonly committed: Height;
  readonly rejected?: {
    /** `previous.height` of the append refused. */
    readonly previousHeight: Height;
    /** Last position of the peer's log that may agree: where the leader looks next. */
    readonly estimate: LogPosition;
  };
}

/** Candidate to voter. A pre-vote asks whether the real request would be granted (thesis 9.6). */
export interface VoteRequest {
  readonly type: 'vote-request';
  /** The view campaigned for; in a pre-vote the candidate is not in it yet. */
  readonly view: View;
  readonly pre: boolean;
  readonly last: LogPosition;
  /** Last position the sender knows as committed: the receiver may hold it without knowing. */
  readonly committed: LogPosition;
}

/** Voter to candidate. */
export interface VoteResponse {
  readonly type: 'vote-response';
  /** The view asked for when granted, else the voter's own; 0 from a learner that was not asked. */
  readonly view: View;
  readonly pre: boolean;
  readonly granted: boolean;
  /** Last position the sender knows as committed. */
  readonly committed: LogPosition;
}

/** Leader to the voter it hands over to: campaign at once (thesis 3.10). */
export interface TimeoutNow {
  readonly type: 'timeout-now';
  readonly view: View;
}

/** An append on its way down a tree of peers, from the leader or from one of them. */
export interface Relay {
  readonly type: 'relay';
  /** That of the append. */
  readonly view: View;
  /** Who made the append: it is acknowledged to this node directly. */
  readonly leader: NodeId;
  /** Peers the receiver passes it on to, at most 1,024. */
  readonly targets: readonly NodeId[];
  readonly append: Append;
}

/** Leader to peer: a chunk of a snapshot. Raft, figure 13, InstallSnapshot. */
export interface Install {
  readonly type: 'install';
  readonly view: View;
  readonly position: SnapshotPosition;
  /** From 0; of no meaning without bytes. */
  readonly index: number;
  /** Empty: no chunk, but the question how far the receiver is. */
  readonly bytes: Uint8Array;
}

/** Why a peer takes no chunk of a snapshot. */
export type InstallRefusal =
  | 'OLD_SNAPSHOT'
  | 'RESTORING'
  | 'SNAPSHOT_MISMATCH'
  | 'SNAPSHOT_REJECTED';

/** Answer to a question, to a chunk that came out of turn, and to each chunk once it is stored. */
export interface InstallResponse {
  readonly type: 'install-response';
  readonly view: View;
  /** Of the snapshot that was offered. */
  readonly digest: string;
  /** First chunk that is not stored yet; the number of chunks when all are. */
  readonly next: number;
  /** First chunk that has not arrived yet; at least `next`. */
  readonly received: number;
  /** The peer's commit height: the snapshot is in force once this is its height or more. */
  readonly height: Height;
  readonly refused?: InstallRefusal;
}

/** What validating nodes say to each other about consensus. */
export type Message =
  | Append
  | AppendResponse
  | VoteRequest
  | VoteResponse
  | TimeoutNow
  | Install
  | InstallResponse
  | Relay;
