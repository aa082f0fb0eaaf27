import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PlacedConfiguration } from '@concordat/consensus';
import { sha256 } from '@concordat/crypto';
import type { FrozenState } from '@concordat/kv';
import { chunksOf, maxSnapshotChunks, type SnapshotManifest } from '@concordat/ledger';
import type { Digest } from '@concordat/std';
import type { FrozenAdministration } from './administration.ts';
import type { CommittedEnd } from './block-log.ts';
import { ManagerError } from './errors.ts';
import { manifestConfiguration } from './snapshot-position.ts';
import {
  type SnapshotHost,
  type SnapshotKeys,
  type SnapshotPart,
  SnapshotWriter,
  type StoredSnapshot,
} from './stored-snapshot.ts';
import type { FrozenWorkers } from './worker-states.ts';

/** The state after one block, kept everywhere in the turn in which the block was committed. */
export interface KeptState {
  /** 64 hex digits. */
  readonly networkId: string;
  readonly end: CommittedEnd;
  /** History summary at that block. */
  readonly summary: Uint8Array;
  /** The configuration in force after it. */
  readonly configuration: PlacedConfiguration;
  readonly administration: FrozenAdministration;
  readonly workers: FrozenWorkers;
}

/** Pairs of the administrative state read in one turn: about a millisecond. */
const pairsPerTurn = 1_000;

/**
 * One snapshot on its way from the frozen states to the host. Each chunk is on the disk before the
 * next one is asked for, so that commits, which share the way, wait for one chunk at most.
 */
export class SnapshotTaking {
  readonly #state: KeptState;
  readonly #writer: SnapshotWriter;
  readonly #closedKey: string;

  /** @param keys fresh ones, the closed one also as it is to be kept: hex */
  constructor(
    state: KeptState,
    host: SnapshotHost,
    keys: SnapshotKeys & { readonly closedKey: string },
  ) {
    this.#state = state;
    this.#closedKey = keys.closedKey;
    const { networkId, end } = state;
    this.#writer = new SnapshotWriter(host, { networkId, height: end.height, keys });
  }

  /** Height of the last block it covers. */
  get height(): number {
    return this.#state.end.height;
  }

  /**
   * Reads, seals and stores everything.
   * @throws ManagerError WORKER_REFUSED, HOST_FAULT; KvError FREEZE_RELEASED once it was given up
   */
  async run(): Promise<StoredSnapshot> {
    try {
      return await this.#run();
    } catch (error) {
      this.#writer.abandon();
      throw error;
    } finally {
      this.giveUp();
    }
  }

  /** Lets go of the frozen states; a run under way fails. */
  giveUp(): void {
    const { administration } = this.#state;
    administration.open.release();
    administration.closed.release();
    this.#state.workers.cancel();
  }

  async #run(): Promise<StoredSnapshot> {
    const { networkId, end, summary, configuration, administration, workers } = this.#state;
    const history = await this.#store(chunksOf(summary), 'open');
    const inTheOpen = await this.#store(chunksIn(administration.open), 'open');
    const governance = await this.#store(chunksIn(administration.closed), 'closed');
    const sections = [{ source: 0, chunks: governance }];
    for (const source of workers.sources) {
      sections.push({ source, chunks: await this.#store(workers.chunks(source), 'closed') });
    }
    const { height, view, nextSeqno, epoch, headerHash, historyRoot } = end;
    const manifest: SnapshotManifest = {
      networkId,
      height,
      view,
      nextSeqno,
      epoch,
      headerHash,
      historyRoot,
      configuration: manifestConfiguration(configuration),
      history,
      public: inTheOpen,
      sections,
    };
    return this.#writer.finish(manifest, this.#closedKey);
  }

  async #store(
    chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    part: SnapshotPart,
  ): Promise<readonly Digest[]> {
    const digests: Digest[] = [];
    for await (const chunk of chunks) {
      if (this.#writer.written >= maxSnapshotChunks - 1) {
        throw new ManagerError('PAYLOAD_TOO_LARGE', 'the state is too large for a snapshot');
      }
      digests.push(sha256(chunk));
      await this.#writer.add(chunk, part);
    }
    return digests;
  }
}

async function* chunksIn(state: FrozenState): AsyncGenerator<Uint8Array> {
  const reader = state.section();
  for (let chunks = reader.next(pairsPerTurn); chunks; chunks = reader.next(pairsPerTurn)) {
    yield* chunks;
    await nextTurn();
  }
}
