import type { BlockEnvironment } from '@concordat/evm';
import type { ReadView } from '@concordat/kv';
import { equalBytes, toLatin1 } from '@concordat/std';
import type { BatchSet } from '@concordat/worker-enclave';
import { nextBaseFee } from './block.ts';
import { type BatchPlace, ChainBatch } from './chain-batch.ts';
import type { SubmittedTransaction } from './chain-reader.ts';
import type { ChainConfig } from './config.ts';
import { EthereumError } from './errors.ts';
import type { Borrower, Engine, Executor, Simulator } from './executor.ts';
import { type Fork, forkOf } from './fork.ts';
import type { NonceQueue, Queued } from './nonce-queue.ts';
import { decodeSigners } from './preparation.ts';
import { decodeHead, encodeHead, type HeadRecord } from './records.ts';
import { replayContext } from './replay.ts';
import { tableNames } from './tables.ts';
import { type DecodedTransaction, type DecodingRules, decodeTransaction } from './transaction.ts';

/** Where a transaction is executed. */
export interface ExecutionPlace extends BatchPlace {
  /** Transactions kept in this batch so far, of all chains. */
  readonly leaf: number;
}

/** One chain on the leader: it executes transactions into blocks. */
export class Chain implements Borrower {
  readonly config: ChainConfig;
  readonly fork: Fork;
  readonly rules: DecodingRules;
  readonly queue: NonceQueue;
  /** The real block around the transactions of a replay. */
  readonly replayed: BlockEnvironment | undefined;
  readonly #engine: Engine;
  #executor: Executor | undefined;
  #simulator: Simulator | undefined;
  #batch: ChainBatch | undefined;
  /** Head this cache belongs to; undefined when it is not known to belong to any. */
  #cached: Uint8Array | undefined;

  /** @param queue that of the chain with this name until now, if there was one */
  constructor(config: ChainConfig, engine: Engine, queue: NonceQueue) {
    this.config = config;
    this.fork = forkOf(config.hardfork, config.chainId);
    this.rules = {
      chainId: config.chainId,
      highestType: this.fork.highestType,
      blobs: config.replay !== undefined,
      lowS: this.fork.rules.homestead,
      maxBytes: config.maxTransactionBytes,
    };
    this.queue = queue;
    this.replayed =
      config.replay === undefined ? undefined : replayContext(config.replay, this.fork);
    this.#engine = engine;
  }

