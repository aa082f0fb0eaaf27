import type { SnapshotPosition } from '@concordat/consensus';
import type { TransactionSet } from '@concordat/kv';
import { type SessionKeyLookup, sealSnapshotKey } from '@concordat/ledger';
import { CodedError, type Height, toHex } from '@concordat/std';
import type { Administration } from './administration.ts';
import type { BlockLog } from './block-log.ts';
import { configurationIn } from './configuration-record.ts';
import type { RecordKeeper } from './record-keeper.ts';
import { positionOf } from './snapshot-position.ts';
import { recordedSnapshot, recordSnapshot, type SnapshotRecord } from './snapshot-record.ts';
import { SnapshotTaking } from './snapshot-taking.ts';
import { newSnapshotKeys, type SnapshotHost, type StoredSnapshot } from './stored-snapshot.ts';
import type { WorkerStates } from './worker-states.ts';

/** What snapshots are made of, and where they go. */
export interface SnapshotDeskParts {
  readonly host: SnapshotHost;
  readonly keeper: Pick<RecordKeeper, 'keepSnapshots'>;
  readonly administration: Administration;
  readonly log: BlockLog;
  readonly states: Pick<WorkerStates, 'freeze'>;
  readonly networkId: () => string;
  readonly sessionKey: SessionKeyLookup;
  readonly entropy: (bytes: number) => Uint8Array;
  /** Whether this node serves: one that catches up takes no snapshots of the past. */
  readonly serves: () => boolean;
  /** Whether it is for this node to record digests. */
  readonly leads: () => boolean;
  /** Orders an administrative transaction. */
  readonly administer: (body: (set: TransactionSet) => void) => Promise<unknown>;
  /** A snapshot of this node may be given to others. */
  readonly onUsable: (position: SnapshotPosition) => void;
  /** The one with this digest may not, any more. */
  readonly onUnusable: (digest: string) => void;
  /** The ledger has confirmed the snapshot this node was given. */
  readonly onProven: () => void;
  /** The ledger says otherwise than the snapshot this node was given. */
  readonly onUnproven: (height: number) => void;
  readonly tell: (event: string, fields: Record<string, unknown>) => void;
  readonly nowMs: () => number;
}

/** A snapshot of this node on its host. */
interface Copy {
  readonly stored: StoredSnapshot;
  readonly position: SnapshotPosition;
  /** The ledger has confirmed it. */
  usable: boolean;
  /** Another node gave it, and what this node holds came of it. */
  given: boolean;
}

/** As many as the host keeps. */
const keptCopies = 2;

/**
 * Takes snapshots at the heights the constitution names, on every node at the same ones. The leader
 * records the digest of its own in the ledger; a node gives its own to others once it is equal to
 * the recorded one, so one node that went astray can neither feed others nor go unnoticed.
 */
export class SnapshotDesk {
  readonly #parts: SnapshotDeskParts;
  /** Newest first. */
  #copies: Copy[] = [];
  #taking: SnapshotTaking | undefined;
  #recording = false;
  /** Height of a given snapshot that the ledger contradicts. */
  #disproved: number | undefined;
  #stopped = false;

  constructor(parts: SnapshotDeskParts) {
    this.#parts = parts;
  }

  /** Height of the newest snapshot on the host; 0 when there is none. */
  get newestHeight(): number {
    return this.#copies[0]?.position.height ?? 0;
  }

  /** Height of a snapshot another node gave that the ledger has not confirmed; undefined when none. */
  get unproven(): number | undefined {
    return this.#disproved ?? this.#copies.find(({ given }) => given)?.position.height;
  }

  /** The newest snapshot that may be given to others. */
  get newestUsable(): SnapshotPosition | undefined {
    return this.#copies.find(({ usable }) => usable)?.position;
  }

  /** The next height from this one on at which the committed state must be seen; may be infinite. */
  nextStop(from: number): number {
    const { administration } = this.#parts;
    const { snapshotBlocks } = administration.isCommitted
      ? administration.committedConstitution.policies
      : { snapshotBlocks: 0 };
    if (snapshotBlocks === 0) return Number.POSITIVE_INFINITY;
    return Math.ceil(from / snapshotBlocks) * snapshotBlocks;
  }

