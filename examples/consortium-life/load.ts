import { setTimeout as sleep } from 'node:timers/promises';
import { NetworkClient, type NetworkOptions, newIdempotencyKey } from '@concordat/sdk';

/** Writers that write at once. */
const writers = 4;
/** Each of them rests for so long after an answer, milliseconds: catching up stays short. */
const restMs = 40;
/** Readers that read everything back at the end. */
const readers = 32;

/**
 * An application's ordinary work: writes one after another, for as long as it is let,
 * through whichever nodes there are. No write may fail.
 */
export class Load {
  readonly #client: NetworkClient;
  readonly #work: Promise<void>[];
  readonly written = new Set<string>();
  #running = true;
  #lastMs = performance.now();
  #longestGapMs = 0;
  #failure: unknown;

  constructor(options: NetworkOptions) {
    this.#client = new NetworkClient({ timeoutMs: 180_000, attemptTimeoutMs: 3_000, ...options });
    this.#work = Array.from({ length: writers }, (_, writer) => this.#write(writer));
  }

  async #read(left: string[]): Promise<void> {
    for (let key = left.pop(); key !== undefined; key = left.pop()) {
      const answer = await this.#client.request(`/kv/${key}`);
      if (answer.body.toString() !== key) throw new Error(`${key} was acknowledged, and is lost`);
    }
  }

  async #write(writer: number): Promise<void> {
    for (let at = 0; this.#running && !this.#failure; at++) {
      const key = `work-${writer}-${at}`;
      try {
        const { status } = await this.#client.request(`/kv/${key}`, {
          method: 'PUT',
          body: key,
          idempotencyKey: newIdempotencyKey(),
        });
        if (status >= 300) throw new Error(`${key} was answered with ${status}`);
        this.written.add(key);
        const nowMs = performance.now();
        this.#longestGapMs = Math.max(this.#longestGapMs, nowMs - this.#lastMs);
        this.#lastMs = nowMs;
        await sleep(restMs);
      } catch (error) {
        this.#failure = error;
      }
    }
  }

  /** The longest time in which no write was answered, milliseconds. */
  get longestGapMs(): number {
    return this.#longestGapMs;
  }

  /** Ends the work, and reads everything back. @throws Error when a write failed or is missing */
  async end(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#work);
    try {
      if (this.#failure) throw this.#failure;
      const left = [...this.written];
      await Promise.all(Array.from({ length: readers }, () => this.#read(left)));
    } finally {
      this.#client.close();
    }
  }
}