  /** Made when first needed: a node that follows executes no blocks, and a chain may rest. */
  get #running(): Executor {
    this.#executor ??= this.#engine.executor(this.fork, this);
    return this.#executor;
  }

  get isExecuting(): boolean {
    return this.#batch !== undefined;
  }

  handBack(): void {
    this.#executor = undefined;
    this.#cached = undefined;
  }

  /** What answers calls on this chain. */
  get simulator(): Simulator {
    this.#simulator ??= this.#engine.simulator(this.fork);
    return this.#simulator;
  }

  /**
   * Decodes, and recovers what `prepared` does not tell.
   * @throws EthereumError see {@link decodeTransaction}
   */
  decode(raw: Uint8Array, prepared?: Uint8Array): DecodedTransaction {
    const known = prepared === undefined ? undefined : decodeSigners(prepared, raw);
    return decodeTransaction(raw, this.rules, known);
  }

  /** Drops what was cached of the head. */
  forget(): void {
    this.#cached = undefined;
    this.#batch = undefined;
    this.queue.reset();
  }

  /** Tells the queue of a transaction that was admitted before and is still to be executed. */
  waits(transaction: DecodedTransaction): void {
    this.queue.readmitted(queuedOf(transaction));
  }

  /** Head of the chain in a view; a chain without one begins at block 0. */
  head(view: ReadView): HeadRecord | undefined {
    const bytes = view.table(tableNames.heads).get(this.config.space);
    return bytes === undefined ? undefined : decodeHead(bytes);
  }

  /** Base fee of the block after this head. */
  baseFeeAfter(head: HeadRecord | undefined): bigint {
    const { config, fork } = this;
    if (this.replayed !== undefined) return this.replayed.baseFee;
    if (config.zeroFee || !fork.rules.london) return 0n;
    return head === undefined ? config.baseFee : nextBaseFee(head);
  }

  /**
   * Executes one transaction and ends it in the set, as the given leaf of the batch.
   * @throws EthereumError every refusal; then the set holds nothing of it
   */
  execute(
    transaction: DecodedTransaction,
    place: ExecutionPlace,
  ): SubmittedTransaction | Promise<SubmittedTransaction> {
    const batch = this.#open(place);
    batch.makeRoom(transaction, place.given);
    try {
      return this.#attempt(batch, transaction, place.leaf);
    } catch (error) {
      if (!(error instanceof EthereumError) || error.code !== 'ENGINE_FAULT') throw error;
      // How much memory an engine still has hangs on what it ran before, and no outcome may: only
      // what stops a fresh one too is refused, here and wherever the batch is executed anew.
      this.abandon(error);
      return this.#attempt(batch, transaction, place.leaf);
    }
  }

  #attempt(
    batch: ChainBatch,
    transaction: DecodedTransaction,
    leaf: number,
  ): SubmittedTransaction | Promise<SubmittedTransaction> {
    const started = batch.start(this.#running);
    if (started === undefined) return this.#apply(batch, transaction, leaf);
    return started.then(() => this.#apply(batch, transaction, leaf));
  }

  #apply(
    batch: ChainBatch,
    transaction: DecodedTransaction,
    leaf: number,
  ): SubmittedTransaction | Promise<SubmittedTransaction> {
    const executor = this.#running;
    const applied = executor.execute(transaction, batch.context);
    if (applied instanceof Promise) {
      return applied.then((done) => batch.keep(transaction, done, { executor, leaf }));
    }
    return batch.keep(transaction, applied, { executor, leaf });
  }

  /** Takes the marks of a refused transaction off. */
  abandon(refusal: EthereumError): void {
    this.#executor?.abandon();
    // One that fell over damaged state has begun anew like one that stopped.
    if (refusal.code !== 'ENGINE_FAULT' && refusal.code !== 'MALFORMED') return;
    this.#executor?.forget();
    this.#batch?.startAgain();
  }

  /** Tells the queue that a transaction is through, one way or the other. */
  settled(transaction: DecodedTransaction): void {
    this.queue.settled(queuedOf(transaction), this.#running.nonceOf(transaction.from));
  }

  #open(place: BatchPlace): ChainBatch {
    const open = this.#batch;
    if (open !== undefined && open.set === place.set) return open;
    const batch = new ChainBatch(this, place);
    const { headBytes } = batch;
    const fresh =
      this.#cached !== undefined && headBytes !== undefined && equalBytes(this.#cached, headBytes);
    if (!fresh || open !== undefined) this.#running.forget();
    this.#cached = undefined;
    this.#running.attach(batch.tables);
    this.#batch = batch;
    return batch;
  }

  /** Writes the batch's blocks and the new head; nothing when no transaction was kept. */
  seal(set: BatchSet): void {
    const batch = this.#batch;
    if (batch === undefined || batch.set !== set) return;
    this.#batch = undefined;
    const head = batch.seal();
    if (batch.hasUnwritten) this.#running.forget();
    this.#cached = head === undefined ? batch.headBytes : encodeHead(head);
    if (head !== undefined && this.#cached !== undefined) {
      set.table(tableNames.heads).set(this.config.space, this.#cached);
    }
  }
}

/** A transaction as the nonce queue names it. */
export const queuedOf = (transaction: DecodedTransaction): Queued => ({
  sender: toLatin1(transaction.from),
  nonce: transaction.fields.nonce,
  hash: toLatin1(transaction.hash),
});
