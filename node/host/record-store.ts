import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from './durable-file.ts';
import { diskError, HostError } from './errors.ts';

const recordName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Largest sealed record, in bytes. */
export const maxRecordBytes = 16 * 1024 * 1024;

/** Small sealed records by name, each replaced atomically. Their content is opaque here. */
export class RecordStore {
  readonly #directory: string;
  /** One write after the other: two writes of one name must not share a temporary file. */
  #writes: Promise<void> = Promise.resolve();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * Opens the directory, creating it, and removes what an interrupted write left.
   * @throws HostError DISK_ERROR
   */
  static async open(directory: string): Promise<RecordStore> {
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      for (const name of await readdir(directory)) {
        if (name.endsWith('.sealed.tmp')) await rm(join(directory, name));
      }
      return new RecordStore(directory);
    } catch (error) {
      throw diskError(error, 'open the record store');
    }
  }

  /**
   * Stores a record durably.
   * @throws HostError INVALID_RECORD, DISK_FULL, DISK_ERROR
   */
  put(name: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(name);
    if (bytes.length > maxRecordBytes) {
      throw new HostError('INVALID_RECORD', `record of ${bytes.length} bytes`, { name });
    }
    // The bytes are a view of received memory, which may be large: keep only the record.
    const own = Buffer.from(bytes);
    const write = this.#writes.then(() => replaceFile(path, own, { sync: true }));
    this.#writes = write.catch(() => {});
    return write.catch((error) => {
      throw diskError(error, 'store a record');
    });
  }

  /**
   * Reads a record; undefined when there is none.
   * @throws HostError INVALID_RECORD, DISK_ERROR
   */
  async get(name: string): Promise<Uint8Array | undefined> {
    const path = this.#path(name);
    await this.#writes;
    try {
      return await readFile(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw diskError(error, 'read a record');
    }
  }

  /** Waits for writes under way. */
  async close(): Promise<void> {
    await this.#writes;
  }

  #path(name: string): string {
    if (!recordName.test(name)) throw new HostError('INVALID_RECORD', 'not a record name');
    return join(this.#directory, `${name}.sealed`);
  }
}
