import { assert, type Digest, toLatin1 } from '@concordat/std';
import { digestOf } from './digest.ts';
import { type Branch, combine, hexOf, type ProofStep } from './merkle.ts';
import { pageBlocks, pageLevels, TreePages } from './tree-pages.ts';

/** A point of a history to come back to: O(1) to take and to keep. */
export interface HistoryMark {
  readonly size: number;
}

/**
 * The Merkle tree whose leaves are the block roots, in order of height: pairwise, an odd last node
 * carried up unchanged (CCF's tree, and RFC 6962's shape). It keeps every whole subtree, so
 * appending, taking the root, proving and rolling back all cost O(log n) or less: 64 bytes a
 * block. Whole pages of 4,096 blocks can be released: 32 bytes a page stay, and what lies in
 * a page that is not there is answered with `PAGE_NEEDED`, never wrong. Appending and the root need
 * no released page.
 */
export class HistoryTree {
  readonly #pages = new TreePages();
  #size = 0;
  /** Pages before this one were released. */
  #firstKept = 0;

  /**
   * The tree over whole pages, of which nothing but their roots is known, and the blocks after.
   * @param pageRoots root of each whole page, 32 bytes each
   * @param blockRoots of the blocks after them, 32 bytes each, fewer than a page has
   */
  static fromRoots(pageRoots: Buffer, blockRoots: Buffer): HistoryTree {
    const tree = new HistoryTree();
    tree.#firstKept = pageRoots.length / 32;
    for (let page = 0; page < tree.#firstKept; page++) {
      tree.#carry(pageLevels, page, pageRoots.latin1Slice(page * 32, page * 32 + 32));
    }
    tree.#size = tree.#firstKept * pageBlocks;
    for (let at = 0; at < blockRoots.length; at += 32) {
      tree.#carry(0, tree.#size, blockRoots.latin1Slice(at, at + 32));
      tree.#size++;
    }
    return tree;
  }

  /** Number of block roots, which is the height of the last block. */
  get size(): number {
    return this.#size;
  }

  /** Adds the next block's root. */
  append(blockRoot: Digest): void {
    this.#carry(0, this.#size, toLatin1(blockRoot));
    this.#size++;
  }

  /** Puts a node and the parents that it makes whole. */
  #carry(level: number, index: number, digest: string): void {
    let [node, at, above] = [digest, index, level];
    this.#pages.put(above, at, node);
    // Every trailing one bit of the index is a whole left sibling that waits for this node.
    while (at % 2 === 1) {
      node = combine(this.#pages.node(above, at - 1), node);
      at = (at - 1) / 2;
      above++;
      this.#pages.put(above, at, node);
    }
  }

  /** The root over all block roots; of a single one, that one. Asserts that there is one. */
  root(): Digest {
    assert(this.#size > 0, 'an empty history has no root');
    return digestOf(this.#range(0, this.#size));
  }

  /**
   * The root over the first blocks, as many as `size`, which is at least 1.
   * @throws LedgerError PAGE_NEEDED when the end of these is not in memory any more
   */
  rootAt(size: number): Digest {
    assert(size > 0 && size <= this.#size, 'a root of more blocks than there are');
    return digestOf(this.#range(0, size));
  }

  /** The two digests whose parent is the root; undefined while there are fewer than two blocks. */
  rootChildren(): [Digest, Digest] | undefined {
    const branch = this.rootBranch();
    return branch === undefined ? undefined : [digestOf(branch.left), digestOf(branch.right)];
  }

  /** The root with its children as binary strings; undefined with fewer than two blocks. */
  rootBranch(): Branch | undefined {
    if (this.#size < 2) return undefined;
    const split = largestPowerBelow(this.#size);
    const left = this.#range(0, split);
    const right = this.#range(split, this.#size);
    return { digest: combine(left, right), left, right };
  }

  /**
   * The root of the block at this index, which is its height less one.
   * @throws LedgerError PAGE_NEEDED
   */
  leaf(index: number): Digest {
    assert(index >= 0 && index < this.#size, `no block root ${index}`);
    return digestOf(this.#pages.node(0, index));
  }

  /** The present point, for {@link restore}. */
  mark(): HistoryMark {
    return { size: this.#size };
  }

  /** Forgets the block roots after a mark. A mark beyond the end (rolled back since) is a bug. */
  restore(mark: HistoryMark): void {
    assert(mark.size >= 0 && mark.size <= this.#size, 'mark beyond the end of the history');
    assert(mark.size >= this.#firstKept * pageBlocks, 'mark within a released page');
    // Whole subtrees of what stays are unchanged; the others are overwritten before they are read.
    this.#size = mark.size;
    this.#pages.truncate(mark.size);
  }

  /** The root over the blocks of a whole page. */
  pageRoot(page: number): Digest {
    assert((page + 1) * pageBlocks <= this.#size, `page ${page} is not whole`);
    return digestOf(this.#pages.node(pageLevels, page));
  }

  /**
   * The block roots of a page, 32 bytes each, as many as there are; a view.
   * @throws LedgerError PAGE_NEEDED
   */
  pageRoots(page: number): Buffer {
    const count = Math.min(pageBlocks, this.#size - page * pageBlocks);
    assert(count > 0, `no page ${page}`);
    return this.#pages.roots(page).subarray(0, count * 32);
  }

  /** Lets go of the pages before one, of blocks that will never be taken back. */
  releaseBefore(page: number): void {
    assert(page * pageBlocks <= this.#size, 'release beyond the end of the history');
    for (; this.#firstKept < page; this.#firstKept++) this.#pages.release(this.#firstKept);
  }

  /**
   * Brings a released page back, until {@link unloadPage}: about 4,100 hashes.
   * @param roots of its blocks, 32 bytes each
   * @throws LedgerError WRONG_PAGE when they are not this history's
   */
  loadPage(page: number, roots: Buffer): void {
    assert(page < this.#firstKept, `page ${page} was not released`);
    this.#pages.load(page, roots);
  }

  /** Lets go of a page that was loaded. */
  unloadPage(page: number): void {
    assert(page < this.#firstKept, `page ${page} was not released`);
    this.#pages.release(page);
  }

  /**
   * The path from a block root to the root that the history had at a size.
   * @param leafIndex the block's height less one
   * @param size a size from `leafIndex + 1` up to the present one
   * @throws LedgerError PAGE_NEEDED
   */
  proof(leafIndex: number, size: number): ProofStep[] {
    assert(leafIndex >= 0 && leafIndex < size && size <= this.#size, 'proof outside the history');
    const steps: ProofStep[] = [];
    for (let width = 1; width < size; width *= 2) {
      const index = Math.floor(leafIndex / width);
      if (index % 2 === 1) {
        steps.push({ left: hexOf(this.#range((index - 1) * width, index * width)) });
        continue;
      }
      const from = (index + 1) * width;
      if (from < size) {
        steps.push({ right: hexOf(this.#range(from, Math.min(from + width, size))) });
      }
    }
    return steps;
  }

  /** The digest over leaves from..to; a subtree of the tree of this `to`. */
  #range(from: number, to: number): string {
    const width = to - from;
    const split = largestPowerBelow(width);
    if (width === 1 || split * 2 === width) {
      return this.#pages.node(Math.log2(width), from / width);
    }
    return combine(this.#range(from, from + split), this.#range(from + split, to));
  }
}

/** The largest power of two below a width of at least 2 (RFC 6962, section 2.1); 1 for 1. */
function largestPowerBelow(width: number): number {
  let power = 1;
  while (power * 2 < width) power *= 2;
  return power;
}
