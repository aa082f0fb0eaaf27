import type { BlockEnvironment } from '@concordat/evm';
import { toLatin1 } from '@concordat/std';
import type { BatchSet } from '@concordat/worker-enclave';
import {
  addLogsToBloom,
  bloomBytes,
  type ConsensusReceipt,
  encodeHeader,
  encodeReceipt,
  laterHeaderFields,
  noStateRoot,
  noUnclesHash,
} from './block.ts';
import { blockGasUsed, fitsBlock, type GasSums, noGas, withGasOf } from './block-gas.ts';
import type { HeaderView } from './chain-reader.ts';
import { keccak256 } from './crypto.ts';
import type { AppliedTransaction } from './executor.ts';
import type { Fork } from './fork.ts';
import { orderedTrieRoot } from './ordered-trie.ts';
import { encodeBlock, encodeNumber, encodeTransactionRecord, type HeadRecord } from './records.ts';
import { blockKey, tableNames } from './tables.ts';
import type { DecodedTransaction } from './transaction.ts';

/** A block whose header is final. */
export interface SealedBlock {
  readonly header: HeaderView;
  /** RLP. */
  readonly headerBytes: Uint8Array;
  readonly hash: Uint8Array;
  readonly size: number;
  readonly transactionHashes: readonly Uint8Array[];
}

/** Where a block is in its chain. */
export interface BlockPlace {
  readonly parentHash: Uint8Array;
  /** What earlier batches put into the same block (replay). */
  readonly before?: HeadRecord | undefined;
}

/** The sums that a head leaves for the rest of its block. */
const gasOfHead = ({ gas, gasUsed }: HeadRecord): GasSums =>
  gas ?? { paid: gasUsed, regular: gasUsed, state: 0 };

/** A block that transactions are being added to. */
export class OpenBlock {
  readonly context: BlockEnvironment;
  readonly parentHash: Uint8Array;
  readonly #fork: Fork;
  #gas: GasSums;
  /** Transactions in the block, those of earlier batches of a replay included. */
  count: number;
  logCount: number;
  readonly bloom: Uint8Array;
  readonly #transactions: Uint8Array[] = [];
  readonly #receipts: ConsensusReceipt[] = [];
  readonly #hashes: Uint8Array[] = [];

  constructor(fork: Fork, context: BlockEnvironment, place: BlockPlace) {
    const { parentHash, before } = place;
    this.#fork = fork;
    this.context = context;
    this.parentHash = parentHash;
    this.#gas = before === undefined ? noGas : gasOfHead(before);
    this.count = before?.transactions ?? 0;
    this.logCount = before?.logs ?? 0;
    this.bloom = new Uint8Array(bloomBytes);
    if (before !== undefined) this.bloom.set(before.bloom);
  }

  /** Whether a transaction with this gas limit still fits. */
  fits(gasLimit: bigint): boolean {
    return fitsBlock(this.#gas, gasLimit, { block: this.context, fork: this.#fork });
  }

  /** Adds an applied transaction; answers its position and its stored form. */
  add(
    transaction: DecodedTransaction,
    applied: AppliedTransaction,
  ): { readonly index: number; readonly record: Uint8Array } {
    const index = this.count++;
    const firstLog = this.logCount;
    this.#gas = withGasOf(this.#gas, applied);
    this.logCount += applied.logs.length;
    addLogsToBloom(this.bloom, applied.logs);
    this.#transactions.push(transaction.raw);
    this.#hashes.push(transaction.hash);
    // Nobody asks for the receipts of a replayed block before it is read.
    this.#receipts.push({
      type: transaction.fields.type,
      status: applied.status,
      cumulativeGasUsed: this.#gas.paid,
      logs: applied.logs,
    });
    const record = encodeTransactionRecord({
      hash: transaction.hash,
      from: transaction.from,
      status: applied.status,
      gasUsed: applied.gasUsed,
      cumulativeGasUsed: this.#gas.paid,
      effectiveGasPrice: applied.effectiveGasPrice,
      contractAddress: applied.contractAddress,
      firstLog,
      logs: applied.logs,
      raw: transaction.raw,
    });
    return { index, record };
  }

  /** The finished block of a normal chain. */
  seal(): SealedBlock {
    const { context } = this;
    const header: HeaderView = {
      parentHash: this.parentHash,
      unclesHash: noUnclesHash,
      coinbase: context.coinbase,
      stateRoot: noStateRoot,
      transactionsRoot: orderedTrieRoot(this.#transactions),
      receiptsRoot: orderedTrieRoot(this.#receipts.map(encodeReceipt)),
      logsBloom: this.bloom,
      difficulty: context.difficulty,
      number: context.number,
      gasLimit: context.gasLimit,
      gasUsed: blockGasUsed(this.#gas),
      timestamp: context.timestamp,
      extraData: extraData,
      mixHash: Buffer.from(context.prevRandao.toString(16).padStart(64, '0'), 'hex'),
      nonce: noNonce,
      ...laterHeaderFields(this.#fork.rules, context.baseFee),
    };
    const headerBytes = encodeHeader(header);
    let size = headerBytes.length;
    for (const raw of this.#transactions) size += raw.length;
    return {
      header,
      headerBytes,
      hash: keccak256(headerBytes),
      size,
      transactionHashes: this.#hashes,
    };
  }

  /** What the next batch builds on. */
  head(hash: Uint8Array): HeadRecord {
    const { context } = this;
    return {
      number: context.number,
      hash,
      timestamp: context.timestamp,
      gasUsed: blockGasUsed(this.#gas),
      ...(this.#fork.rules.amsterdam ? { gas: this.#gas } : {}),
      gasLimit: context.gasLimit,
      baseFee: context.baseFee,
      transactions: this.count,
      logs: this.logCount,
      bloom: this.bloom,
    };
  }
}

const extraData = new Uint8Array(0);
const noNonce = new Uint8Array(8);

/** Key of a 32-byte hash within a chain's space. */
export const hashKey = (space: string, hash: Uint8Array): string => space + toLatin1(hash);

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
