import { setTimeout as sleep } from 'node:timers/promises';
import { type ApplicationClient, explainFailure } from '@concordat/sdk';

/** A write that was answered. */
export interface AnsweredWrite {
  readonly id: string;
  /** What the application said of itself. */
  readonly version: string;
  /** `view.seqno` */
  readonly transactionId: string;
}

/** Writes and reads of an application without end, on several nodes. */
export class ApplicationLoad {
  readonly written: AnsweredWrite[] = [];
  readonly readVersions: string[] = [];
  readonly failures: string[] = [];
  readonly #running: Promise<void>[] = [];
  readonly #pauseMs: number;
  #ended = false;
  #lastMs: { write: number; read: number };
  #gapMs = { write: 0, read: 0 };

  /**
   * Begins. The application answers POST `/entries` `{id}` and GET `/version` with `{version}`.
   * @param clients of each node one; `inFlight` requests of each kind run on each
   * @param pauseMs between an answer and the next request, milliseconds
   */
  constructor(clients: readonly ApplicationClient[], inFlight: number, pauseMs = 0) {
    this.#pauseMs = pauseMs;
    this.#lastMs = { write: performance.now(), read: performance.now() };
    for (const [node, client] of clients.entries()) {
      for (let lane = 0; lane < inFlight; lane++) {
        this.#running.push(this.#write(client, `${node}-${lane}`), this.#read(client));
      }
    }
  }

  /** The longest time without any answer so far, of all clients together, milliseconds. */
  get longestGapMs(): { readonly write: number; readonly read: number } {
    return this.#gapMs;
  }

  /** Measures gaps anew from here. */
  forgetGaps(): void {
    this.#gapMs = { write: 0, read: 0 };
    this.#lastMs = { write: performance.now(), read: performance.now() };
  }

  /** Sends no more, and waits for what is on its way. */
  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#running);
  }

  async #write(client: ApplicationClient, lane: string): Promise<void> {
    for (let number = 0; !this.#ended; number++) {
      const id = `${lane}-${number}`;
      try {
        const answer = await client.request('/entries', { json: { id } });
        const { version } = answer.json as { version: string };
        this.written.push({ id, version, transactionId: String(answer.transactionId) });
        this.#answered('write');
      } catch (error) {
        this.failures.push(`write ${id}: ${explainFailure(error as Error, 'the node')}`);
      }
      if (this.#pauseMs > 0) await sleep(this.#pauseMs);
    }
  }

  async #read(client: ApplicationClient): Promise<void> {
    while (!this.#ended) {
      try {
        const answer = await client.request('/version');
        this.readVersions.push((answer.json as { version: string }).version);
        this.#answered('read');
      } catch (error) {
        this.failures.push(`read: ${explainFailure(error as Error, 'the node')}`);
      }
      if (this.#pauseMs > 0) await sleep(this.#pauseMs);
    }
  }

  #answered(kind: 'write' | 'read'): void {
    const now = performance.now();
    this.#gapMs[kind] = Math.max(this.#gapMs[kind], now - this.#lastMs[kind]);
    this.#lastMs[kind] = now;
  }
}
