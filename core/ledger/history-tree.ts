import { assert, type Digest, toLatin1 } from '@concordat/std';
import { digestOf } from './digest.ts';
import { type Branch, combine, hexOf, type ProofStep } from './merkle.ts';

/** A point of a history to come back to: O(1) to take and to keep. */
export interface HistoryMark {
  readonly size: number;
}

/** Digests of one page, a power of two so that siblings share a page: 128 KiB. */
const pageDigests = 4096;

/**
 * The Merkle tree whose leaves are the block roots, in order of height: pairwise, an odd last node
 * carried up unchanged (CCF's tree, and RFC 6962's shape). It keeps every whole subtree, 64 bytes
 * a block, so appending, taking the root, proving and rolling back all cost O(log n) or less.
 */
export class HistoryTree {
  /** Digests of whole subtrees: level k holds those over 2^k leaves, in order, in pages. */
  readonly #levels: Buffer[][] = [];
  #size = 0;

  /** Number of block roots, which is the height of the last block. */
  get size(): number {
    return this.#size;
  }

  /** Adds the next block's root. */
  append(blockRoot: Digest): void {
    let node = toLatin1(blockRoot);
    this.#put(0, this.#size, node);
    // Every trailing one bit of the old size is a whole left sibling that waits for this node.
    for (let level = 0, index = this.#size; (index & 1) === 1; level++) {
      node = combine(this.#node(level, index - 1), node);
      index = Math.floor(index / 2);
      this.#put(level + 1, index, node);
    }
    this.#size++;
  }

  /** The root over all block roots; of a single one, that one. Asserts that there is one. */
  root(): Digest {
    assert(this.#size > 0, 'an empty history has no root');
    return digestOf(this.#range(0, this.#size));
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

  /** The root of the block at this index, which is its height less one. */
  leaf(index: number): Digest {
    assert(index >= 0 && index < this.#size, `no block root ${index}`);
    return digestOf(this.#node(0, index));
  }

  /** The present point, for {@link restore}. */
  mark(): HistoryMark {
    return { size: this.#size };
  }

  /** Forgets the block roots after a mark. A mark beyond the end (rolled back since) is a bug. */
  restore(mark: HistoryMark): void {
    assert(mark.size >= 0 && mark.size <= this.#size, 'mark beyond the end of the history');
    // Whole subtrees of what stays are unchanged; the others are overwritten before they are read.
    this.#size = mark.size;
    for (const [level, pages] of this.#levels.entries()) {
      const nodes = Math.floor(mark.size / 2 ** level);
      const needed = Math.ceil(nodes / pageDigests);
      if (pages.length > needed + 1) pages.length = needed + 1;
    }
  }

  /**
   * The path from a block root to the root that the history had at a size.
   * @param leafIndex the block's height less one
   * @param size a size from `leafIndex + 1` up to the present one
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
      const level = Math.log2(width);
      return this.#node(level, from / width);
    }
    return combine(this.#range(from, from + split), this.#range(from + split, to));
  }

  #node(level: number, index: number): string {
    const page = this.#levels[level]?.[Math.floor(index / pageDigests)];
    assert(page !== undefined, 'a history node that was never made');
    const at = (index % pageDigests) * 32;
    return page.toString('latin1', at, at + 32);
  }

  #put(level: number, index: number, digest: string): void {
    let pages = this.#levels[level];
    if (pages === undefined) {
      pages = [];
      this.#levels[level] = pages;
    }
    const number = Math.floor(index / pageDigests);
    let page = pages[number];
    if (page === undefined) {
      page = Buffer.alloc(pageDigests * 32);
      pages[number] = page;
    }
    page.write(digest, (index % pageDigests) * 32, 32, 'latin1');
  }
}

/** The largest power of two below a width of at least 2 (RFC 6962, section 2.1); 1 for 1. */
function largestPowerBelow(width: number): number {
  let power = 1;
  while (power * 2 < width) power *= 2;
  return power;
}
