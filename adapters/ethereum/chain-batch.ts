import { type BlockEnvironment, type BlockParents, callsAtBlockStart } from '@concordat/evm';
import { toDigest, toHex } from '@concordat/std';
import type { BatchEnvironment, BatchSet } from '@concordat/worker-enclave';
import type { SubmittedTransaction } from './chain-reader.ts';
import type { ChainConfig } from './config.ts';
import { EthereumError } from './errors.ts';
import type { AppliedTransaction, Executor } from './executor.ts';
import type { Fork } from './fork.ts';
import { hashKey, OpenBlock, type SealedBlock, writeBlock } from './open-block.ts';
import { PendingWrites } from './pending-writes.ts';
import { decodeHead, encodePlace, type HeadRecord, hashOfBlockRecord } from './records.ts';
import { replayParents } from './replay.ts';
import { openTables, type StateTables } from './state-source.ts';
import { blockKey, tableNames, transactionKey } from './tables.ts';
import type { DecodedTransaction } from './transaction.ts';

/** What a leader chose for a block, and no execution comes to. */
export interface GivenBlock {
  readonly number: number;
  /** Unix seconds. */
  readonly timestamp: number;
  readonly prevRandao: bigint;
}

/** What of a chain its batches need. */
export interface BatchRules {
  readonly config: ChainConfig;
  readonly fork: Fork;
  /** The real block around the transactions of a replay. */
  readonly replayed: BlockEnvironment | undefined;
  /** Base fee of the block after this head. */
  baseFeeAfter(head: HeadRecord | undefined): bigint;
}

/** What a batch of a chain is opened with. */
export interface BatchPlace {
  readonly set: BatchSet;
  readonly env: BatchEnvironment;
  /** When it is executed anew: the first block of the batch. */
  readonly given?: GivenBlock;
}

/** The open part of a chain while a batch runs: its blocks, from the head on. */
export class ChainBatch {
  readonly set: BatchSet;
  readonly tables: StateTables;
  /** Bytes of the head that it began with. */
  readonly headBytes: Uint8Array | undefined;
  readonly #rules: BatchRules;
  readonly #env: BatchEnvironment;
  /** Blocks that filled up within the batch. */
  readonly #full: { readonly block: OpenBlock; readonly sealed: SealedBlock }[] = [];
  #block: OpenBlock;
  /** The last block whose system calls are executed. */
  #started: OpenBlock | undefined;
  /** What they wrote. */
  #pending = new PendingWrites();

  constructor(rules: BatchRules, { set, env, given }: BatchPlace) {
    const { space } = rules.config;
    this.set = set;
    this.#rules = rules;
    this.#env = env;
    this.tables = openTables(set, space);
    this.headBytes = set.table(tableNames.heads).get(space);
    const head = this.headBytes === undefined ? undefined : decodeHead(this.headBytes);
    this.#block =
      rules.replayed === undefined
        ? this.#nextBlock(head, given)
        : new OpenBlock(rules.fork, rules.replayed, { parentHash: noParent, before: head });
  }

  /** The block that the next transaction is executed in. */
  get context(): BlockEnvironment {
    return this.#block.context;
  }

