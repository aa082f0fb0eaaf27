import type { EpochReason } from '@concordat/governance';
import type { Scalar } from '@concordat/keys';
import type { ReadView, TransactionSet } from '@concordat/kv';
import type { SessionKey } from '@concordat/ledger';
import type { Epoch, NodeId } from '@concordat/std';

// What the parts that make, share out and gather session keys expect of each other.

/** The shares of this enclave's actor, by key and sharing. */
export interface ShareSource {
  /**
   * @param keyNumber number of the shared key
   * @param sharing number of the ceremony that dealt it
   */
  shareOf(
    keyNumber: number,
    sharing: number,
  ): { readonly index: number; readonly secret: Scalar } | undefined;
}

/** How an epoch begins. */
export interface EpochBeginning {
  readonly reason: EpochReason;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  readonly entropy: (bytes: number) => Uint8Array;
}

/** Begins epochs; part of `SessionKeys`. */
export interface EpochBeginner {
  /**
   * Starts the next epoch in the open write set: its key, encrypted to the shared key that the set
   * has, and a grant of it to every node that is learning or trusted.
   * @throws ManagerError SESSION_KEY_MISSING when there is no shared key
   */
  begin(set: TransactionSet, beginning: EpochBeginning): SessionKey;
}

/** A node that can be asked for decryption shares. */
export interface ShareGiver {
  readonly nodeId: NodeId;
  readonly actorId: string;
}

/** Where the collection of shares looks. */
export interface CollectionSource {
  /** A state with the epochs' ciphertexts and the keys they are encrypted to. */
  readonly view: ReadView;
  /** Connected trusted nodes, asked anew for each attempt; this node itself is none of them. */
  peers(): readonly ShareGiver[];
}

/** Gathers the decryption shares that open session keys. */
export interface KeyAcquirer {
  /**
   * Resolves once this enclave holds the keys of all these epochs.
   * @throws ManagerError KEY_SHARES_MISSING with the actors that gave none
   */
  acquire(epochs: readonly Epoch[], source: CollectionSource): Promise<void>;
}

/** Gives this actor's decryption shares to nodes that the ledger grants the epochs to. */
export interface ShareGiving {
  /**
   * Answers a `decryption-share` request of an attested peer.
   * @throws ManagerError NODE_NOT_ADMITTED, EPOCH_NOT_GRANTED, EPOCH_NOT_COMMITTED,
   *   SHARE_NOT_HELD, OVERLOADED, CHANNEL_FAILED
   */
  give(peer: NodeId, body: Uint8Array): Promise<Uint8Array>;
}
