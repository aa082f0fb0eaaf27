import type { ProposalRefusalCode, Role } from '@concordat/consensus';
import type { OpenedBlock, SessionKey } from '@concordat/ledger';
import type { CodedError, Epoch, Height, NodeId, Seqno, View } from '@concordat/std';

/** What the driver needs of the disk (through the host). */
export interface LedgerDisk {
  append(height: number, block: Uint8Array): void;
  truncate(after: number): void;
  committed(height: number): void;
  flush(): void;
}

/** Committed blocks read back, each checked before it is handed on. */
export interface LedgerReader {
  read(from: number, to: number, maxBytes: number): Promise<Uint8Array[]>;
}

/** What the driver needs of the network. */
export interface LedgerPeers {
  send(nodeId: NodeId, parts: readonly Uint8Array[]): void;
  flush(): void;
}

/** Who asked consensus for linearizable reads. */
export interface LedgerReads {
  /** All that was committed when this was asked is at or below the height. */
  confirmed(requestId: string, height: Height): void;
  /** This node does not lead, or no longer. */
  failed(requestId: string): void;
}

/** What the rest of the manager does as the ledger moves. */
export interface LedgerEvents {
  /** A block made elsewhere was opened and is the newest now. */
  onOpened(block: OpenedBlock): void;
  /** Blocks above this height are taken back. */
  onRollback(height: Height): void;
  /** The next height from one on that `onCommitted` must end with; infinite when there is none. */
  nextStop(from: number): number;
  /** Blocks `from`..`to` are committed. */
  onCommitted(from: Height, to: Height): void;
  /** Every voter knows blocks up to here as committed. */
  onCommittedByAll(height: Height): void;
  /** Role, view, leader or configuration changed. */
  onRole(role: Role, view: View, leader: NodeId | undefined): void;
  /** Persists consensus's hard state durably. */
  saveHardState(state: { view: View; votedFor?: NodeId }): Promise<void>;
  /** A peer sent something it must not; named for the log. */
  onRefusedMessage(peer: NodeId, code: string, message: string): void;
  /** The host's copy of committed blocks is damaged; this node can feed nobody from it. */
  onDamagedStore(error: CodedError): void;
  /** The log cannot go on: a block does not hold, or the hard state cannot be kept. */
  onBroken(error: CodedError): void;
  /** The key new blocks are sealed with; undefined while a new leader gathers it. */
  sessionKeyIfHeld(): SessionKey | undefined;
  /** Whether the key of this block's epoch is at hand. */
  canOpen(epoch: Epoch, block: Uint8Array): boolean;
  /** A peer sent a block of an epoch whose key is not. */
  onUnreadable(epoch: Epoch, block: Uint8Array): void;
  /** Whether nothing may be sealed before a block that opens a resumed view, and has been committed. */
  reopens(): boolean;
  nowMs(): number;
}

/** Why a block was not placed. */
export type PlacementRefusal = ProposalRefusalCode | 'PAYLOAD_TOO_LARGE' | 'SESSION_KEY_MISSING';

/** Where a block was placed, or why it was not. */
export type Placed =
  | {
      readonly ok: true;
      readonly view: View;
      readonly height: Height;
      readonly firstSeqno: Seqno;
      readonly timeMs: number;
    }
  | { readonly ok: false; readonly code: PlacementRefusal };
