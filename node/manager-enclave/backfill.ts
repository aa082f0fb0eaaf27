import { CodedError, type NodeId } from '@concordat/std';
import type { Archive } from './archive.ts';
import type { ControlLink } from './control-link.ts';
import { ManagerError } from './errors.ts';
import type { HeldBlocks } from './held-blocks.ts';
import type { StoredBlocks } from './stored-blocks.ts';

/** What a backfill works with. */
export interface BackfillParts {
  readonly held: HeldBlocks;
  readonly archive: Pick<Archive, 'peers' | 'blocksOf' | 'refused'>;
  readonly stored: Pick<StoredBlocks, 'prove'>;
  readonly host: Pick<ControlLink, 'appendEarlier'>;
  readonly tell: (event: string, fields: Record<string, unknown>) => void;
  readonly pause: (ms: number) => Promise<void>;
  readonly nowMs: () => number;
}

/** Blocks of one answer: as many as fit into its bytes, and never too many to check in one go. */
const maxBlocks = 256;
const maxBytes = 1024 * 1024;
/** Each round is followed by a rest of so many times its length: the present goes first. */
const restFactor = 3;
const minRestMs = 20;
/** After a round that brought nothing: no peer, or none that has the blocks. */
const retryMs = 2_000;

/**
 * Fetches the blocks this node's host lacks since it began from a snapshot, lowest first, from
 * whoever has them, and has them stored: then the node's ledger is whole, every receipt is made
 * here, and others can be fed. Each block is proved to be of this node's history before it is kept.
 */
export class Backfill {
  readonly #parts: BackfillParts;
  #running = false;
  #stopped = false;
  #onSynced: { readonly height: number; readonly resolve: () => void } | undefined;
  /** Why nothing came since something did last: each reason is told once. */
  readonly #told = new Set<string>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: BackfillParts) {
    this.#parts = parts;
  }

  /** Begins, unless it is under way or nothing is missing. */
  start(): void {
    if (this.#running || this.#stopped || !this.#parts.held.next) return;
    this.#running = true;
    const { held, tell } = this.#parts;
    tell('backfill.started', { missing: held.missing, from: held.next?.from });
    void this.#run().finally(() => {
      this.#running = false;
      // Something may have been lost between the last look and here.
      this.start();
    });
  }

  /** Does something to the ledger's gaps while no block is on its way into one. */
  alone<Result>(action: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(action);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Ends for good. */
  stop(): void {
    this.#stopped = true;
    this.#onSynced?.resolve();
  }

  /** The host has stored what it was given, up to this height. */
  synced(height: number): void {
    if (this.#onSynced && height >= this.#onSynced.height) this.#onSynced.resolve();
  }

  async #run(): Promise<void> {
    const { held, pause, nowMs, tell } = this.#parts;
    while (!this.#stopped && held.next) {
      const sinceMs = nowMs();
      const stored = await this.#round();
      if (stored === 0) await pause(retryMs);
      else await pause(Math.max(minRestMs, restFactor * (nowMs() - sinceMs)));
    }
    if (!this.#stopped) tell('backfill.completed', {});
  }

  /** Asks one peer after the other until one gives something; answers how many blocks were stored. */
  async #round(): Promise<number> {
    for (const peer of this.#parts.archive.peers()) {
      if (this.#stopped) return 0;
      const stored = await this.#fetch(peer);
      if (stored > 0) return stored;
    }
    return 0;
  }

  async #fetch(peer: NodeId): Promise<number> {
    const { held, archive } = this.#parts;
    const gap = held.next;
    if (!gap) return 0;
    const { from } = gap;
    const to = Math.min(gap.to, from + maxBlocks - 1);
    try {
      return await this.#store(from, await archive.blocksOf(peer, { from, to, maxBytes }));
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      if (error instanceof ManagerError && error.code === 'LEDGER_CORRUPT') {
        archive.refused(peer, error);
      }
      this.#toldOnce(error.code, { peer, height: from, why: error.message });
      return 0;
    }
  }

  #toldOnce(code: string, fields: Record<string, unknown>): void {
    if (this.#told.has(code)) return;
    this.#told.add(code);
    this.#parts.tell('backfill.waiting', { code, ...fields });
  }

  async #store(from: number, blocks: readonly Uint8Array[]): Promise<number> {
    for (const [at, block] of blocks.entries()) await this.#parts.stored.prove(block, from + at);
    return this.alone(() => this.#keep(from, blocks));
  }

  async #keep(from: number, blocks: readonly Uint8Array[]): Promise<number> {
    const { held, host } = this.#parts;
    // Lower ones may have been lost meanwhile.
    if (this.#stopped || held.next?.from !== from) return 0;
    const last = from + blocks.length - 1;
    const durable = new Promise<void>((resolve) => {
      this.#onSynced = { height: last, resolve };
    });
    for (const [at, block] of blocks.entries()) host.appendEarlier(from + at, block);
    await durable;
    this.#onSynced = undefined;
    if (this.#stopped) return 0;
    for (let height = from; height <= last; height++) held.got(height);
    this.#told.clear();
    return blocks.length;
  }
}
