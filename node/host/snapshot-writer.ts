import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from './durable-file.ts';
import { HostError } from './errors.ts';
import {
  encodeSnapshotEnd,
  encodeSnapshotHeader,
  maxSnapshotChunks,
  snapshotHeaderBytes,
} from './snapshot-format.ts';

/** One snapshot that is being stored: a file that has its name only when it is whole. */
export class SnapshotWriter {
  readonly #height: number;
  readonly #path: string;
  readonly #offsets: number[] = [];
  #end = snapshotHeaderBytes;
  #file: FileHandle | undefined;

  /** @param path where it is written; nothing is there yet */
  constructor(height: number, path: string) {
    this.#height = height;
    this.#path = path;
  }

  /**
   * Adds the next chunk; it is on the disk afterwards. Chunk by chunk, so that a sync of the ledger
   * beside it never waits for more than one.
   * @throws HostError INVALID_SNAPSHOT; errors of the file system
   */
  async chunk(index: number, bytes: Uint8Array): Promise<void> {
    const expected = this.#offsets.length;
    if (index !== expected || index >= maxSnapshotChunks) {
      throw new HostError('INVALID_SNAPSHOT', `chunk ${index} where ${expected} is next`, {
        height: this.#height,
      });
    }
    this.#file ??= await this.#create();
    await writeAll(this.#file, bytes, this.#end);
    await this.#file.datasync();
    this.#offsets.push(this.#end);
    this.#end += bytes.length;
  }

  /**
   * Ends the file and gives it its name.
   * @throws HostError INVALID_SNAPSHOT when it has another number of chunks; errors of the file
   *   system
   */
  async finish(chunks: number, path: string): Promise<void> {
    const had = this.#offsets.length;
    if (this.#file === undefined || had !== chunks) {
      throw new HostError('INVALID_SNAPSHOT', `${chunks} chunks make it whole, ${had} are there`, {
        height: this.#height,
      });
    }
    await writeAll(this.#file, encodeSnapshotEnd(this.#offsets), this.#end);
    await this.#file.sync();
    await this.#close();
    await rename(this.#path, path);
    await syncDirectory(dirname(path));
  }

  /** Gives it up; what was written is gone. */
  async abandon(): Promise<void> {
    await this.#close();
    await rm(this.#path, { force: true });
  }

  async #create(): Promise<FileHandle> {
    const file = await open(this.#path, 'w', 0o600);
    await writeAll(file, encodeSnapshotHeader(this.#height), 0);
    return file;
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    if (bytesWritten === 0) throw new HostError('DISK_ERROR', 'the disk took no bytes');
    done += bytesWritten;
  }
}
