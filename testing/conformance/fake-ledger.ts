import type { Worker, WorkerOptions } from '@concordat/worker-enclave';

/** A frame the manager would send to the worker. */
export type ToWorker = Parameters<Worker['receive']>[0];
/** A frame the worker sends to the manager. */
export type FromWorker = Parameters<WorkerOptions['send']>[0];

type Applied = Extract<ToWorker, { kind: 'applied' }>['blocks'][number];

/** A block of the fake ledger: what would be sealed, in plaintext. */
export type FakeBlock = Omit<Applied, 'speculative'>;

/** The state of a worker as a snapshot holds it. */
export interface FakeSnapshot {
  readonly height: number;
  readonly chunks: readonly Uint8Array[];
}

type Batch = Extract<FromWorker, { kind: 'batch' | 'genesisBatch' }>;
type ChunkFrame = Extract<FromWorker, { kind: 'snapshotChunk' }>;

/** A snapshot on its way. */
interface Taking {
  readonly chunks: Uint8Array[];
  readonly done: (chunks: readonly Uint8Array[]) => void;
  readonly refuse: (error: Error) => void;
}

type PastRequest = Extract<FromWorker, { kind: 'past' }>;
type Past = Omit<Extract<ToWorker, { kind: 'pastReply' }>, 'kind' | 'id'>;

/** Transactions of the past in one answer: few, so that tests see ranges come in parts. */
const maxPast = 5;

type Ordered = Batch | Extract<FromWorker, { kind: 'ready' }>;
type Reply = Omit<Extract<ToWorker, { kind: 'forwardReply' }>, 'kind' | 'id'>;

/** Orders batches as the manager of a one-node network would, without keys or disk. */
export class FakeLedger {
  /** Everything numbered, oldest first. */
  readonly blocks: FakeBlock[] = [];
  /** Refuse the next so many batches instead of numbering them. */
  refuseBatches = 0;
  /** Number batches only when told to by `settle`. */
  hold = false;
  readonly #deliver: (message: ToWorker) => void;
  readonly #atOnce: boolean;
  readonly #nowMs: () => number;
  readonly #followers: FakeLedger[] = [];
  readonly #replies = new Map<number, (reply: Reply) => void>();
  /** In the order sent: a `ready` must not overtake the batches before it. */
  #inbox: Ordered[] = [];
  #scheduled = false;
  /** Frames after which a batch is stale, sent and not yet answered by `ready`. */
  #owed = 0;
  #view = 1;
  #leading = false;
  #committed = 0;
  #nextSeqno = 1;
  #nextForward = 1;
  #nextSnapshot = 1;
  readonly #snapshots = new Map<number, Taking>();
  /** Why the last restore was refused, if it was. */
  #restoreRefused: string | undefined;

  constructor(options: {
    readonly deliver: (message: ToWorker) => void;
    readonly atOnce: boolean;
    readonly nowMs: () => number;
  }) {
    this.#deliver = options.deliver;
    this.#atOnce = options.atOnce;
    this.#nowMs = options.nowMs;
  }

  /** Height of the newest committed block. */
  get committedHeight(): number {
    return this.#committed;
  }

