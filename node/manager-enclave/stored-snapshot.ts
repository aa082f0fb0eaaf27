import {
  type ChunkPlace,
  decodeManifest,
  encodeManifest,
  openChunk,
  requireChunk,
  type SnapshotManifest,
  sealChunk,
  snapshotChunks,
  snapshotDigest,
} from '@concordat/ledger';
import { CodedError, fromHex, toDigest, toHex } from '@concordat/std';
import { ManagerError } from './errors.ts';
import type { KeptSnapshot } from './record-keeper.ts';

/** The host as snapshots are kept on it. */
export interface SnapshotHost {
  snapshotBegin(height: number): void;
  snapshotChunk(height: number, index: number, bytes: Uint8Array): Promise<void>;
  snapshotFinish(height: number, chunks: number): Promise<void>;
  snapshotRead(height: number, index: number): Promise<Uint8Array | undefined>;
  snapshotDrop(height: number): void;
}

/** What a snapshot on a host is sealed for. */
export interface SnapshotSeal {
  /** 64 hex digits. */
  readonly networkId: string;
  readonly height: number;
  /** 32 bytes, of this snapshot alone. Secret. */
  readonly key: Uint8Array;
}

/**
 * Writes one snapshot to the host, each chunk sealed for its place in it. The host gets the chunks
 * in the order they are made; the manifest, chunk 0, names all others and so comes last.
 */
export class SnapshotWriter {
  readonly #host: SnapshotHost;
  readonly #seal: SnapshotSeal;
  #written = 0;
  #bytes = 0;

  constructor(host: SnapshotHost, seal: SnapshotSeal) {
    this.#host = host;
    this.#seal = seal;
    host.snapshotBegin(seal.height);
  }

  /** Chunks written so far. */
  get written(): number {
    return this.#written;
  }

  /** Writes the next chunk after the manifest; resolves once it is on the disk. */
  async add(chunk: Uint8Array): Promise<void> {
    const sealed = sealChunk({ ...this.#seal, index: this.#written + 1 }, chunk);
    await this.#host.snapshotChunk(this.#seal.height, this.#written, sealed);
    this.#written += 1;
    this.#bytes += chunk.length;
  }

  /** Ends the snapshot with its manifest; resolves once it would outlive a crash. */
  async finish(manifest: SnapshotManifest): Promise<StoredSnapshot> {
    const { networkId, height, key } = this.#seal;
    const encoded = encodeManifest(manifest);
    const sealed = sealChunk({ ...this.#seal, index: 0 }, encoded);
    await this.#host.snapshotChunk(height, this.#written, sealed);
    const chunks = this.#written + 1;
    await this.#host.snapshotFinish(height, chunks);
    const bytes = this.#bytes + encoded.length;
    const digest = toHex(snapshotDigest(encoded));
    const kept = { networkId, height, digest, chunks, bytes, key: toHex(key) };
    return new StoredSnapshot(this.#host, kept, manifest);
  }

  /** Has the host forget what was written. */
  abandon(): void {
    this.#host.snapshotDrop(this.#seal.height);
  }
}

/** A snapshot of this node on its host: every chunk is checked before it is used. */
export class StoredSnapshot {
  readonly kept: KeptSnapshot;
  readonly manifest: SnapshotManifest;
  readonly #host: SnapshotHost;

  /** One that was just written, or whose manifest was read and checked: see {@link open}. */
  constructor(host: SnapshotHost, kept: KeptSnapshot, manifest: SnapshotManifest) {
    this.#host = host;
    this.kept = kept;
    this.manifest = manifest;
  }

  /**
   * Reads the manifest.
   * @throws ManagerError SNAPSHOT_CORRUPT with height and reason, HOST_FAULT
   */
  static async open(host: SnapshotHost, kept: KeptSnapshot): Promise<StoredSnapshot> {
    const { height, chunks } = kept;
    const bytes = await readChunk(host, kept, 0);
    return holds(height, () => {
      const manifest = decodeManifest(bytes, expectedOf(kept));
      if (manifest.height === height && snapshotChunks(manifest) === chunks) {
        return new StoredSnapshot(host, kept, manifest);
      }
      throw snapshotCorrupt(height, 'WRONG_SNAPSHOT', 'the manifest is of another one');
    });
  }

  /**
   * A chunk of it in the clear, 0 being the manifest.
   * @throws ManagerError SNAPSHOT_CORRUPT with height and reason, HOST_FAULT
   */
  async chunk(index: number): Promise<Uint8Array> {
    if (index === 0) return encodeManifest(this.manifest);
    const bytes = await readChunk(this.#host, this.kept, index);
    return holds(this.kept.height, () => {
      requireChunk(this.manifest, index, bytes);
      return bytes;
    });
  }
}

async function readChunk(host: SnapshotHost, kept: KeptSnapshot, index: number) {
  const { height, networkId, chunks } = kept;
  const sealed = await host.snapshotRead(height, index === 0 ? chunks - 1 : index - 1);
  if (!sealed) throw snapshotCorrupt(height, 'MISSING', `the host no longer has chunk ${index}`);
  const key = fromHex(kept.key) as Uint8Array;
  return holds(height, () => openChunk({ networkId, height, index, key }, sealed));
}

const expectedOf = ({ networkId, digest }: KeptSnapshot) => ({
  networkId,
  digest: toDigest(fromHex(digest) as Uint8Array),
});

/** Runs what reads a snapshot; whatever is wrong with it names its height. */
export function holds<Result>(height: number, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CodedError) || error instanceof ManagerError) throw error;
    throw snapshotCorrupt(height, error.code, error.message);
  }
}

/** @returns ManagerError SNAPSHOT_CORRUPT */
export const snapshotCorrupt = (height: number, reason: string, why: string): ManagerError =>
  new ManagerError('SNAPSHOT_CORRUPT', `snapshot ${height}: ${why}`, { height, reason });

/** Where the parts of a snapshot begin among its chunks. */
export function firstChunkOf(manifest: SnapshotManifest, part: ChunkPlace['part']): number {
  let index = 1;
  if (part === 'history') return index;
  index += manifest.history.length;
  for (const { source, chunks } of manifest.sections) {
    if (source === part) return index;
    index += chunks.length;
  }
  throw snapshotCorrupt(manifest.height, 'WRONG_WORKERS', `it has no state of source ${part}`);
}
