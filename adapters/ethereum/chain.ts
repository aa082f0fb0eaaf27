import type { BlockEnvironment } from '@concordat/evm';
import type { ReadView } from '@concordat/kv';
import { equalBytes, toDigest, toHex, toLatin1 } from '@concordat/std';
import type { BatchEnvironment, BatchSet } from '@concordat/worker-enclave';
import { nextBaseFee } from './block.ts';
import type { SubmittedTransaction } from './chain-reader.ts';
import type { ChainConfig } from './config.ts';
import { EthereumError } from './errors.ts';
import type { AppliedTransaction, Engine, Executor, Simulator } from './executor.ts';
import { type Fork, forkOf } from './fork.ts';
import { NonceQueue, type Queued } from './nonce-queue.ts';
import { hashKey, OpenBlock, type SealedBlock } from './open-block.ts';
import { PendingWrites } from './pending-writes.ts';
import { decodeSigners } from './preparation.ts';
import {
  decodeHead,
  encodeBlock,
  encodeHead,
  encodeNumber,
  encodePlace,
  type HeadRecord,
  hashOfBlockRecord,
} from './records.ts';
import { replayContext, replayParents } from './replay.ts';
import { openTables, type StateTables } from './state-source.ts';
import { callsAtBlockStart } from './system-contracts.ts';
import { blockKey, tableNames, transactionKey } from './tables.ts';
import { type DecodedTransaction, type DecodingRules, decodeTransaction } from './transaction.ts';

const highestTypes = { berlin: 1, london: 2, cancun: 3, prague: 4 } as const;

/** The open part of a chain while a batch runs. */
interface Batch {
  readonly set: BatchSet;
  readonly tables: StateTables;
  readonly env: BatchEnvironment;
  block: OpenBlock;
  /** Blocks that filled up within the batch. */
  readonly full: { readonly block: OpenBlock; readonly sealed: SealedBlock }[];
  readonly headBytes: Uint8Array | undefined;
  /** The last block whose system calls are executed. */
  started: OpenBlock | undefined;
  /** What they wrote. */
  readonly pending: PendingWrites;
  /** Of the ledger block: that of the transaction under way. */
  leaf: number;
}

/** Where a transaction is executed. */
export interface ExecutionPlace {
  readonly set: BatchSet;
  readonly env: BatchEnvironment;
  /** Transactions kept in this batch so far, of all chains. */
  readonly leaf: number;
  /** When it is executed anew: the block it was put into. */
  readonly given?: GivenBlock;
}

/** What a leader chose for a block, and no execution comes to. */
export interface GivenBlock {
  readonly number: number;
  /** Unix seconds. */
  readonly timestamp: number;
  readonly prevRandao: bigint;
}

/** One chain on the leader: it executes transactions into blocks. */
export class Chain {
  readonly config: ChainConfig;
  readonly fork: Fork;
  readonly rules: DecodingRules;
  readonly queue: NonceQueue;
  /** The real block around the transactions of a replay. */
  readonly replayed: BlockEnvironment | undefined;
  readonly #engine: Engine;
  #executor: Executor | undefined;
  #simulator: Simulator | undefined;
  #batch: Batch | undefined;
  /** Head this cache belongs to; undefined when it is not known to belong to any. */
  #cached: Uint8Array | undefined;

  constructor(config: ChainConfig, engine: Engine, nowMs: () => number) {
    this.config = config;
    this.fork = forkOf(config.hardfork, config.chainId);
    const { rules } = this.fork;
    let highestType = 0;
    for (const [name, type] of Object.entries(highestTypes)) {
      if (rules[name as keyof typeof highestTypes]) highestType = type;
    }
    this.rules = {
      chainId: config.chainId,
      highestType,
      blobs: config.replay !== undefined,
      lowS: rules.homestead,
      maxBytes: config.maxTransactionBytes,
    };
    this.queue = new NonceQueue(nowMs);
    this.replayed =
      config.replay === undefined ? undefined : replayContext(config.replay, this.fork);
    this.#engine = engine;
  }