  get committedBlocks(): readonly FakeBlock[] {
    return this.blocks.slice(0, this.#committed);
  }

  /** Delivers a frame that the worker answers with `ready`. */
  deliverAndAwait(message: ToWorker): void {
    this.#owed += 1;
    this.#deliver(message);
  }

  /** Takes a frame of the worker if it concerns the ledger. */
  take(message: FromWorker): boolean {
    const { kind } = message;
    if (kind === 'snapshotChunk' || kind === 'snapshotRefused') {
      const taking = this.#snapshots.get(message.request);
      if (message.kind === 'snapshotRefused') taking?.refuse(new Error(message.code));
      else if (taking !== undefined) this.#chunk(message, taking);
      return true;
    }
    if (kind === 'restoreRefused') {
      this.#restoreRefused = message.code;
      return true;
    }
    if (kind !== 'batch' && kind !== 'genesisBatch' && kind !== 'ready') return false;
    this.#inbox.push(message);
    if (!this.#scheduled && !this.hold) {
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        if (!this.hold) this.settle();
      });
    }
    return true;
  }

  /**
   * Numbers the batches that have arrived, or refuses the stale ones.
   * @param most frames to act on; the others wait
   */
  settle(most = this.#inbox.length): void {
    for (const message of this.#inbox.splice(0, most)) {
      if (message.kind === 'ready') this.#owed -= 1;
      else this.#order(message);
    }
    if (this.#atOnce && this.#committed < this.blocks.length) this.commit();
  }

  /** Commits up to a height; default everything numbered. */
  commit(height = this.blocks.length): void {
    const fresh = this.blocks.slice(this.#committed, height);
    if (fresh.length === 0) return;
    this.#committed = height;
    for (const follower of this.#followers) follower.#follow(fresh);
    this.#deliver({ kind: 'committed', height });
    this.#deliver({ kind: 'committedByAll', height });
  }

  /** Takes back every block above the height, as a new leader's log would. */
  rollback(height: number): void {
    this.blocks.length = Math.min(this.blocks.length, height);
    const last = this.blocks.at(-1);
    this.#nextSeqno = last === undefined ? 1 : last.firstSeqno + last.transactions.length;
    this.deliverAndAwait({ kind: 'rollback', height });
  }

  /** Makes the node lead in a new view, or follow. */
  role(leader: boolean): void {
    this.#view += 1;
    this.#leading = leader;
    const json = Buffer.from('{}');
    this.deliverAndAwait({ kind: 'role', leader, view: this.#view, json });
  }

  /** Hands committed blocks to a worker that was not there. */
  replay(blocks: readonly FakeBlock[]): void {
    this.#follow(blocks);
  }

  /** Gives the worker a block of another leader that is not committed yet. */
  applySpeculatively(block: FakeBlock): void {
    this.#append(block);
    this.#deliver({ kind: 'applied', blocks: [{ ...block, speculative: true }] });
  }

  /** Makes a block beside the worker, as the manager does of a program that was voted in. */
  deploy(transaction: FakeBlock['transactions'][number]): void {
    this.settle();
    const height = this.blocks.length + 1;
    const block = {
      view: this.#view,
      height,
      firstSeqno: this.#nextSeqno,
      timeMs: this.#nowMs(),
      transactions: [transaction],
    };
    this.applySpeculatively(block);
    this.deliverAndAwait({ kind: 'rollback', height });
    if (this.#atOnce) this.commit();
  }

  /** Has the worker freeze its committed state and gathers what it sends. */
  takeSnapshot(): Promise<FakeSnapshot> {
    const request = this.#nextSnapshot++;
    const height = this.#committed;
    const timeMs = this.blocks[height - 1]?.timeMs ?? 0;
    return new Promise((resolve, refuse) => {
      const done = (chunks: readonly Uint8Array[]) => resolve({ height, chunks });
      this.#snapshots.set(request, { chunks: [], done, refuse });
      this.#deliver({ kind: 'snapshot', request, height, timeMs });
    });
  }

  #chunk({ request, index, last, bytes }: ChunkFrame, { chunks, done }: Taking): void {
    chunks.push(Uint8Array.from(bytes));
    setImmediate(() => this.#deliver({ kind: 'snapshotTaken', request, index }));
    if (!last) return;
    this.#snapshots.delete(request);
    done(chunks);
  }

  /**
   * Replaces the worker's state; `start` opens its service again.
   * @param past the ledger up to the snapshot's height
   * @returns why the worker refused, if it did
   */
  restore({ height, chunks }: FakeSnapshot, past: readonly FakeBlock[]): string | undefined {
    this.#restoreRefused = undefined;
    chunks.forEach((bytes, index) => {
      const frame = { kind: 'restore', index, chunks: chunks.length, bytes } as const;
      if (index === chunks.length - 1) this.deliverAndAwait(frame);
      else this.#deliver(frame);
    });
    this.blocks.length = 0;
    for (const block of past.slice(0, height)) this.#append(block);
    this.#committed = this.blocks.length;
    return this.#restoreRefused;
  }

  /** From now on every commit here reaches that ledger too. */
  feed(follower: FakeLedger): void {
    follower.#follow(this.committedBlocks.slice(follower.#committed));
    this.#followers.push(follower);
  }

  /** A follower's request, to be executed by this ledger's worker. */
  forwarded(
    { identity, request }: { readonly identity: Uint8Array; readonly request: Uint8Array },
    answer: (reply: Reply) => void,
  ): void {
    const id = this.#nextForward++;
    this.#replies.set(id, answer);
    this.#deliver({ kind: 'forwarded', id, origin: 'b'.repeat(64), identity, request });
  }

  /** The worker's answer to it. */
  reply({ id, ok, height, reply }: Extract<FromWorker, { kind: 'forwardedReply' }>): void {
    const answer = this.#replies.get(id);
    this.#replies.delete(id);
    answer?.({ ok, height, reply });
  }

  /** Committed transactions as a manager shows them; a receipt names its transaction and proves nothing. */
  past({ from, to, receipts }: Omit<PastRequest, 'kind' | 'id'>): Past {
    const all = this.committedBlocks.flatMap(({ view, firstSeqno, transactions }) =>
      transactions.map(({ publicWrites, privateWrites }, at) => {
        const seqno = firstSeqno + at;
        const receipt = Buffer.from(receipts ? JSON.stringify({ fake: `${view}.${seqno}` }) : '');
        return { seqno, view, publicWrites, privateWrites, receipt };
      }),
    );
    const transactions = all.filter(({ seqno }) => seqno >= from && seqno <= to).slice(0, maxPast);
    if (transactions.length > 0) return { transactions };
    return { code: 'TRANSACTION_PENDING', transactions };
  }

  #order(batch: Batch): void {
    if (batch.kind === 'batch' && (!this.#leading || this.#owed > 0 || this.refuseBatches > 0)) {
      if (this.#owed === 0) this.#owed = 1;
      this.refuseBatches = Math.max(0, this.refuseBatches - 1);
      this.#deliver({ kind: 'refused', batch: batch.batch, code: 'STALE' });
      return;
    }
    const block = {
      view: this.#view,
      height: this.blocks.length + 1,
      firstSeqno: this.#nextSeqno,
      timeMs: this.#nowMs(),
      transactions: batch.transactions,
    };
    this.#append(block);
    const { view, height, firstSeqno } = block;
    this.#deliver({ kind: 'sealed', batch: batch.batch, view, height, firstSeqno });
  }

  #append(block: FakeBlock): void {
    this.blocks.push(block);
    this.#nextSeqno = block.firstSeqno + block.transactions.length;
  }

  #follow(blocks: readonly FakeBlock[]): void {
    for (const block of blocks) this.#append(block);
    this.#committed = this.blocks.length;
    const applied = blocks.map((block) => ({ ...block, speculative: false }));
    if (applied.length > 0) this.#deliver({ kind: 'applied', blocks: applied });
  }
}
