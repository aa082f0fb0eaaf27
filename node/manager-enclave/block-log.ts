import {
  type BlockHeader,
  type CompletedPage,
  type HistoryTree,
  LedgerError,
  LedgerIndex,
  neededPage,
  type OpenedBlock,
  openBlock,
  type SealedBlock,
  type SessionKey,
  sealBlock,
  type TransactionRecord,
} from '@concordat/ledger';
import {
  assert,
  type Digest,
  type Epoch,
  equalBytes,
  type Height,
  type NodeId,
  type Seqno,
  toDigest,
  toEpoch,
  toHeight,
  toHex,
  toSeqno,
  toView,
  type View,
} from '@concordat/std';

import type { Progress } from './record-keeper.ts';

/** What sealing a block needs beside its transactions. */
export interface SealRequest {
  readonly view: View;
  readonly timeMs: number;
  /** 0 = administrative, k = worker k. */
  readonly source: number;
  /** bit 0 = the block changes the configuration of consensus. */
  readonly flags: number;
  readonly transactions: readonly TransactionRecord[];
  readonly sessionKey: SessionKey;
}

/** What the log asks of its owner: keys by epoch and node, and this node's signature. */
export interface BlockLogKeys {
  sessionKey(epoch: Epoch): SessionKey | undefined;
  nodeKey(node: NodeId): Uint8Array | undefined;
  sign(bytes: Uint8Array): Uint8Array;
}

/** What is known of a block beyond the index while it is the newest committed one or above it. */
interface BlockEnd {
  readonly headerHash: Digest;
  readonly historyRoot: Digest;
  readonly epoch: Epoch;
  readonly timeMs: number;
}

/** The end of the committed ledger: what a snapshot says beside the states. */
export interface CommittedEnd extends BlockEnd {
  readonly height: Height;
  readonly view: View;
  readonly nextSeqno: Seqno;
}

/** Where a ledger goes on that is not read from its first block. */
export interface LedgerBase {
  /** The history summary at the block before the first one to come. */
  readonly summary: Uint8Array;
  readonly height: Height;
  readonly view: View;
  readonly nextSeqno: Seqno;
  readonly headerHash: Digest;
  readonly historyRoot: Digest;
  readonly epoch: Epoch;
}

const noBlock = toDigest(new Uint8Array(32));
const nothing: BlockEnd = {
  headerHash: noBlock,
  historyRoot: noBlock,
  epoch: toEpoch(0),
  timeMs: 0,
};

/**
 * The ledger as the manager enclave holds it in memory: index and history tree, and for blocks
 * not yet committed what is needed to take them back. It seals new blocks on the leader and opens
 * (decrypts and checks) received ones on followers; the bytes themselves live on the host.
 */
export class BlockLog {
  readonly #keys: BlockLogKeys;
  readonly #self: NodeId;
  #index = new LedgerIndex();
  readonly #tail = new Map<number, BlockEnd>();
  #newest = nothing;
  #committed = nothing;
  /** Position sealed last, over whatever history: heights rise within a view, or the view has. */
  #sealed = { view: 0, height: 0 };

  constructor(self: NodeId, keys: BlockLogKeys) {
    this.#self = self;
    this.#keys = keys;
  }

  /** The tree over all block roots. */
  get history(): HistoryTree {
    return this.#index.history;
  }

  /** Height of the newest block, 0 when there is none. */
  get lastHeight(): Height {
    return this.#index.lastHeight;
  }

  /** View of the newest block, 0 when there is none. */
  get lastView(): View {
    return this.#index.lastView;
  }

