import { type SnapshotPosition, sameConfiguration } from '@concordat/consensus';
import { decodeManifest, requireChunk, type SnapshotManifest } from '@concordat/ledger';
import { assert, fromHex, toDigest } from '@concordat/std';
import { positionOf } from './snapshot-position.ts';
import type { ReceivedChunk } from './snapshot-traffic.ts';
import {
  holds,
  newSnapshotKeys,
  partOf,
  type SnapshotHost,
  SnapshotWriter,
  type StoredSnapshot,
  snapshotCorrupt,
} from './stored-snapshot.ts';

/** A snapshot on its way from another node to the own host. */
interface Incoming {
  readonly position: SnapshotPosition;
  readonly manifest: SnapshotManifest;
  readonly writer: SnapshotWriter;
}

/**
 * Stores a snapshot that another node sends: each chunk is checked against the digest that names
 * the snapshot, then sealed under a key of this node, for its own host.
 */
export class SnapshotInstall {
  readonly #host: SnapshotHost;
  readonly #networkId: () => string;
  readonly #entropy: (bytes: number) => Uint8Array;
  #incoming: Incoming | undefined;

  constructor(parts: {
    readonly host: SnapshotHost;
    readonly networkId: () => string;
    readonly entropy: (bytes: number) => Uint8Array;
  }) {
    this.#host = parts.host;
    this.#networkId = parts.networkId;
    this.#entropy = parts.entropy;
  }

  /**
   * Stores the next chunk; resolves once it is on the disk. The first one of another snapshot
   * replaces what was stored before. False for a chunk that was on its way when the one before it
   * was refused: it is passed over.
   * @throws ManagerError SNAPSHOT_CORRUPT with height and reason; HOST_FAULT
   */
  async store({ position, index, bytes }: ReceivedChunk): Promise<boolean> {
    if (index === 0) {
      this.giveUp();
      this.#incoming = this.#begin(position, bytes);
      return true;
    }
    const incoming = this.#incoming;
    if (incoming?.position.digest !== position.digest || incoming.writer.written !== index - 1) {
      return false;
    }
    holds(position.height, () => requireChunk(incoming.manifest, index, bytes));
    await incoming.writer.add(bytes, partOf(incoming.manifest, index));
    return true;
  }

  #begin(position: SnapshotPosition, bytes: Uint8Array): Incoming {
    const { height } = position;
    const networkId = this.#networkId();
    const digest = toDigest(fromHex(position.digest) as Uint8Array);
    const manifest = holds(height, () => decodeManifest(bytes, { networkId, digest }));
    if (!isSame(positionOf(manifest, position.digest), position)) {
      throw snapshotCorrupt(height, 'CONTRADICTED', 'it is not what its sender says of it');
    }
    const seal = { networkId, height, keys: newSnapshotKeys(this.#entropy) };
    return { position, manifest, writer: new SnapshotWriter(this.#host, seal) };
  }

  /**
   * Ends a snapshot of which every chunk is stored; resolves once it would outlive a crash.
   * @throws ManagerError HOST_FAULT
   */
  async finish(): Promise<StoredSnapshot> {
    const incoming = this.#incoming;
    assert(incoming, 'what is restored was stored');
    this.#incoming = undefined;
    return incoming.writer.finish(incoming.manifest);
  }

  /** Forgets what was stored of a snapshot that did not come to its end. */
  giveUp(): void {
    this.#incoming?.writer.abandon();
    this.#incoming = undefined;
  }
}

const isSame = (one: SnapshotPosition, other: SnapshotPosition): boolean =>
  one.height === other.height &&
  one.view === other.view &&
  one.chunks === other.chunks &&
  one.configurationHeight === other.configurationHeight &&
  sameConfiguration(one.configuration, other.configuration);
