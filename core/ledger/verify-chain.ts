import { verifySignature } from '@concordat/crypto';
import { type Digest, type NodeId, type Seqno, toDigest, type View } from '@concordat/std';
import { readPublicSegment, splitBlock, type TransactionRecord } from './block-form.ts';
import { digestOf } from './digest.ts';
import type { BlockHeader } from './header.ts';
import { HistoryTree } from './history-tree.ts';
import { headerHashOf } from './leaf.ts';
import { childrenBytes } from './merkle.ts';
import {
  checkPlace,
  leaderKey,
  openBlock,
  type PublicPart,
  publicBranch,
  refuse,
  type SessionKeyLookup,
} from './open.ts';
import { pageBlocks } from './tree-pages.ts';

/** How to verify a ledger that was received as bytes. */
export interface ChainRequest {
  /**
   * DER SPKI of a node that may lead; undefined when it may not. It is asked per block, so it may
   * learn nodes from the public writes of blocks already yielded, and of this one at height 1.
   */
  readonly nodeKey: (leader: NodeId, publicPart: PublicPart) => Uint8Array | undefined;
  /**
   * Keys of the epochs the verifier may read. Where it answers undefined the block is verified
   * without its contents: form, chain, all that is public, and signature; not what is sealed.
   */
  readonly sessionKey?: SessionKeyLookup;
}

/** One verified block. */
export interface VerifiedBlock {
  readonly header: BlockHeader;
  readonly headerHash: Digest;
  /** Root of the history up to this block. */
  readonly historyRoot: Digest;
  readonly publicWrites: readonly Uint8Array[];
  /** Present where the epoch's key was given. */
  readonly transactions?: readonly TransactionRecord[];
  /** What was verified: with the epoch's key all of it, else all but the sealed contents. */
  readonly covered: 'contents' | 'signature';
}

/** Where a chain is known to have got to by other means, such as a snapshot's history summary. */
export interface ChainEnd {
  /** Over all blocks so far; it gets each verified block appended. */
  readonly history: HistoryTree;
  /** Header hash of its last block. */
  readonly headerHash: Digest;
  readonly nextSeqno: Seqno;
  readonly view: View;
}

/**
 * Verifies a whole ledger from height 1, or from where it is known, block by block, and yields each block once it holds. It
 * proves that these blocks are one unbroken history that accepted leaders signed; not that nothing
 * follows: compare the last height with another source.
 * @throws LedgerError at the first block that does not hold, with its height in the details
 */
export function* verifyChain(
  blocks: Iterable<Uint8Array>,
  request: ChainRequest,
): IterableIterator<VerifiedBlock> {
  const place = new ChainPlace();
  for (const block of blocks) yield place.next(block, request);
}

/** The end of the chain verified so far, for those whom blocks reach one by one. */
export class ChainPlace {
  readonly #history: HistoryTree;
  #previous: Digest = toDigest(new Uint8Array(32));
  #nextSeqno = 1;
  #view = 0;

  /** @param end where the chain is known to have got to; nowhere by default */
  constructor(end?: ChainEnd) {
    this.#history = end?.history ?? new HistoryTree();
    if (end) {
      this.#previous = end.headerHash;
      this.#nextSeqno = end.nextSeqno;
      this.#view = end.view;
    }
  }

  /**
   * Verifies the next block. A place that refused one is of no further use.
   * @throws LedgerError with the block's height in the details
   */
  next(block: Uint8Array, request: ChainRequest): VerifiedBlock {
    const parts = splitBlock(block);
    const { header } = parts;
    const expected = {
      expectedHeight: this.#history.size + 1,
      expectedFirstSeqno: this.#nextSeqno,
      previous: this.#previous,
      previousView: this.#view,
    };
    checkPlace(header, expected);
    const publicWrites = readPublicSegment(parts.publicSegment, header);
    const nodeKey = (leader: NodeId): Uint8Array | undefined =>
      request.nodeKey(leader, { header, publicWrites });
    const sessionKey = request.sessionKey?.(header.epoch);
    let verified: VerifiedBlock;
    if (sessionKey !== undefined) {
      const history = this.#history;
      const opened = openBlock(block, {
        ...expected,
        history,
        nodeKey,
        sessionKey: () => sessionKey,
      });
      const { headerHash, historyRoot, transactions } = opened;
      const covered = 'contents';
      verified = { header, headerHash, historyRoot, publicWrites, transactions, covered };
    } else {
      const spki = leaderKey(header, nodeKey);
      const block = publicBranch(parts);
      this.#history.append(header.blockRoot);
      const branch = this.#history.rootBranch() ?? block;
      if (!verifySignature(spki, childrenBytes(branch), parts.signature)) {
        throw refuse('BAD_SIGNATURE', header, 'the leader did not sign this history');
      }
      verified = {
        header,
        headerHash: digestOf(headerHashOf(parts.head)),
        historyRoot: digestOf(branch.digest),
        publicWrites,
        covered: 'signature',
      };
    }
    // Nothing is taken back here and nothing proved: memory stays the same however long it is.
    this.#history.releaseBefore(Math.floor(this.#history.size / pageBlocks));
    this.#previous = verified.headerHash;
    this.#nextSeqno = header.firstSeqno + header.count;
    this.#view = header.view;
    return verified;
  }
}
