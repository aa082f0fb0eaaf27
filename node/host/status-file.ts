import { replaceFile } from './durable-file.ts';
import type { Log } from './log.ts';

/** Keeps the newest status of each enclave in one JSON file for operators' tools. */
export class StatusFile {
  readonly #path: string;
  readonly #log: Log;
  readonly #statuses: Record<string, unknown> = {};
  #dirty = false;
  #writing: Promise<void> | undefined;

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /** Replaces the status of one enclave; writes follow one another, the newest state wins. */
  put(source: string, status: unknown): void {
    this.#statuses[source] = status;
    this.#dirty = true;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Waits for a write under way. */
  async close(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#dirty) {
      this.#dirty = false;
      const text = JSON.stringify({ time: new Date().toISOString(), ...this.#statuses });
      await replaceFile(this.#path, `${text}\n`, { sync: false }).catch((error: Error) => {
        this.#log.warn('status.write-failed', { message: error.message });
      });
    }
  }
}