  #nextBlock(head: HeadRecord | undefined, given?: GivenBlock): OpenBlock {
    const { config, fork } = this.#rules;
    const env = this.#env;
    const seconds = given?.timestamp ?? Math.floor(env.timeMs / 1000);
    const context: BlockEnvironment = {
      number: (head?.number ?? -1) + 1,
      timestamp: Math.max(seconds, head?.timestamp ?? 0),
      coinbase: config.coinbase,
      gasLimit: config.gasLimit,
      difficulty: 0n,
      prevRandao: given?.prevRandao ?? BigInt(`0x${toHex(env.random(32))}`),
      baseFee: this.#rules.baseFeeAfter(head),
      blobBaseFee: fork.rules.cancun ? 1n : 0n,
      blockHash: (wanted) => this.#blockHash(Number(wanted)),
    };
    return new OpenBlock(fork, context, { parentHash: head?.hash ?? noParent });
  }

  #blockHash(number: number): bigint {
    for (const { sealed } of this.#full) {
      if (sealed.header.number === number) return BigInt(`0x${toHex(sealed.hash)}`);
    }
    const { space } = this.#rules.config;
    const record = this.set.table(tableNames.blocks).get(blockKey(space, number));
    return record === undefined ? 0n : BigInt(`0x${toHex(hashOfBlockRecord(record))}`);
  }

  /**
   * Starts another block when the gas limit of a transaction exceeds what is left.
   * @throws EthereumError BLOCK_GAS_EXHAUSTED in a replay
   */
  makeRoom(transaction: DecodedTransaction, given?: GivenBlock): void {
    const { gasLimit } = transaction.fields;
    const { config } = this.#rules;
    const block = this.#block;
    // One that was refused may have asked for the room, so the recorded number is what tells.
    const isNext = given !== undefined && block.count > 0 && given.number > block.context.number;
    if (block.fits(gasLimit) && !isNext) return;
    if (config.replay !== undefined) {
      throw new EthereumError('BLOCK_GAS_EXHAUSTED', 'the replayed block has too little gas left');
    }
    // A transaction above the limit of any block is refused by the stateless checks.
    if (block.count === 0 || gasLimit > BigInt(config.gasLimit)) return;
    const sealed = block.seal();
    this.#full.push({ block, sealed });
    this.#block = this.#nextBlock(block.head(sealed.hash), given);
  }

  /**
   * Executes what the protocol does before a block's first transaction (EIP-4788, 2935), once a
   * block. What it changes is written with the first transaction that is kept.
   */
  start(executor: Executor): undefined | Promise<void> {
    const block = this.#block;
    if (this.#started === block) return undefined;
    this.#started = block;
    if (block.count > 0) return undefined;
    let before: undefined | Promise<void>;
    for (const call of callsAtBlockStart(this.#rules.fork, this.#parents())) {
      const run = (): void | Promise<void> => executor.systemCall(call, block.context);
      const called = before === undefined ? run() : before.then(run);
      const finish = (): void => executor.finish(this.#pending);
      if (called instanceof Promise) before = called.then(finish);
      else finish();
    }
    return before;
  }

  #parents(): BlockParents {
    const { replay } = this.#rules.config;
    if (replay !== undefined) return replayParents(replay);
    return { parentHash: this.#block.parentHash, parentBeaconBlockRoot: noBeaconRoot };
  }

  /** Has the block start executed anew: the executor has lost what it had not written yet. */
  startAgain(): void {
    if (this.#block.count > 0) return;
    this.#pending = new PendingWrites();
    this.#started = undefined;
  }

  /** Ends an applied transaction in the set, as the given leaf of the batch. */
  keep(
    transaction: DecodedTransaction,
    applied: AppliedTransaction,
    { executor, leaf }: { readonly executor: Executor; readonly leaf: number },
  ): SubmittedTransaction {
    const { set, tables } = this;
    const { space } = this.#rules.config;
    const { number } = this.context;
    if (this.#pending.isEmpty) {
      executor.finish(tables);
    } else {
      // An engine that stops here leaves nothing in the set, not even its block's start.
      const own = new PendingWrites();
      executor.finish(own);
      this.#pending.moveTo(tables);
      own.moveTo(tables);
    }
    const { index, record } = this.#block.add(transaction, applied);
    set.table(tableNames.transactions).set(transactionKey(space, number, index), record);
    const place = encodePlace({ number, index, leaf });
    set.table(tableNames.transactionHashes).set(hashKey(space, transaction.hash), place);
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

  /** Whether a block start was executed that no transaction followed: caches are ahead of tables. */
  get hasUnwritten(): boolean {
    return !this.#pending.isEmpty;
  }

  /** Writes the blocks; the head after them, or undefined when no transaction was kept. */
  seal(): HeadRecord | undefined {
    const { config } = this.#rules;
    const block = this.#block;
    if (config.replay !== undefined) return this.#sealReplay();
    if (block.count > 0) this.#full.push({ block, sealed: block.seal() });
    for (const { sealed } of this.#full) writeBlock(this.set, config.space, sealed);
    const last = this.#full.at(-1);
    return last?.block.head(last.sealed.hash);
  }

  #sealReplay(): HeadRecord | undefined {
    const { headBytes } = this;
    const before = headBytes === undefined ? 0 : decodeHead(headBytes).transactions;
    return this.#block.count === before ? undefined : this.#block.head(noParent);
  }
}

const noParent = new Uint8Array(32);
const noBeaconRoot = new Uint8Array(32);