  /** Made when first needed: a node that follows executes no blocks, and a chain may rest. */
  get #running(): Executor {
    this.#executor ??= this.#engine.executor(this.fork);
    return this.#executor;
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
    this.queue.reset();
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
    { set, env, leaf, given }: ExecutionPlace,
  ): SubmittedTransaction | Promise<SubmittedTransaction> {
    const batch = this.#open(set, env, given);
    batch.leaf = leaf;
    this.#makeRoom(batch, transaction, given);
    const started = this.#startBlock(batch);
    if (started !== undefined) return started.then(() => this.#apply(batch, transaction));
    return this.#apply(batch, transaction);
  }

  #apply(
    batch: Batch,
    transaction: DecodedTransaction,
  ): SubmittedTransaction | Promise<SubmittedTransaction> {
    const applied = this.#running.execute(transaction, batch.block.context);
    if (applied instanceof Promise) {
      return applied.then((done) => this.#keep(batch, transaction, done));
    }
    return this.#keep(batch, transaction, applied);
  }

  /** What a block does before its first transaction; it is written with the first that is kept. */
  #startBlock(batch: Batch): undefined | Promise<void> {
    const { block, pending, started } = batch;
    if (started === block) return undefined;
    batch.started = block;
    if (block.count > 0) return undefined;
    const { replay } = this.config;
    const parents =
      replay === undefined
        ? { parentHash: block.parentHash, parentBeaconBlockRoot: noBeaconRoot }
        : replayParents(replay);
    const executor = this.#running;
    let chained: undefined | Promise<void>;
    for (const call of callsAtBlockStart(this.fork.rules, parents)) {
      const run = (): void | Promise<void> => executor.systemCall(call, block.context);
      const called = chained === undefined ? run() : chained.then(run);
      if (called instanceof Promise) chained = called.then(() => executor.finish(pending));
      else executor.finish(pending);
    }
    return chained;
  }

  /** Takes the marks of a refused transaction off. */
  abandon(): void {
    this.#executor?.abandon();
  }

  /** Tells the queue that a transaction is through, one way or the other. */
  settled(transaction: DecodedTransaction): void {
    this.queue.settled(queuedOf(transaction), this.#running.account(transaction.from).nonce);
  }

  #open(set: BatchSet, env: BatchEnvironment, given?: GivenBlock): Batch {
    const open = this.#batch;
    if (open !== undefined && open.set === set) return open;
    const headBytes = set.table(tableNames.heads).get(this.config.space);
    const fresh =
      this.#cached !== undefined && headBytes !== undefined && equalBytes(this.#cached, headBytes);
    if (!fresh || open !== undefined) this.#running.forget();
    this.#cached = undefined;
    const tables = openTables(set, this.config.space);
    this.#running.attach(tables);
    const head = headBytes === undefined ? undefined : decodeHead(headBytes);
    const full: Batch['full'] = [];
    const block = this.#firstBlock({ set, env, full }, head, given);
    const batch: Batch = {
      set,
      tables,
      env,
      block,
      full,
      headBytes,
      started: undefined,
      pending: new PendingWrites(),
      leaf: 0,
    };
    this.#batch = batch;
    return batch;
  }

  #firstBlock(
    batch: Pick<Batch, 'set' | 'env' | 'full'>,
    head: HeadRecord | undefined,
    given?: GivenBlock,
  ) {
    if (this.replayed === undefined) return this.#nextBlock(batch, head, given);
    return new OpenBlock(this.replayed, noParent, head);
  }

  #nextBlock(
    { set, env, full }: Pick<Batch, 'set' | 'env' | 'full'>,
    head: HeadRecord | undefined,
    given?: GivenBlock,
  ): OpenBlock {
    const { config } = this;
    const seconds = given?.timestamp ?? Math.floor(env.timeMs / 1000);
    const context: BlockEnvironment = {
      number: (head?.number ?? -1) + 1,
      timestamp: Math.max(seconds, head?.timestamp ?? 0),
      coinbase: config.coinbase,
      gasLimit: config.gasLimit,
      difficulty: 0n,
      prevRandao: given?.prevRandao ?? BigInt(`0x${toHex(env.random(32))}`),
      baseFee: this.baseFeeAfter(head),
      blobBaseFee: this.fork.rules.cancun ? 1n : 0n,
      blockHash: (wanted) => this.#blockHash(set, full, Number(wanted)),
    };
    return new OpenBlock(context, head?.hash ?? noParent, undefined);
  }

  #blockHash(set: BatchSet, full: Batch['full'], number: number): bigint {
    for (const { sealed } of full) {
      if (sealed.header.number === number) return BigInt(`0x${toHex(sealed.hash)}`);
    }
    const record = set.table(tableNames.blocks).get(blockKey(this.config.space, number));
    return record === undefined ? 0n : BigInt(`0x${toHex(hashOfBlockRecord(record))}`);
  }

  /** Starts another block when the gas limit of a transaction exceeds what is left. */
  #makeRoom(batch: Batch, transaction: DecodedTransaction, given?: GivenBlock): void {
    const { gasLimit } = transaction.fields;
    const { block } = batch;
    // One that was refused may have asked for the room, so the recorded number is what tells.
    const isNext = given !== undefined && block.count > 0 && given.number > block.context.number;
    if (block.fits(gasLimit) && !isNext) return;
    if (this.config.replay !== undefined) {
      throw new EthereumError('BLOCK_GAS_EXHAUSTED', 'the replayed block has too little gas left');
    }
    // A transaction above the limit of any block is refused by the stateless checks.
    if (block.count === 0 || gasLimit > BigInt(this.config.gasLimit)) return;
    const sealed = block.seal(this.fork);
    batch.full.push({ block, sealed });
    batch.block = this.#nextBlock(batch, block.head(sealed.hash), given);
  }

  #keep(
    batch: Batch,
    transaction: DecodedTransaction,
    applied: AppliedTransaction,
  ): SubmittedTransaction {
    const { space } = this.config;
    const { set, block } = batch;
    const { number } = block.context;
    const known = set.table(tableNames.transactionHashes);
    const key = hashKey(space, transaction.hash);
    batch.pending.moveTo(batch.tables);
    this.#running.finish(batch.tables);
    const { index, record } = block.add(transaction, applied);
    set.table(tableNames.transactions).set(transactionKey(space, number, index), record);
    known.set(key, encodePlace({ number, index, leaf: batch.leaf }));
    // The claims digest of a leaf is the transaction's hash: a ledger receipt then proves it.
    set.endTransaction(toDigest(transaction.hash));
    return {
      hash: `0x${toHex(transaction.hash)}`,
      blockNumber: number,
      index,
      status: applied.status,
      gasUsed: applied.gasUsed,
    };
  }

  /** Writes the batch's blocks and the new head; nothing when no transaction was kept. */
  seal(set: BatchSet): void {
    const batch = this.#batch;
    if (batch === undefined || batch.set !== set) return;
    this.#batch = undefined;
    const head = this.config.replay === undefined ? this.#sealNormal(batch) : sealReplay(batch);
    // What no transaction followed is not in the tables, only in the cache.
    if (!batch.pending.isEmpty) this.#running.forget();
    if (head === undefined) {
      this.#cached = batch.headBytes;
      return;
    }
    const bytes = encodeHead(head);
    set.table(tableNames.heads).set(this.config.space, bytes);
    this.#cached = bytes;
  }

  #sealNormal(batch: Batch): HeadRecord | undefined {
    const { block, full, set } = batch;
    if (block.count > 0) full.push({ block, sealed: block.seal(this.fork) });
    for (const { sealed } of full) writeBlock(set, this.config.space, sealed);
    const last = full.at(-1);
    return last?.block.head(last.sealed.hash);
  }
}

function sealReplay({ block, headBytes }: Batch): HeadRecord | undefined {
  const before = headBytes === undefined ? 0 : decodeHead(headBytes).transactions;
  return block.count === before ? undefined : block.head(noParent);
}

/** Stores a sealed block and its place by hash. */
export function writeBlock(set: BatchSet, space: string, sealed: SealedBlock): void {
  const { header, headerBytes, hash, size, transactionHashes } = sealed;
  set
    .table(tableNames.blocks)
    .set(
      blockKey(space, header.number),
      encodeBlock({ header: headerBytes, hash, size, transactionHashes }),
    );
  set.table(tableNames.blockHashes).set(hashKey(space, hash), encodeNumber(header.number));
}

const noParent = new Uint8Array(32);
const noBeaconRoot = new Uint8Array(32);

/** A transaction as the nonce queue names it. */
export const queuedOf = (transaction: DecodedTransaction): Queued => ({
  sender: toLatin1(transaction.from),
  nonce: transaction.fields.nonce,
  hash: toLatin1(transaction.hash),
});
