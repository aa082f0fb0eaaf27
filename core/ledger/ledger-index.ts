import { sha256 } from '@concordat/crypto';
import {
  assert,
  equalBytes,
  type Height,
  type Seqno,
  toHeight,
  toSeqno,
  toView,
  type View,
} from '@concordat/std';
import { LedgerError } from './errors.ts';
import type { BlockHeader } from './header.ts';
import { decodeHistoryPage, encodeHistoryPage } from './history-page.ts';
import { decodeHistorySummary, encodeHistorySummary, type ViewStart } from './history-summary.ts';
import { HistoryTree } from './history-tree.ts';
import { lastNotAbove, PageColumns } from './page-columns.ts';
import { pageBlocks, pageNeeded } from './tree-pages.ts';

/** A page whose blocks are all committed, to be kept where it can be read back. */
export interface CompletedPage {
  /** From 0: page n is about the blocks n × 4,096 + 1 to (n + 1) × 4,096. */
  readonly page: number;
  /** {@link historyPageBytes}. */
  readonly bytes: Uint8Array;
}

/** Whole pages that stay in memory beside the growing one: recent blocks are asked for most. */
const keptPages = 4;
/** Earlier pages that were loaded and stay until others are needed. */
const loadedPages = 4;

/**
 * What a node knows of every block of its ledger, in bounded memory: block roots (as the history
 * tree), views, and first seqnos. Once the 4,096 blocks of a page are committed the page is handed
 * out, and what stays in memory is about 72 bytes; the newest pages stay whole (288 KiB each).
 * Measured over 12 million blocks: 0.07 bytes a block; completing a page takes 0.6 ms.
 * A question about a page that is not here throws `PAGE_NEEDED` with the page in its details; load
 * it (2.5 ms) and ask again.
 */
export class LedgerIndex {
  /** Gets each block's root from whoever seals or opens it, before {@link append}. */
  readonly history: HistoryTree;
  readonly #finished = new PageColumns();
  /** First seqnos of the blocks of every page that is in memory; holes only before these. */
  readonly #seqnos = new Map<number, Float64Array>();
  /** Released pages that were loaded, the one asked for longest ago first. */
  readonly #loaded = new Set<number>();
  readonly #views: ViewStart[] = [];
  #completed: CompletedPage[] = [];
  #lastHeight = 0;
  #nextSeqno = 1;
  #committedHeight = 0;

  /** The index of an empty ledger; see {@link fromSummary} for another. */
  constructor(history = new HistoryTree()) {
    this.history = history;
  }

  /**
   * The index after the height of a summary, all of it committed. Pages before are not in memory.
   * @throws LedgerError MALFORMED
   */
  static fromSummary(bytes: Uint8Array): LedgerIndex {
    const summary = decodeHistorySummary(bytes);
    const { pageRoots, pageDigests, pageSeqnos, blockRoots, counts } = summary;
    const index = new LedgerIndex(HistoryTree.fromRoots(pageRoots, blockRoots));
    for (const [page, seqno] of pageSeqnos.entries()) {
      index.#finished.push(pageDigests.subarray(page * 32, page * 32 + 32), seqno);
    }
    index.#views.push(...summary.views);
    index.#lastHeight = pageSeqnos.length * pageBlocks;
    index.#nextSeqno = summary.nextSeqno - counts.reduce((sum, count) => sum + count, 0);
    for (const count of counts) index.#place(count);
    index.#committedHeight = summary.height;
    return index;
  }

