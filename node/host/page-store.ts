import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { maxPageBytes } from '@concordat/bridge';
import { replaceFile } from './durable-file.ts';
import { diskError, HostError } from './errors.ts';

const maxWritesWaiting = 64;

/** Pages of a ledger's history by number, from 0. Their content is opaque and checked elsewhere. */
export class PageStore {
  /** Names of files that opening left alone, not being pages. */
  readonly unknown: readonly string[];
  readonly #directory: string;
  /** One write after the other: two writes of one page must not share a temporary file. */
  #writes: Promise<void> = Promise.resolve();
  #writesWaiting = 0;

  private constructor(directory: string, unknown: readonly string[]) {
    this.#directory = directory;
    this.unknown = unknown;
  }

  /**
   * Opens the directory, creating it, and removes what an interrupted write left.
   * @throws HostError DISK_FULL, DISK_ERROR
   */
  static async open(directory: string): Promise<PageStore> {
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const unknown: string[] = [];
      for (const name of await readdir(directory)) {
        if (/^page_\d+\.page\.tmp$/.test(name)) await rm(join(directory, name));
        else if (!/^page_(0|[1-9]\d{0,9})\.page$/.test(name)) unknown.push(name);
      }
      return new PageStore(directory, unknown);
    } catch (error) {
      throw diskError(error, 'open the history');
    }
  }

  /**
   * Stores a page durably, in the place of an earlier one of the same number.
   * @throws HostError BUSY, DISK_FULL, DISK_ERROR
   */
  async put(page: number, bytes: Uint8Array): Promise<void> {
    if (this.#writesWaiting >= maxWritesWaiting) {
      throw new HostError('BUSY', 'too many pages wait to be written', { page });
    }
    // The bytes are a view of received memory, which may be large: keep only the page.
    const own = Buffer.from(bytes);
    this.#writesWaiting++;
    const write = this.#writes.then(() => replaceFile(this.#path(page), own, { sync: true }));
    this.#writes = write.catch(() => {});
    try {
      await write;
    } catch (error) {
      throw diskError(error, 'store a page of the history');
    } finally {
      this.#writesWaiting--;
    }
  }

  /**
   * Reads a page; undefined when there is none, or a file that cannot be one.
   * @throws HostError DISK_ERROR
   */
  async get(page: number): Promise<Uint8Array | undefined> {
    await this.#writes;
    const path = this.#path(page);
    try {
      const { size } = await stat(path);
      return size === 0 || size > maxPageBytes ? undefined : await readFile(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw diskError(error, 'read a page of the history');
    }
  }

  /** Waits for writes under way. */
  async close(): Promise<void> {
    await this.#writes;
  }

  #path(page: number): string {
    return join(this.#directory, `page_${page}.page`);
  }
}
