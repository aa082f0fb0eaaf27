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

/** A block that transactions are being added to. */
export class OpenBlock {
  readonly context: BlockEnvironment;
  readonly parentHash: Uint8Array;
  gasUsed: number;
  /** Transactions in the block, those of earlier batches of a replay included. */
  count: number;
  logCount: number;
  readonly bloom: Uint8Array;
  readonly #transactions: Uint8Array[] = [];
  readonly #receipts: ConsensusReceipt[] = [];
  readonly #hashes: Uint8Array[] = [];

  /** `before`: what earlier batches put into the same block (replay), else undefined. */
  constructor(context: BlockEnvironment, parentHash: Uint8Array, before: HeadRecord | undefined) {
    this.context = context;
    this.parentHash = parentHash;
    this.gasUsed = before?.gasUsed ?? 0;
    this.count = before?.transactions ?? 0;
    this.logCount = before?.logs ?? 0;
    this.bloom = new Uint8Array(bloomBytes);
    if (before !== undefined) this.bloom.set(before.bloom);
  }

  /** Whether a transaction with this gas limit still fits. */
  fits(gasLimit: bigint): boolean {
    return gasLimit <= this.context.gasLimit - this.gasUsed;
  }

  /** Adds an applied transaction; answers its position and its stored form. */
  add(
    transaction: DecodedTransaction,
    applied: AppliedTransaction,
  ): { readonly index: number; readonly record: Uint8Array } {
    const index = this.count++;
    const firstLog = this.logCount;
    this.gasUsed += applied.gasUsed;
    this.logCount += applied.logs.length;
    addLogsToBloom(this.bloom, applied.logs);
    this.#transactions.push(transaction.raw);
    this.#hashes.push(transaction.hash);
    // Nobody asks for the receipts of a replayed block before it is read.
    this.#receipts.push({
      type: transaction.fields.type,
      status: applied.status,
      cumulativeGasUsed: this.gasUsed,
      logs: applied.logs,
    });
    const record = encodeTransactionRecord({
      hash: transaction.hash,
      from: transaction.from,
      status: applied.status,
      gasUsed: applied.gasUsed,
      cumulativeGasUsed: this.gasUsed,
      effectiveGasPrice: applied.effectiveGasPrice,
      contractAddress: applied.contractAddress,
      firstLog,
      logs: applied.logs,
      raw: transaction.raw,
    });
    return { index, record };
  }

  /** The finished block of a normal chain. */
  seal(fork: Fork): SealedBlock {
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
      gasUsed: this.gasUsed,
      timestamp: context.timestamp,
      extraData: extraData,
      mixHash: Buffer.from(context.prevRandao.toString(16).padStart(64, '0'), 'hex'),
      nonce: noNonce,
      ...laterHeaderFields(fork.rules, context.baseFee),
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
      gasUsed: this.gasUsed,
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
