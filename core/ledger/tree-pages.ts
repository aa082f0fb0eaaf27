import { assert } from '@concordat/std';
import { LedgerError } from './errors.ts';
import { combine } from './merkle.ts';

/** Blocks of one page of the history. */
export const pageBlocks = 4096;
/** A page is the whole subtree below one node of this level. */
export const pageLevels = 12;

/** Bytes of the nodes of a page, levels 0 to 11: 256 KiB less 64. */
const nodesBytes = (2 * pageBlocks - 2) * 32;
/** Digests of one stretch of a level above the pages: 128 KiB. */
const stretchDigests = 4096;

/** Where level k of a page begins in its nodes. */
const levelAt = (level: number): number => (2 * pageBlocks - (2 * pageBlocks) / 2 ** level) * 32;

/**
 * The nodes of the history tree, digests of whole subtrees: those of the levels above the pages are
 * all there, those within a page while the page is.
 */
export class TreePages {
  /** By page. The newest pages are here until they are released, earlier ones while needed. */
  readonly #pages = new Map<number, Buffer>();
  /** Level 12 + k, in stretches. */
  readonly #upper: Buffer[][] = [];

  /** The digest over leaves `index` × 2^level and on. @throws LedgerError PAGE_NEEDED */
  node(level: number, index: number): string {
    let nodes: Buffer | undefined;
    let at: number;
    if (level >= pageLevels) {
      nodes = this.#upper[level - pageLevels]?.[Math.floor(index / stretchDigests)];
      assert(nodes !== undefined, 'a history node that was never made');
      at = (index % stretchDigests) * 32;
    } else {
      const inPage = pageBlocks / 2 ** level;
      const page = Math.floor(index / inPage);
      nodes = this.#pages.get(page);
      if (nodes === undefined) throw pageNeeded(page);
      at = levelAt(level) + (index % inPage) * 32;
    }
    return nodes.latin1Slice(at, at + 32);
  }

  /** Notes the digest of a subtree that has become whole, in a page that is here or begins. */
  put(level: number, index: number, digest: string): void {
    if (level >= pageLevels) {
      this.#putUpper(level - pageLevels, index, digest);
      return;
    }
    const inPage = pageBlocks / 2 ** level;
    const page = Math.floor(index / inPage);
    let nodes = this.#pages.get(page);
    if (nodes === undefined) {
      assert(level === 0 && index % inPage === 0, 'a page begins with its first block');
      nodes = Buffer.allocUnsafeSlow(nodesBytes);
      this.#pages.set(page, nodes);
    }
    nodes.latin1Write(digest, levelAt(level) + (index % inPage) * 32, 32);
  }

  #putUpper(height: number, index: number, digest: string): void {
    this.#upper[height] ??= [];
    const stretches = this.#upper[height];
    const number = Math.floor(index / stretchDigests);
    stretches[number] ??= Buffer.allocUnsafeSlow(stretchDigests * 32);
    stretches[number].latin1Write(digest, (index % stretchDigests) * 32, 32);
  }

  /** The block roots of a page that is here, 32 bytes each; as many of them as were appended. */
  roots(page: number): Buffer {
    const nodes = this.#pages.get(page);
    if (nodes === undefined) throw pageNeeded(page);
    return nodes.subarray(0, pageBlocks * 32);
  }

  /**
   * Brings a whole page back from its block roots: 4,095 hashes.
   * @throws LedgerError WRONG_PAGE when they do not fold to the root that is known of it
   */
  load(page: number, roots: Buffer): void {
    const nodes = Buffer.allocUnsafeSlow(nodesBytes);
    nodes.set(roots);
    for (let level = 1; level < pageLevels; level++) {
      const [below, at] = [levelAt(level - 1), levelAt(level)];
      for (let i = 0; i < pageBlocks / 2 ** level; i++) {
        const left = nodes.latin1Slice(below + i * 64, below + i * 64 + 32);
        const right = nodes.latin1Slice(below + i * 64 + 32, below + i * 64 + 64);
        nodes.latin1Write(combine(left, right), at + i * 32, 32);
      }
    }
    const last = levelAt(pageLevels - 1);
    const root = combine(
      nodes.latin1Slice(last, last + 32),
      nodes.latin1Slice(last + 32, last + 64),
    );
    if (root !== this.node(pageLevels, page)) {
      throw new LedgerError('WRONG_PAGE', `page ${page} is of another history`, { page });
    }
    this.#pages.set(page, nodes);
  }

  /** Lets go of a page; what is asked of it from now on is `PAGE_NEEDED`. */
  release(page: number): void {
    this.#pages.delete(page);
  }

  /** Lets go of what lies wholly beyond a size. */
  truncate(size: number): void {
    const needed = Math.ceil(size / pageBlocks);
    for (const page of this.#pages.keys()) if (page >= needed) this.#pages.delete(page);
    for (const [height, stretches] of this.#upper.entries()) {
      const nodes = Math.floor(size / 2 ** (pageLevels + height));
      const kept = Math.ceil(nodes / stretchDigests) + 1;
      if (stretches.length > kept) stretches.length = kept;
    }
  }
}

/** The answer is in a page that is not here. */
export const pageNeeded = (page: number): LedgerError =>
  new LedgerError('PAGE_NEEDED', `page ${page} of the history is not in memory`, { page });
