import type { Consensus, Effects, SnapshotPosition, ViewStart } from '@concordat/consensus';
import { CodedError } from '@concordat/std';

/** A chunk of a snapshot as consensus hands it on. */
export type ReceivedChunk = Effects['chunkReceived'][number];

/** What consensus has done about snapshots it sends and receives. */
export interface SnapshotDuties {
  /**
   * A chunk of a snapshot of this node, in the clear; undefined when it has no such one.
   * @throws CodedError when the host's copy is damaged
   */
  chunk(digest: string, index: number): Promise<Uint8Array | undefined>;
  /**
   * Stores a chunk of a snapshot that another node sends; false when it is passed over, since one
   * before it was refused.
   * @throws CodedError when it is not what the snapshot's digest names, or cannot be stored
   */
  store(chunk: ReceivedChunk): Promise<boolean>;
  /** What was stored of a snapshot that another node sends is of no use: it ends there. */
  forget(): void;
  /**
   * Makes the state of a snapshot that was stored whole the one of this node, durably.
   * @throws CodedError and leaves a node that cannot go on
   */
  restore(position: SnapshotPosition): Promise<readonly ViewStart[]>;
  /** The host's copy of a snapshot is damaged. */
  onDamaged(digest: string, error: CodedError): void;
  /** What a peer sent of a snapshot was refused. */
  onRefused(position: SnapshotPosition, error: CodedError): void;
}

/** Chunks of snapshots on their way out and in, and the states that come of them. */
export class SnapshotTraffic {
  readonly #consensus: Consensus;
  readonly #duties: SnapshotDuties;
  readonly #turn: (answer: () => void) => void;
  readonly #broken: (error: CodedError) => void;
  #stored: Promise<void> = Promise.resolve();
  /** Counts the snapshots on their way in. */
  #reception = 0;

  constructor(parts: {
    readonly consensus: Consensus;
    readonly duties: SnapshotDuties;
    /** Runs what answers consensus, unless the driver has stopped, and carries out what it owes. */
    readonly turn: (answer: () => void) => void;
    readonly broken: (error: CodedError) => void;
  }) {
    this.#consensus = parts.consensus;
    this.#duties = parts.duties;
    this.#turn = parts.turn;
    this.#broken = parts.broken;
  }

  /**
   * The snapshot on its way in is wanted no longer. It ends at once, before this node may take its own
   * one of the same height; chunks that wait to be stored are passed over.
   */
  dropReception(): void {
    this.#reception += 1;
    this.#duties.forget();
  }

  /** Carries out what else consensus owes of snapshots. */
  carryOut({ chunkFetch, chunkReceived, restore }: Effects): void {
    for (const request of chunkFetch) void this.#send(request);
    const reception = this.#reception;
    for (const chunk of chunkReceived) {
      this.#stored = this.#stored.then(() => this.#store(chunk, reception));
    }
    if (restore) this.#stored = this.#stored.then(() => this.#restore(restore));
  }

  async #send({ peer, digest, index }: Effects['chunkFetch'][number]): Promise<void> {
    let bytes: Uint8Array | undefined;
    try {
      bytes = await this.#duties.chunk(digest, index);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      this.#duties.onDamaged(digest, error);
    }
    this.#turn(() => this.#consensus.provideChunk(peer, digest, index, bytes));
  }

  async #store(chunk: ReceivedChunk, reception: number): Promise<void> {
    const { position, index } = chunk;
    const isDropped = (): boolean => reception !== this.#reception;
    if (isDropped()) return;
    try {
      if (!(await this.#duties.store(chunk)) || isDropped()) return;
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      if (isDropped()) return;
      this.#duties.onRefused(position, error);
      this.#turn(() => this.#consensus.restoreFailed(position.digest));
      return;
    }
    this.#turn(() => this.#consensus.chunkStored(position.digest, index));
  }

  async #restore(position: SnapshotPosition): Promise<void> {
    try {
      const viewHistory = await this.#duties.restore(position);
      this.#turn(() => this.#consensus.restored(position.digest, { viewHistory }));
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      this.#broken(error);
    }
  }
}
