import type { SnapshotPosition, ViewStart } from '@concordat/consensus';
import type { SessionKey } from '@concordat/ledger';
import type { CodedError } from '@concordat/std';
import { entropy } from './enclave-sources.ts';
import { ManagerError } from './errors.ts';
import type { NodeContext } from './node-context.ts';
import { RecordKeeper } from './record-keeper.ts';
import { SnapshotInstall } from './snapshot-install.ts';
import { restoreState } from './snapshot-restore.ts';
import type { ReceivedChunk, SnapshotDuties } from './snapshot-traffic.ts';
import type { StoredSnapshot } from './stored-snapshot.ts';

/** What the rest of the manager does when the node's state is replaced. */
export interface CatchUpEvents {
  /** The state is about to be replaced by that of a snapshot. */
  onRestoring(height: number): void;
  /** It has been, and the ledger goes on after this height. */
  onRestored(height: number): void;
}

/** Catching up by a snapshot instead of every block: for newcomers and nodes that were away long. */
export class CatchUp implements SnapshotDuties {
  readonly #node: NodeContext;
  readonly #keeper: RecordKeeper;
  readonly #install: SnapshotInstall;
  readonly #events: CatchUpEvents;

  constructor(node: NodeContext, events: CatchUpEvents) {
    this.#node = node;
    this.#events = events;
    this.#keeper = new RecordKeeper(node.records);
    const networkId = (): string => node.network.id;
    this.#install = new SnapshotInstall({ host: node.control, networkId, entropy });
  }

  chunk(digest: string, index: number): Promise<Uint8Array | undefined> {
    return this.#node.snapshots.chunk(digest, index);
  }

  store(chunk: ReceivedChunk): Promise<boolean> {
    return this.#install.store(chunk);
  }

  forget(): void {
    this.#install.giveUp();
  }

  /**
   * Every step can be followed by a crash: once the key of the snapshot is kept the next launch
   * begins from it, before that from what was there.
   */
  async restore({ height }: SnapshotPosition): Promise<readonly ViewStart[]> {
    const { log, control, held, snapshots, feed } = this.#node;
    const before = log.committedHeight;
    this.#events.onRestoring(height);
    held.willGoOnAfter(height, before);
    const stored = await this.#install.finish();
    snapshots.giveUp();
    feed.reset();
    try {
      await restoreState(this.#node, stored);
    } catch (error) {
      const isBad = error instanceof ManagerError && error.code === 'SNAPSHOT_CORRUPT';
      if (isBad) control.snapshotDrop(height);
      throw error;
    }
    await this.#keepKey(stored);
    await snapshots.adopt(stored, 'given');
    await control.ledgerBase(height);
    held.goesOnAfter(height, before);
    await this.#keeper.keepProgress(log.progressAt(height));
    control.log('snapshot.installed', { height, chunks: stored.kept.chunks, after: before });
    this.#events.onRestored(height);
    return log.viewHistory();
  }

  /** What this node cannot open yet must be readable by the next launch: under a key of the ledger. */
  async #keepKey(stored: StoredSnapshot): Promise<void> {
    const { epochs, sessionKeys, administration } = this.#node;
    const { epoch } = stored.manifest;
    if (!sessionKeys.get(epoch)) await epochs.obtain([epoch], administration.committedState);
    stored.keepKeyUnder(sessionKeys.get(epoch) as SessionKey, entropy(12));
  }

  onDamaged(digest: string, error: CodedError): void {
    const { control, snapshots, driver } = this.#node;
    const { code, message, details } = error;
    control.log('snapshot.damaged', { level: 'error', digest, code, why: message, ...details });
    void snapshots.dropDigest(digest);
    // Whoever has a sound copy can feed the newcomers: this node leads only until another can.
    driver.transferLeadership();
  }

  onRefused({ height, digest }: SnapshotPosition, { code, message, details }: CodedError): void {
    const { control, refusals, leader } = this.#node;
    refusals.add('snapshot', String(details.reason ?? code));
    const fields = { level: 'warn', height, digest, peer: leader, code, why: message, ...details };
    control.log('snapshot.refused', fields);
    this.#install.giveUp();
  }
}
