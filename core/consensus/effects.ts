import type { Height, NodeId, View } from '@concordat/std';
import type { Entry, SnapshotPosition } from './consensus.ts';
import type { Message } from './message.ts';

/** A message and its receiver. */
export interface Outgoing {
  readonly to: NodeId;
  readonly message: Message;
}

/**
 * What the driver owes, in this order. A driver may persist asynchronously as long as it persists
 * effects in the order they were taken; `messages` never wait.
 */
export interface Effects {
  /** 1. Persist before any `afterHardState` of these or later effects is sent. */
  readonly hardState?: { readonly view: View; readonly votedFor?: NodeId };
  /** 2. Drop the log entries above this height before appending. */
  readonly truncateAfter?: Height;
  /** 3. Persist in order, then call `persisted` with the last. Replication goes on meanwhile. */
  readonly append: readonly Entry[];
  /** Owed nothing: send at once. */
  readonly messages: readonly Outgoing[];
  /** Votes and requests for votes: send once every hard state so far is durable. */
  readonly afterHardState: readonly Outgoing[];
  /** Entries up to here are newly committed. */
  readonly committed?: Height;
  /** Leader only: every voter has reported the commit up to here (the paper's latency definition). */
  readonly committedByAll?: Height;
  /** Older entries a peer needs that are no longer in memory: answer with `provide`. */
  readonly fetch: readonly {
    readonly peer: NodeId;
    readonly from: Height;
    readonly maxBytes: number;
  }[];
  /** Chunks of a snapshot that peers need: answer each with `provideChunk`. */
  readonly chunkFetch: readonly {
    readonly peer: NodeId;
    readonly digest: string;
    readonly index: number;
  }[];
  /**
   * Before `committed` and `chunkReceived`: the snapshot that was on its way in is wanted no longer,
   * so what was stored of it is of no use. Nothing is answered.
   */
  readonly receptionDropped: boolean;
  /**
   * Chunks of a snapshot in order: store each, then call `chunkStored`. Index 0 begins a snapshot,
   * or the same one anew: what was stored before is of no use.
   */
  readonly chunkReceived: readonly {
    readonly position: SnapshotPosition;
    readonly index: number;
    readonly bytes: Uint8Array;
  }[];
  /**
   * After `append`: every chunk is stored. Make the state they hold durably the one of this node,
   * drop its log (no entry of which is owed to anyone), then call `restored` or `restoreFailed`.
   */
  readonly restore?: SnapshotPosition;
  /** Reads that are linearizable once state up to `height` is applied. */
  readonly reads: readonly { readonly requestId: string; readonly height: Height }[];
  /** Reads this node cannot answer: it does not lead, or no longer. */
  readonly failedReads: readonly string[];
  /** Role, view, leader, configuration or retirement changed: look at `status`. */
  readonly changed: boolean;
}
