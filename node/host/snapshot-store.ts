import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from './durable-file.ts';
import { diskError, HostError } from './errors.ts';
import {
  formatSnapshotName,
  parseSnapshotName,
  readAt,
  readSnapshotOffsets,
} from './snapshot-format.ts';
import { SnapshotWriter } from './snapshot-writer.ts';

/** Snapshots that may be stored at the same time: the own one, and one that comes from a peer. */
const maxUnderWay = 2;
/** Bytes of chunks that may wait to be written. */
const maxWaitingBytes = 64 * 1024 * 1024;

/** A finished snapshot. */
interface Finished {
  readonly height: number;
  readonly chunks: number;
  /** Of each chunk, then of what follows the last. */
  readonly offsets: Float64Array;
}

/** What opening a directory of snapshots found beside whole ones. */
export interface SnapshotRecovery {
  /** Heights whose file was not whole; it was set aside under another name. */
  readonly damaged: readonly number[];
  /** Unfinished files removed. */
  readonly unfinished: number;
  /** Names of files that have nothing to do with snapshots; they are left alone. */
  readonly unknown: readonly string[];
}

/** Snapshots of the state as sealed chunks, which are opaque here; the newest two are kept. */
export class SnapshotStore {
  readonly recovery: SnapshotRecovery;
  readonly #directory: string;
  readonly #finished: Map<number, Finished>;
  readonly #underWay = new Map<number, SnapshotWriter>();
  /** One change after the other; reads go beside them. */
  #changes: Promise<unknown> = Promise.resolve();
  #waitingBytes = 0;

  private constructor(
    directory: string,
    finished: Map<number, Finished>,
    recovery: SnapshotRecovery,
  ) {
    this.#directory = directory;
    this.#finished = finished;
    this.recovery = recovery;
  }