  /** Exactly the blocks up to this height are committed, here and at every worker. */
  reached(height: Height): void {
    const { serves, administration, log, states, networkId, host, entropy, tell } = this.#parts;
    if (this.#stopped || !serves() || this.nextStop(height) !== height) return;
    if (this.#taking) {
      // Commits never wait for a snapshot; this one is left out on this node.
      tell('snapshot.skipped', { level: 'warn', height, taking: this.#taking.height });
      return;
    }
    const end = log.committedEnd;
    const sessionKey = this.#parts.sessionKey(end.epoch);
    if (!sessionKey) {
      tell('snapshot.skipped', { level: 'warn', height, missing: `key of epoch ${end.epoch}` });
      return;
    }
    const state = {
      networkId: networkId(),
      end,
      summary: log.committedSummary(),
      configuration: configurationIn(administration.committedState),
      administration: administration.freeze(),
      workers: states.freeze(end),
    };
    const keys = newSnapshotKeys(entropy);
    const place = { networkId: networkId(), height, key: keys.closed };
    // Now: by the end of the taking the session key may have been erased.
    const closedKey = toHex(sealSnapshotKey(place, sessionKey, entropy(12)));
    this.#taking = new SnapshotTaking(state, host, { ...keys, closedKey });
    void this.#take(this.#taking);
  }

  async #take(taking: SnapshotTaking): Promise<void> {
    const { tell, nowMs } = this.#parts;
    const { height } = taking;
    const sinceMs = nowMs();
    try {
      const stored = await taking.run();
      if (this.#stopped) return;
      const { chunks, digest, bytes } = stored.kept;
      tell('snapshot.taken', { height, digest, chunks, bytes, ms: Math.round(nowMs() - sinceMs) });
      await this.adopt(stored, 'own');
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      if (this.#stopped) return;
      tell('snapshot.not-taken', { level: 'warn', height, code: error.code, why: error.message });
    } finally {
      if (this.#taking === taking) this.#taking = undefined;
    }
    this.judge();
  }

  /**
   * Takes up a snapshot that lies on the host, its key kept under a session key: this launch or an earlier one took it, or another
   * node sent it. The host keeps the newest two, and so does the record of their keys.
   * @throws ManagerError SNAPSHOT_CORRUPT, HOST_FAULT
   */
  async adopt(stored: StoredSnapshot, from: 'own' | 'given'): Promise<void> {
    const position = positionOf(stored.manifest, stored.kept.digest);
    const others = this.#copies.filter((copy) => copy.position.height !== position.height);
    this.#copies = [...others, { stored, position, usable: false, given: from === 'given' }].sort(
      (a, b) => b.position.height - a.position.height,
    );
    const gone = this.#copies.splice(keptCopies);
    for (const copy of gone) this.#parts.onUnusable(copy.position.digest);
    await this.#keepKeys();
  }

  #keepKeys(): Promise<void> {
    const kept = this.#copies.map(({ stored, given }) => ({ ...stored.kept, given }));
    return this.#parts.keeper.keepSnapshots(kept);
  }

  /** Compares what is on the host with what the ledger says; called whenever that may differ. */
  judge(): void {
    if (this.#stopped) return;
    for (const copy of this.#copies) {
      if (copy.usable) continue;
      const { position } = copy;
      const recorded = recordedSnapshot(this.#parts.administration.committedState, position.height);
      if (!recorded) continue;
      if (recorded.digest === position.digest) this.#becameUsable(copy);
      else this.#differs(copy, recorded);
    }
    this.#recordOwn();
  }

  #becameUsable(copy: Copy): void {
    copy.usable = true;
    const { height, digest } = copy.position;
    const { tell, onUsable, onProven } = this.#parts;
    tell('snapshot.usable', { height, digest });
    onUsable(copy.position);
    if (!copy.given) return;
    copy.given = false;
    this.#keepKeys().then(onProven, (error: unknown) => {
      tell('node.record-not-kept', { level: 'warn', why: String(error) });
      onProven();
    });
  }

  /** One of the two nodes holds another state: nothing worse can be found out about them. */
  #differs(copy: Copy, recorded: SnapshotRecord): void {
    const { height, digest } = copy.position;
    this.#parts.tell('snapshot.differs', {
      level: 'error',
      height,
      digest,
      recorded: recorded.digest,
      why: 'the state of this node and that of the node that recorded the snapshot are not the same',
    });
    void this.drop(height);
    if (!copy.given) return;
    this.#disproved = height;
    this.#parts.onUnproven(height);
  }

  /** Forgets a snapshot: it is not what it should be. */
  async drop(height: number): Promise<void> {
    const { host, tell, onUsable, onUnusable } = this.#parts;
    const dropped = this.#copies.find(({ position }) => position.height === height);
    this.#copies = this.#copies.filter((copy) => copy !== dropped);
    host.snapshotDrop(height);
    if (dropped) onUnusable(dropped.position.digest);
    // The one before, if there is one, was put aside for this one.
    if (dropped?.usable && this.newestUsable) onUsable(this.newestUsable);
    await this.#keepKeys().catch((error: unknown) => {
      tell('node.record-not-kept', { level: 'warn', why: String(error) });
    });
  }

  /** Forgets the snapshot with this digest, if there is one. */
  async dropDigest(digest: string): Promise<void> {
    const copy = this.#copies.find(({ position }) => position.digest === digest);
    if (copy) await this.drop(copy.position.height);
  }

  /** The leader records the newest snapshot that nobody has recorded yet. */
  #recordOwn(): void {
    const { administration, leads, administer, tell } = this.#parts;
    const [copy] = this.#copies;
    if (this.#recording || !copy || copy.usable || !leads()) return;
    const { kept } = copy.stored;
    const { height } = kept;
    if (recordedSnapshot(administration.head, height)) return;
    this.#recording = true;
    administer((set) => {
      if (!recordedSnapshot(set, height)) recordSnapshot(set, height, kept);
    })
      .catch((error: unknown) => {
        const code = error instanceof CodedError ? error.code : 'INTERNAL_ERROR';
        tell('snapshot.not-recorded', { level: 'warn', height, code });
        if (!(error instanceof CodedError)) throw error;
      })
      .finally(() => {
        this.#recording = false;
      });
  }

  /**
   * A chunk of a snapshot of this node, in the clear; undefined when it has no such one.
   * @throws ManagerError SNAPSHOT_CORRUPT, HOST_FAULT
   */
  async chunk(digest: string, index: number): Promise<Uint8Array | undefined> {
    const copy = this.#copies.find(({ position }) => position.digest === digest);
    if (!copy || index >= copy.position.chunks) return undefined;
    return copy.stored.chunk(index);
  }

  /** What was kept for a snapshot under way is let go of. */
  giveUp(): void {
    this.#taking?.giveUp();
  }

  /** Takes no more snapshots. */
  stop(): void {
    this.#stopped = true;
    this.giveUp();
  }
}
