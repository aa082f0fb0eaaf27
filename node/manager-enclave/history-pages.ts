import { neededPage } from '@concordat/ledger';
import { CodedError } from '@concordat/std';
import type { BlockLog } from './block-log.ts';
import { ManagerError } from './errors.ts';
import type { RefusalCounts } from './refusal-counts.ts';

/** Where pages of the history lie that are not in memory. */
export interface PageSources {
  putPage(page: number, bytes: Uint8Array): Promise<void>;
  getPage(page: number): Promise<Uint8Array | undefined>;
  /** The page as other nodes give it, one after the other. */
  otherPages(page: number): AsyncIterable<Uint8Array>;
}

/** What {@link HistoryPages} works with. */
export interface HistoryPagesParts {
  readonly log: Pick<BlockLog, 'takeCompletedPages' | 'loadPage'>;
  readonly sources: PageSources;
  readonly refusals: Pick<RefusalCounts, 'add'>;
  readonly tell: (event: string, fields: Record<string, unknown>) => void;
}

/** Pages one question may need: a transaction's place, a block's root, and a path between them. */
const maxPages = 8;

/**
 * Pages of the history that are not in memory any more: kept by the host, read back when something
 * is asked of them, and got from another node where the host lost one or never had it. Each is
 * checked against its digest in memory before it is used.
 */
export class HistoryPages {
  readonly #parts: HistoryPagesParts;
  readonly #loading = new Map<number, Promise<void>>();

  constructor(parts: HistoryPagesParts) {
    this.#parts = parts;
  }

  /** Hands pages that have become complete to the host. */
  keepCompleted(): void {
    for (const { page, bytes } of this.#parts.log.takeCompletedPages()) this.#keep(page, bytes);
  }

  #keep(page: number, bytes: Uint8Array): void {
    const { sources, tell } = this.#parts;
    sources.putPage(page, bytes).catch((error: unknown) => {
      tell('history.page-not-kept', { level: 'warn', page, why: String(error) });
    });
  }

  /**
   * Answers a question about the history, bringing back the pages it needs.
   * @throws ManagerError BLOCK_NOT_HELD when a page is nowhere to be had; what `ask` throws
   */
  async answer<Answer>(ask: () => Answer): Promise<Answer> {
    for (let pages = 0; ; pages++) {
      try {
        return ask();
      } catch (error) {
        const page = neededPage(error);
        if (page === undefined || pages === maxPages) throw error;
        await this.#load(page);
      }
    }
  }

  /** One page is read once, however many wait for it. */
  #load(page: number): Promise<void> {
    const known = this.#loading.get(page);
    if (known) return known;
    const loading = this.#bring(page).finally(() => this.#loading.delete(page));
    this.#loading.set(page, loading);
    return loading;
  }

  async #bring(page: number): Promise<void> {
    const { sources } = this.#parts;
    const stored = await sources.getPage(page);
    if (stored && this.#accepts(page, stored, 'the host')) return;
    for await (const bytes of sources.otherPages(page)) {
      if (!this.#accepts(page, bytes, 'another node')) continue;
      this.#keep(page, bytes);
      return;
    }
    throw new ManagerError(
      'BLOCK_NOT_HELD',
      `page ${page} of the history is neither on the host nor given by another node`,
      { page },
    );
  }

  #accepts(page: number, bytes: Uint8Array, from: string): boolean {
    const { log, refusals, tell } = this.#parts;
    try {
      log.loadPage(page, bytes);
      return true;
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      refusals.add('page', error.code);
      tell('history.page-refused', { level: 'warn', page, from, code: error.code });
      return false;
    }
  }
}