  /** Seqno of the newest transaction, 0 when there is none. */
  get lastSeqno(): Seqno {
    return toSeqno(this.#index.nextSeqno - 1);
  }

  /** Height of the newest committed block. */
  get committedHeight(): Height {
    return this.#index.committedHeight;
  }

  /** View of the newest committed block, 0 when there is none. */
  get committedView(): View {
    return this.viewAt(this.committedHeight) ?? toView(0);
  }

  /** Seqno of the newest committed transaction. */
  get committedSeqno(): Seqno {
    return this.#index.committedSeqno;
  }

  /** The end of the committed ledger. */
  get committedEnd(): CommittedEnd {
    const { committedHeight: height, committedView: view, committedSeqno } = this;
    return { ...this.#committed, height, view, nextSeqno: toSeqno(committedSeqno + 1) };
  }

  /** History root over all blocks, 32 zero bytes when there is none. */
  get root(): Digest {
    return this.#newest.historyRoot;
  }

  /** What is remembered of the ledger up to a committed height. */
  progressAt(height: Height): Progress {
    if (height === 0) return { committed: height };
    try {
      return { committed: height, historyRoot: toHex(this.history.rootAt(height)) };
    } catch (error) {
      if (neededPage(error) === undefined) throw error;
      return { committed: height };
    }
  }

  /** View of the block at a height; undefined when there is none. */
  viewAt(height: number): View | undefined {
    return this.#index.viewAt(height);
  }

  /** View of the block with a transaction; undefined beyond the end. */
  viewOfSeqno(seqno: number): View | undefined {
    return this.#index.viewOfSeqno(seqno);
  }

  /**
   * The block that holds a transaction, and its position there; undefined beyond the end.
   * @throws LedgerError PAGE_NEEDED
   */
  locate(seqno: number): { height: Height; index: number } | undefined {
    return this.#index.locate(seqno);
  }

  /** Seals the next block and makes it the newest (still uncommitted). */
  seal(request: SealRequest): SealedBlock {
    const { view } = request;
    const height = toHeight(this.lastHeight + 1);
    const last = this.#sealed;
    const rises = view > last.view || (view === last.view && height > last.height);
    assert(rises, `a second block of view ${view} at height ${height}: its nonce would repeat`);
    this.#sealed = { view, height };
    const sealed = sealBlock({
      ...request,
      height,
      firstSeqno: this.#index.nextSeqno,
      epoch: request.sessionKey.epoch,
      leader: this.#self,
      previous: this.#newest.headerHash,
      history: this.history,
      sign: this.#keys.sign,
    });
    this.#append(sealed.header, sealed);
    return sealed;
  }

  /**
   * Opens the next block as received or read back, and makes it the newest.
   * @throws LedgerError with the height and the reason when anything about it is wrong
   */
  open(bytes: Uint8Array): OpenedBlock {
    const opened = openBlock(bytes, {
      sessionKey: (epoch) => this.#keys.sessionKey(epoch),
      nodeKey: (node) => this.#keys.nodeKey(node),
      history: this.history,
      previous: this.#newest.headerHash,
      expectedHeight: toHeight(this.lastHeight + 1),
      expectedFirstSeqno: this.#index.nextSeqno,
      previousView: this.lastView,
    });
    this.#append(opened.header, opened);
    return opened;
  }

  #append(
    header: BlockHeader,
    { headerHash, historyRoot }: Pick<BlockEnd, 'headerHash' | 'historyRoot'>,
  ): void {
    const { epoch, timeMs } = header;
    this.#index.append(header);
    this.#newest = { headerHash, historyRoot, epoch, timeMs };
    this.#tail.set(header.height, this.#newest);
  }

  /** Takes back every block above a height. Committed blocks cannot be taken back. */
  truncate(after: Height): void {
    const last = this.lastHeight;
    this.#index.truncate(after);
    for (let height = after + 1; height <= last; height++) this.#tail.delete(height);
    this.#newest = this.#tail.get(this.lastHeight) ?? this.#committed;
  }

  /** Marks every block up to a height as committed. */
  commit(height: Height): void {
    const from = this.committedHeight;
    if (height <= from) return;
    const last = this.#tail.get(height);
    assert(last, `commit of block ${height} that is not in the log`);
    this.#index.commit(height);
    this.#committed = last;
    for (let each = from + 1; each <= height; each++) this.#tail.delete(each);
  }

  /** Where each view of the log begins, for consensus to resume from. */
  viewHistory(): { view: View; fromHeight: Height }[] {
    return this.#index
      .viewStarts()
      .map(({ view, fromHeight }) => ({ view: toView(view), fromHeight: toHeight(fromHeight) }));
  }

  /** Each view of the committed ledger and its first transaction, oldest first. */
  committedViews(): { view: number; firstSeqno: number }[] {
    return this.#index
      .viewStarts()
      .filter(({ fromHeight }) => fromHeight <= this.committedHeight)
      .map(({ view, firstSeqno }) => ({ view, firstSeqno }));
  }

  /**
   * The history summary of the committed ledger, equal on every node.
   */
  committedSummary(): Uint8Array {
    return this.#index.summary(this.committedHeight);
  }

  /** Pages completed since it was last asked: they are to be kept by the host. */
  takeCompletedPages(): CompletedPage[] {
    return this.#index.takeCompletedPages();
  }

  /**
   * Brings back a page of the history that was asked for.
   * @throws LedgerError WRONG_PAGE, MALFORMED
   */
  loadPage(page: number, bytes: Uint8Array): void {
    this.#index.loadPage(page, bytes);
  }

  /**
   * Goes on from a state that is committed, whatever the log holds.
   * @throws LedgerError MALFORMED; WRONG_ROOT, WRONG_HEIGHT when the summary is of another history
   */
  restore(base: LedgerBase): void {
    const { headerHash, historyRoot, epoch } = base;
    const index = LedgerIndex.fromSummary(base.summary);
    if (!equalBytes(index.history.root(), historyRoot)) {
      throw new LedgerError('WRONG_ROOT', 'the summary of the history has another root');
    }
    const { lastHeight, lastView, nextSeqno } = index;
    if (lastHeight !== base.height || lastView !== base.view || nextSeqno !== base.nextSeqno) {
      throw new LedgerError('WRONG_HEIGHT', 'the summary of the history ends elsewhere');
    }
    this.#index = index;
    this.#tail.clear();
    this.#newest = { headerHash, historyRoot, epoch, timeMs: 0 };
    this.#committed = this.#newest;
  }
}
