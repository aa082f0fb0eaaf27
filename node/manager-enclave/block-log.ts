import {
  type HistoryMark,
  HistoryTree,
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
  type Height,
  type NodeId,
  type Seqno,
  toDigest,
  toHeight,
  toSeqno,
  toView,
  type View,
} from '@concordat/std';
import { NumberColumn } from './growable.ts';

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

interface TailBlock {
  readonly before: HistoryMark;
  readonly headerHash: Digest;
}

const noBlock = toDigest(new Uint8Array(32));

/**
 * The ledger as the manager enclave holds it in memory: position, history tree, and for blocks
 * not yet committed what is needed to take them back. It seals new blocks on the leader and opens
 * (decrypts and checks) received ones on followers; the bytes themselves live on the host.
 */
export class BlockLog {
  readonly #keys: BlockLogKeys;
  readonly #self: NodeId;
  readonly history = new HistoryTree();
  readonly #firstSeqnos = new NumberColumn();
  readonly #views = new NumberColumn();
  readonly #tail = new Map<number, TailBlock>();
  #nextSeqno = toSeqno(1);
  #headerHash: Digest = noBlock;
  #committed: { height: Height; headerHash: Digest } = { height: toHeight(0), headerHash: noBlock };

  constructor(self: NodeId, keys: BlockLogKeys) {
    this.#self = self;
    this.#keys = keys;
  }

  /** Height of the newest block, 0 when there is none. */
  get lastHeight(): Height {
    return toHeight(this.#views.length);
  }

  /** View of the newest block, 0 when there is none. */
  get lastView(): View {
    return toView(this.#views.at(this.#views.length - 1) ?? 0);
  }

  /** Seqno of the newest transaction, 0 when there is none. */
  get lastSeqno(): Seqno {
    return toSeqno(this.#nextSeqno - 1);
  }

  /** Height of the newest committed block. */
  get committedHeight(): Height {
    return this.#committed.height;
  }

  /** View of the newest committed block, 0 when there is none. */
  get committedView(): View {
    return toView(this.#views.at(this.#committed.height - 1) ?? 0);
  }

  /** Seqno of the newest committed transaction. */
  get committedSeqno(): Seqno {
    const next = this.#firstSeqnos.at(this.#committed.height);
    return toSeqno((next ?? this.#nextSeqno) - 1);
  }

  /** History root over all blocks, 32 zero bytes when there is none. */
  get root(): Digest {
    return this.history.size === 0 ? noBlock : this.history.root();
  }

  /** View of the block at a height; undefined when there is none. */
  viewAt(height: number): View | undefined {
    const view = this.#views.at(height - 1);
    return view === undefined ? undefined : toView(view);
  }

  /** First seqno of the block at a height; undefined when there is none. */
  firstSeqnoAt(height: number): Seqno | undefined {
    const seqno = this.#firstSeqnos.at(height - 1);
    return seqno === undefined ? undefined : toSeqno(seqno);
  }

  /** The block that holds a transaction, and its position there; undefined beyond the end. */
  locate(seqno: number): { height: Height; index: number } | undefined {
    if (seqno < 1 || seqno >= this.#nextSeqno) return undefined;
    const at = this.#firstSeqnos.lastNotAbove(seqno);
    return { height: toHeight(at + 1), index: seqno - (this.#firstSeqnos.at(at) as number) };
  }

  /** Seals the next block and makes it the newest (still uncommitted). */
  seal(request: SealRequest): SealedBlock {
    const before = this.history.mark();
    const sealed = sealBlock({
      ...request,
      height: toHeight(this.lastHeight + 1),
      firstSeqno: this.#nextSeqno,
      epoch: request.sessionKey.epoch,
      leader: this.#self,
      previous: this.#headerHash,
      history: this.history,
      sign: this.#keys.sign,
    });
    this.#append(before, sealed.header.count, request.view, sealed.headerHash);
    return sealed;
  }

  /**
   * Opens the next block as received or read back, and makes it the newest.
   * @throws LedgerError with the height and the reason when anything about it is wrong
   */
  open(bytes: Uint8Array): OpenedBlock {
    const before = this.history.mark();
    const opened = openBlock(bytes, {
      sessionKey: (epoch) => this.#keys.sessionKey(epoch),
      nodeKey: (node) => this.#keys.nodeKey(node),
      history: this.history,
      previous: this.#headerHash,
      expectedHeight: toHeight(this.lastHeight + 1),
      expectedFirstSeqno: this.#nextSeqno,
    });
    this.#append(before, opened.header.count, opened.header.view, opened.headerHash);
    return opened;
  }

  #append(before: HistoryMark, count: number, view: View, headerHash: Digest): void {
    this.#firstSeqnos.push(this.#nextSeqno);
    this.#views.push(view);
    this.#nextSeqno = toSeqno(this.#nextSeqno + count);
    this.#headerHash = headerHash;
    this.#tail.set(this.#views.length, { before, headerHash });
  }

  /** Takes back every block above a height. Committed blocks cannot be taken back. */
  truncate(after: Height): void {
    assert(after >= this.#committed.height, `truncation to ${after} below the committed height`);
    if (after >= this.lastHeight) return;
    const first = this.#tail.get(after + 1);
    assert(first, 'uncommitted blocks are kept until they commit');
    this.history.restore(first.before);
    for (let height = after + 1; height <= this.#views.length; height++) this.#tail.delete(height);
    this.#nextSeqno = toSeqno(this.#firstSeqnos.at(after) as number);
    this.#firstSeqnos.truncate(after);
    this.#views.truncate(after);
    this.#headerHash =
      after === this.#committed.height
        ? this.#committed.headerHash
        : (this.#tail.get(after) as TailBlock).headerHash;
  }

  /** Marks every block up to a height as committed. */
  commit(height: Height): void {
    const from = this.#committed.height;
    if (height <= from) return;
    const last = this.#tail.get(height);
    assert(last, `commit of block ${height} that is not in the log`);
    this.#committed = { height, headerHash: last.headerHash };
    for (let each = from + 1; each <= height; each++) this.#tail.delete(each);
  }

  /** Where each view of the log begins, for consensus to resume from. */
  viewHistory(): { view: View; fromHeight: Height }[] {
    const history: { view: View; fromHeight: Height }[] = [];
    let last = -1;
    for (let at = 0; at < this.#views.length; at++) {
      const view = this.#views.at(at) as number;
      if (view === last) continue;
      history.push({ view: toView(view), fromHeight: toHeight(at + 1) });
      last = view;
    }
    return history;
  }
}