  /**
   * Opens the directory, creating it; removes unfinished snapshots and sets damaged ones aside.
   * @throws HostError DISK_FULL, DISK_ERROR
   */
  static async open(directory: string): Promise<SnapshotStore> {
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const { finished, recovery } = await recoverSnapshots(directory);
      const store = new SnapshotStore(directory, finished, recovery);
      await store.#keepNewest(Math.max(0, ...finished.keys()));
      return store;
    } catch (error) {
      throw diskError(error, 'open the snapshots');
    }
  }

  /** Finished snapshots, oldest first. */
  get finished(): readonly { readonly height: number; readonly chunks: number }[] {
    return [...this.#finished.values()]
      .map(({ height, chunks }) => ({ height, chunks }))
      .sort((a, b) => a.height - b.height);
  }

  /** Begins the snapshot of a height anew. Its chunks are refused when two others are under way. */
  begin(height: number): Promise<void> {
    return this.#change('begin a snapshot', async () => {
      await this.#abandon(height);
      if (this.#underWay.size >= maxUnderWay) return;
      this.#underWay.set(height, new SnapshotWriter(height, this.#path(height, 'partial')));
    });
  }

  /**
   * Stores the next chunk of a snapshot under way; it is on the disk once this settles.
   * @throws HostError BUSY, INVALID_SNAPSHOT, DISK_FULL, DISK_ERROR; the snapshot is given up
   */
  async chunk(height: number, index: number, bytes: Uint8Array): Promise<void> {
    if (this.#waitingBytes + bytes.length > maxWaitingBytes) {
      throw new HostError('BUSY', 'too many chunks of snapshots wait to be written', { height });
    }
    this.#waitingBytes += bytes.length;
    try {
      await this.#change('store a snapshot', () =>
        this.#attempt(height, (writer) => writer.chunk(index, bytes)),
      );
    } finally {
      this.#waitingBytes -= bytes.length;
    }
  }

  /**
   * Ends a snapshot under way; it outlives a crash once this settles.
   * @throws HostError INVALID_SNAPSHOT, DISK_FULL, DISK_ERROR; the snapshot is given up
   */
  finish(height: number, chunks: number): Promise<void> {
    return this.#change('finish a snapshot', async () => {
      const path = this.#path(height, 'snapshot');
      await this.#attempt(height, (writer) => writer.finish(chunks, path));
      this.#underWay.delete(height);
      const offsets = await offsetsOf(path, height);
      if (!offsets) throw new HostError('DISK_ERROR', 'a snapshot reads back as another');
      this.#finished.set(height, { height, chunks, offsets });
      await this.#keepNewest(height);
    });
  }

  /**
   * A chunk of a finished snapshot; undefined when it is not there (any more).
   * @throws HostError DISK_ERROR
   */
  async read(height: number, index: number): Promise<Uint8Array | undefined> {
    const offsets = this.#finished.get(height)?.offsets;
    const from = offsets?.[index];
    const to = offsets?.[index + 1];
    if (from === undefined || to === undefined) return undefined;
    try {
      const file = await open(this.#path(height, 'snapshot'), 'r');
      try {
        const bytes = await readAt(file, from, to - from);
        return bytes.length === to - from ? bytes : undefined;
      } finally {
        await file.close();
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw diskError(error, 'read a snapshot');
    }
  }

  /** Forgets the snapshot of a height, finished or under way. */
  drop(height: number): Promise<void> {
    return this.#change('drop a snapshot', async () => {
      await this.#abandon(height);
      await this.#remove(height);
    });
  }

  /** Waits for what is under way, and gives up what is unfinished. */
  async close(): Promise<void> {
    await this.#changes;
    for (const height of [...this.#underWay.keys()]) await this.#abandon(height);
  }

  /** @throws HostError */
  async #change<Result>(doing: string, act: () => Promise<Result>): Promise<Result> {
    const change = this.#changes.then(act);
    this.#changes = change.catch(() => {});
    try {
      return await change;
    } catch (error) {
      throw diskError(error, doing);
    }
  }

  async #attempt(height: number, act: (writer: SnapshotWriter) => Promise<void>): Promise<void> {
    const writer = this.#underWay.get(height);
    if (!writer) {
      throw new HostError('INVALID_SNAPSHOT', 'no snapshot of this height is under way', {
        height,
      });
    }
    try {
      await act(writer);
    } catch (error) {
      // Its bytes may be what fills the disk.
      await this.#abandon(height).catch(() => {});
      throw error;
    }
  }

  async #abandon(height: number): Promise<void> {
    const writer = this.#underWay.get(height);
    this.#underWay.delete(height);
    await writer?.abandon();
  }

  /** Keeps this snapshot and the newest of the others. */
  async #keepNewest(height: number): Promise<void> {
    const others = [...this.#finished.keys()].filter((other) => other !== height);
    others.sort((a, b) => b - a);
    for (const old of others.slice(1)) await this.#remove(old);
  }

  async #remove(height: number): Promise<void> {
    if (!this.#finished.delete(height)) return;
    await rm(this.#path(height, 'snapshot'), { force: true });
    await syncDirectory(this.#directory);
  }

  #path(height: number, state: 'partial' | 'snapshot'): string {
    return join(this.#directory, formatSnapshotName(height, state));
  }
}

async function recoverSnapshots(directory: string) {
  const finished = new Map<number, Finished>();
  const damaged: number[] = [];
  const unknown: string[] = [];
  let unfinished = 0;
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const height = parseSnapshotName(name);
    if (height !== undefined) {
      // A snapshot that cannot be read is one that is not there: another is made or fetched.
      const offsets = await offsetsOf(path, height).catch(() => undefined);
      if (offsets) finished.set(height, { height, chunks: offsets.length - 1, offsets });
      else damaged.push(height);
    } else if (/^snapshot_\d+\.(partial|damaged)$/.test(name)) {
      if (name.endsWith('.partial')) unfinished++;
      await rm(path, { recursive: true });
    } else unknown.push(name);
  }
  // Only the newest is kept for whoever wants to know what happened: they are large.
  for (const [at, height] of damaged.sort((a, b) => b - a).entries()) {
    const path = join(directory, formatSnapshotName(height, 'snapshot'));
    if (at === 0) await rename(path, join(directory, formatSnapshotName(height, 'damaged')));
    else await rm(path, { recursive: true });
  }
  await syncDirectory(directory);
  return { finished, recovery: { damaged, unfinished, unknown } };
}

async function offsetsOf(path: string, height: number): Promise<Float64Array | undefined> {
  const file = await open(path, 'r');
  try {
    return await readSnapshotOffsets(file, height);
  } finally {
    await file.close();
  }
}
