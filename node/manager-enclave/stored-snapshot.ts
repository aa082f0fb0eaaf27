import {
  type ChunkPlace,
  decodeManifest,
  encodeManifest,
  openChunk,
  openSnapshotKey,
  requireChunk,
  type SessionKey,
  type SnapshotManifest,
  sealChunk,
  sealSnapshotKey,
  snapshotChunks,
  snapshotDigest,
} from '@concordat/ledger';
import { assert, CodedError, emptyBytes, fromHex, toDigest, toHex } from '@concordat/std';
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
  readonly keys: SnapshotKeys;
}

/** What the chunks of one snapshot on a host are sealed with: 32 random bytes each, secret. */
export interface SnapshotKeys {
  /** Manifest, history summary and public governance: what a node that stopped must read alone. */
  readonly open: Uint8Array;
  /** All else. It is kept only under the session key of the snapshot's epoch. */
  readonly closed: Uint8Array;
}

/** Draws the keys of one more snapshot. */
export const newSnapshotKeys = (entropy: (bytes: number) => Uint8Array): SnapshotKeys => ({
  open: entropy(32),
  closed: entropy(32),
});

/** The part of a snapshot that a chunk is of, by who can open it at rest. */
export type SnapshotPart = keyof SnapshotKeys;

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
  async add(chunk: Uint8Array, part: SnapshotPart): Promise<void> {
    const key = this.#seal.keys[part];
    const sealed = sealChunk({ ...this.#seal, index: this.#written + 1, key }, chunk);
    await this.#host.snapshotChunk(this.#seal.height, this.#written, sealed);
    this.#written += 1;
    this.#bytes += chunk.length;
  }

  /**
   * Ends the snapshot with its manifest; resolves once it would outlive a crash.
   * @param closedKey the key of its closed part as it is to be kept, hex; or see
   *   {@link StoredSnapshot.keepKeyUnder}
   */
  async finish(manifest: SnapshotManifest, closedKey?: string): Promise<StoredSnapshot> {
    const { networkId, height, keys } = this.#seal;
    const encoded = encodeManifest(manifest);
    const sealed = sealChunk({ ...this.#seal, index: 0, key: keys.open }, encoded);
    await this.#host.snapshotChunk(height, this.#written, sealed);
    const chunks = this.#written + 1;
    await this.#host.snapshotFinish(height, chunks);
    const bytes = this.#bytes + encoded.length;
    const digest = toHex(snapshotDigest(encoded));
    const kept = {
      networkId,
      height,
      digest,
      chunks,
      bytes,
      key: toHex(keys.open),
      ...(closedKey && { closedKey }),
    };
    return new StoredSnapshot(this.#host, kept, manifest, keys.closed);
  }

  /** Has the host forget what was written. */
  abandon(): void {
    this.#host.snapshotDrop(this.#seal.height);
  }
}

/** A snapshot of this node on its host: every chunk is checked before it is used. */
export class StoredSnapshot {
  readonly manifest: SnapshotManifest;
  readonly #host: SnapshotHost;
  #kept: KeptSnapshot;
  #closedKey: Uint8Array | undefined;

  /** One that was just written, or whose manifest was read and checked: see {@link open}. */
  constructor(
    host: SnapshotHost,
    kept: KeptSnapshot,
    manifest: SnapshotManifest,
    closedKey?: Uint8Array,
  ) {
    this.#host = host;
    this.#kept = kept;
    this.manifest = manifest;
    this.#closedKey = closedKey;
  }

  /** What is to be remembered of it. */
  get kept(): KeptSnapshot {
    return this.#kept;
  }

  /**
   * Has the key of the closed part kept under the session key of the snapshot's epoch.
   * @param nonce 12 fresh random bytes
   */
  keepKeyUnder(sessionKey: SessionKey, nonce: Uint8Array): void {
    const { networkId, height } = this.#kept;
    const key = this.#closedKey;
    assert(
      key && sessionKey.epoch === this.manifest.epoch,
      'the key is known, and so is its epoch',
    );
    const closedKey = toHex(sealSnapshotKey({ networkId, height, key }, sessionKey, nonce));
    this.#kept = { ...this.#kept, closedKey };
  }

  /**
   * Learns the key of the closed part.
   * @throws ManagerError SNAPSHOT_CORRUPT
   */
  unlock(sessionKey: SessionKey): void {
    const { height, closedKey = '' } = this.#kept;
    const sealed = fromHex(closedKey) ?? emptyBytes;
    this.#closedKey = holds(height, () => openSnapshotKey(this.#kept, sealed, sessionKey));
  }

  /**
   * Reads the manifest.
   * @throws ManagerError SNAPSHOT_CORRUPT with height and reason, HOST_FAULT
   */
  static async open(host: SnapshotHost, kept: KeptSnapshot): Promise<StoredSnapshot> {
    const { height, chunks } = kept;
    const bytes = await readChunk(host, kept, 0, keyIn(kept));
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
   * @throws ManagerError SNAPSHOT_CORRUPT with height and reason, HOST_FAULT; SESSION_KEY_MISSING for
   *   one of the closed part before {@link unlock}
   */
  async chunk(index: number): Promise<Uint8Array> {
    if (index === 0) return encodeManifest(this.manifest);
    const part = partOf(this.manifest, index);
    const { epoch } = this.manifest;
    const key = part === 'closed' ? this.#closedKey : keyIn(this.kept);
    if (!key) {
      throw new ManagerError('SESSION_KEY_MISSING', `no session key for epoch ${epoch}`, { epoch });
    }
    const bytes = await readChunk(this.#host, this.kept, index, key);
    return holds(this.kept.height, () => {
      requireChunk(this.manifest, index, bytes);
      return bytes;
    });
  }
}

const keyIn = ({ key }: KeptSnapshot): Uint8Array => fromHex(key) as Uint8Array;

/** What part of a snapshot a chunk belongs to. */
export function partOf(manifest: SnapshotManifest, index: number): SnapshotPart {
  return index < firstChunkOf(manifest, 0) ? 'open' : 'closed';
}

async function readChunk(
  host: SnapshotHost,
  kept: KeptSnapshot,
  index: number,
  key: Uint8Array,
): Promise<Uint8Array> {
  const { height, networkId, chunks } = kept;
  const sealed = await host.snapshotRead(height, index === 0 ? chunks - 1 : index - 1);
  if (!sealed) throw snapshotCorrupt(height, 'MISSING', `the host no longer has chunk ${index}`);
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
  if (part === 'public') return index;
  index += manifest.public.length;
  for (const { source, chunks } of manifest.sections) {
    if (source === part) return index;
    index += chunks.length;
  }
  throw snapshotCorrupt(manifest.height, 'WRONG_WORKERS', `it has no state of source ${part}`);
}