  /** Height of the newest block, 0 when there is none. */
  get lastHeight(): Height {
    return toHeight(this.#lastHeight);
  }

  /** View of the newest block, 0 when there is none. */
  get lastView(): View {
    return toView(this.#views.at(-1)?.view ?? 0);
  }

  /** Seqno that the next transaction gets. */
  get nextSeqno(): Seqno {
    return toSeqno(this.#nextSeqno);
  }

  /** Height of the newest committed block, 0 when there is none. */
  get committedHeight(): Height {
    return toHeight(this.#committedHeight);
  }

  /** Seqno of the newest committed transaction, 0 when there is none. */
  get committedSeqno(): Seqno {
    const ahead = this.#committedHeight < this.#lastHeight;
    const next = ahead ? this.#firstSeqno(this.#committedHeight + 1) : this.#nextSeqno;
    return toSeqno(next - 1);
  }

  /** Adds the next block, whose root the history has got; its view is not below the last one. */
  append({ view, count }: Pick<BlockHeader, 'view' | 'count'>): void {
    assert(this.history.size === this.#lastHeight + 1, 'the history has another height');
    assert(view >= this.lastView, `view ${view} after view ${this.lastView}`);
    const [fromHeight, firstSeqno] = [this.#lastHeight + 1, this.#nextSeqno];
    if (view > this.lastView) this.#views.push({ view, fromHeight, firstSeqno });
    this.#place(count);
  }

  #place(count: number): void {
    const [page, at] = placeOf(this.#lastHeight + 1);
    let seqnos = this.#seqnos.get(page);
    if (seqnos === undefined) {
      seqnos = new Float64Array(pageBlocks);
      this.#seqnos.set(page, seqnos);
    }
    seqnos[at] = this.#nextSeqno;
    this.#nextSeqno += count;
    this.#lastHeight++;
  }

  /** Takes back every block above a height that is not below the committed one. */
  truncate(after: number): void {
    assert(after >= this.#committedHeight, `truncation to ${after} below the committed height`);
    if (after >= this.#lastHeight) return;
    this.#nextSeqno = this.#firstSeqno(after + 1);
    this.history.restore({ size: after });
    this.#lastHeight = after;
    while ((this.#views.at(-1)?.fromHeight ?? 0) > after) this.#views.pop();
    const needed = Math.ceil(after / pageBlocks);
    for (const page of this.#seqnos.keys()) if (page >= needed) this.#seqnos.delete(page);
  }

  /** Marks every block up to a height as committed: none of them is ever taken back. */
  commit(height: number): void {
    assert(height <= this.#lastHeight, `commit of block ${height} that is not there`);
    if (height <= this.#committedHeight) return;
    this.#committedHeight = height;
    while ((this.#finished.length + 1) * pageBlocks <= height) this.#finish(this.#finished.length);
  }

  /** Hands a page out, and lets go of the one that is no longer recent. */
  #finish(page: number): void {
    const firstSeqnos = this.#seqnos.get(page);
    assert(firstSeqnos !== undefined, 'an unfinished page is in memory');
    const end = (page + 1) * pageBlocks;
    const nextSeqno = end === this.#lastHeight ? this.#nextSeqno : this.#firstSeqno(end + 1);
    const roots = this.history.pageRoots(page);
    const bytes = encodeHistoryPage({ page, firstSeqnos, nextSeqno, roots });
    this.#finished.push(sha256(bytes), firstSeqnos[0] as number);
    this.#completed.push({ page, bytes });
    const released = page - keptPages;
    if (released < 0) return;
    this.history.releaseBefore(released + 1);
    // After a summary an earlier page may be here because it was asked for.
    if (!this.#loaded.has(released)) this.#seqnos.delete(released);
  }

  /**
   * Pages completed since it was last asked, in order. Keep them: soon they are no longer in
   * memory. (A lost one can be made again from its blocks: {@link historyPageOf}.)
   */
  takeCompletedPages(): CompletedPage[] {
    const completed = this.#completed;
    if (completed.length > 0) this.#completed = [];
    return completed;
  }

  /**
   * Brings a page back that was asked for; a few of them stay. It takes about 4,100 hashes.
   * @throws LedgerError WRONG_PAGE, MALFORMED
   */
  loadPage(page: number, bytes: Uint8Array): void {
    if (page >= this.#finished.length) {
      throw new LedgerError('WRONG_PAGE', `there is no page ${page} yet`, { page });
    }
    if (!equalBytes(sha256(bytes), this.#finished.digest(page))) {
      throw new LedgerError('WRONG_PAGE', `page ${page} is not the one handed out`, { page });
    }
    if (this.#seqnos.has(page)) return;
    const { firstSeqnos, roots } = decodeHistoryPage(bytes);
    this.history.loadPage(page, roots);
    this.#seqnos.set(page, firstSeqnos);
    this.#loaded.add(page);
    for (const oldest of this.#loaded) {
      if (this.#loaded.size <= loadedPages) break;
      this.#loaded.delete(oldest);
      this.#seqnos.delete(oldest);
      this.history.unloadPage(oldest);
    }
  }

  /** Number of pages completed so far, in memory or not. */
  get completedPages(): number {
    return this.#finished.length;
  }

  /** View of the block at a height; undefined when there is none. It needs no page. */
  viewAt(height: number): View | undefined {
    if (height < 1 || height > this.#lastHeight) return undefined;
    return this.#viewWhere((start) => start.fromHeight, height);
  }

  /** View of the block with a transaction; undefined when there is none. It needs no page. */
  viewOfSeqno(seqno: number): View | undefined {
    if (seqno < 1 || seqno >= this.#nextSeqno) return undefined;
    return this.#viewWhere((start) => start.firstSeqno, seqno);
  }

  #viewWhere(from: (start: ViewStart) => number, value: number): View {
    const views = this.#views;
    const at = lastNotAbove(views.length, value, (i) => from(views[i] as ViewStart));
    return toView((views[at] as ViewStart).view);
  }

  /** Where each view of the ledger begins. */
  viewStarts(): readonly ViewStart[] {
    return this.#views;
  }

  /**
   * First seqno of the block at a height; undefined when there is none.
   * @throws LedgerError PAGE_NEEDED
   */
  firstSeqnoAt(height: number): Seqno | undefined {
    if (height < 1 || height > this.#lastHeight) return undefined;
    return toSeqno(this.#firstSeqno(height));
  }

  /**
   * The block that holds a transaction, and its position there; undefined when there is none.
   * @throws LedgerError PAGE_NEEDED
   */
  locate(seqno: number): { height: Height; index: number } | undefined {
    if (seqno < 1 || seqno >= this.#nextSeqno) return undefined;
    const page = this.#pageOfSeqno(seqno);
    const seqnos = this.#pageSeqnos(page);
    const blocks = Math.min(pageBlocks, this.#lastHeight - page * pageBlocks);
    const at = lastNotAbove(blocks, seqno, (i) => seqnos[i] as number);
    const height = toHeight(page * pageBlocks + at + 1);
    return { height, index: seqno - (seqnos[at] as number) };
  }

  #pageOfSeqno(seqno: number): number {
    const [newest] = placeOf(this.#lastHeight);
    for (let page = newest; page >= this.#finished.length; page--) {
      if ((this.#pageSeqnos(page)[0] as number) <= seqno) return page;
    }
    return this.#finished.lastNotAfter(seqno);
  }

  #firstSeqno(height: number): number {
    const [page, at] = placeOf(height);
    return this.#pageSeqnos(page)[at] as number;
  }

  #pageSeqnos(page: number): Float64Array {
    const seqnos = this.#seqnos.get(page);
    if (seqnos === undefined) throw pageNeeded(page);
    if (this.#loaded.delete(page)) this.#loaded.add(page);
    return seqnos;
  }

  /**
   * The history summary of the ledger as it was at a committed height, for a snapshot: equal on
   * every node.
   * @throws LedgerError PAGE_NEEDED when the height is not of a recent page
   */
  summary(height: number): Buffer {
    assert(height >= 1 && height <= this.#committedHeight, `block ${height} is not committed`);
    const pages = Math.floor(height / pageBlocks);
    const blocks = height % pageBlocks;
    const seqnoAfter = (at: number): number =>
      at === this.#lastHeight ? this.#nextSeqno : this.#firstSeqno(at + 1);
    const pageIndices = Array.from({ length: pages }, (_, page) => page);
    const counts = Array.from({ length: blocks }, (_, at) => {
      const of = pages * pageBlocks + at + 1;
      return seqnoAfter(of) - this.#firstSeqno(of);
    });
    return encodeHistorySummary({
      height,
      nextSeqno: seqnoAfter(height),
      views: this.#views.filter(({ fromHeight }) => fromHeight <= height),
      pageRoots: Buffer.concat(pageIndices.map((page) => this.history.pageRoot(page))),
      pageDigests: Buffer.concat(pageIndices.map((page) => this.#finished.digest(page))),
      pageSeqnos: pageIndices.map((page) => this.#finished.firstSeqno(page)),
      blockRoots:
        blocks === 0 ? Buffer.alloc(0) : this.history.pageRoots(pages).subarray(0, blocks * 32),
      counts,
    });
  }
}

/** Page of a height, and its place there. */
const placeOf = (height: number): [page: number, at: number] => [
  Math.floor((height - 1) / pageBlocks),
  (height - 1) % pageBlocks,
];

/** The page that an answer waits for; undefined when the error is another. */
export function neededPage(error: unknown): number | undefined {
  if (!(error instanceof LedgerError) || error.code !== 'PAGE_NEEDED') return undefined;
  return error.details.page as number;
}
