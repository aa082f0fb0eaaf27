import {
  type BlockEnvironment,
  emptyCodeHash,
  emptyCodeKey,
  slotKey,
  toBigInt,
  toWord,
} from '@concordat/evm';
import type { ReadView } from '@concordat/kv';
import { BinaryWriter, emptyBytes, equalBytes, toLatin1 } from '@concordat/std';
import type { Actor, AdapterHost } from '@concordat/worker-enclave';
import { bloomBytes } from './block.ts';
import type { Chain } from './chain.ts';
import type {
  AccountView,
  BlockOverrides,
  BlockReference,
  BlockView,
  CallRequest,
  ChainView,
  FeeHistoryBlock,
  HeadListener,
  LogFilter,
  LogView,
  ReceiptView,
  ReplayProgress,
  StateOverrides,
  TransactionView,
} from './chain-reader.ts';
import { EthereumError } from './errors.ts';
import type { LedgerPlaces } from './ledger-places.ts';
import { blockMayMatch, logMatches } from './log-search.ts';
import { hashKey } from './open-block.ts';
import { orderedTrieRoot } from './ordered-trie.ts';
import { consensusForm, receiptOf } from './receipts.ts';
import {
  bloomOfBlockRecord,
  decodeBlock,
  decodeHeader,
  decodeNumber,
  decodePlace,
  decodeTransactionRecord,
  type HeadRecord,
  type TransactionPlace,
  type TransactionRecord,
} from './records.ts';
import { replayHeader } from './replay.ts';
import {
  accessListOf,
  estimateGas,
  overriddenBlock,
  type SimulationGround,
  simulateCall,
} from './simulation.ts';
import { accountKey, codeOf, readAccount, tableSource } from './state-source.ts';
import { blockKey, tableNames, transactionKey } from './tables.ts';
import { transactionFields } from './transaction.ts';

const defaultLogLimit = 10_000;
const mostFeeHistory = 1_024;

/** Reads one chain from the committed tables. */
export class TableChainView implements ChainView {
  readonly name: string;
  readonly chainId: bigint;
  readonly hardfork: string;
  readonly zeroFee: boolean;
  readonly gasLimit: number;
  readonly replay: boolean;
  readonly #chain: Chain;
  readonly #host: () => AdapterHost;
  readonly #listeners: Set<HeadListener>;
  readonly #space: string;
  readonly #ledgerPlaces: LedgerPlaces;
  #told: HeadRecord | undefined;

  constructor({
    chain,
    host,
    ledgerPlaces,
    before,
  }: {
    readonly chain: Chain;
    readonly host: () => AdapterHost;
    readonly ledgerPlaces: LedgerPlaces;
    /** The view that this one takes the place of; whoever listens to it goes on. */
    readonly before?: TableChainView | undefined;
  }) {
    const { config } = chain;
    this.name = config.name;
    this.chainId = config.chainId;
    this.hardfork = config.hardfork;
    this.zeroFee = config.zeroFee;
    this.gasLimit = config.gasLimit;
    this.replay = config.replay !== undefined;
    this.#chain = chain;
    this.#host = host;
    this.#ledgerPlaces = ledgerPlaces;
    this.#listeners = before === undefined ? new Set() : before.#listeners;
    this.#space = config.space;
    if (config.replay !== undefined) this.replayProgress = () => this.#progress();
  }

  replayProgress?: () => ReplayProgress;

  get #view(): ReadView {
    return this.#host().committed();
  }

  get baseFeePerGas(): bigint {
    return this.#chain.baseFeeAfter(this.#chain.head(this.#view));
  }

  blockNumber(): number {
    return this.#headNumber(this.#view);
  }

  #headNumber(view: ReadView): number {
    const { replay } = this.#chain.config;
    if (replay !== undefined) return Number(replay.header.number);
    return Math.max(this.#chain.head(view)?.number ?? 0, 0);
  }

  /** Number of the block meant, or undefined when there is none. */
  #resolve(view: ReadView, reference: BlockReference): number | undefined {
    if (reference instanceof Uint8Array) {
      const { replay } = this.#chain.config;
      if (replay !== undefined) {
        return equalBytes(reference, replay.hash) ? this.#headNumber(view) : undefined;
      }
      const place = view.table(tableNames.blockHashes).get(hashKey(this.#space, reference));
      return place === undefined ? undefined : decodeNumber(place);
    }
    const head = this.#headNumber(view);
    if (reference === 'earliest') return this.replay ? head : 0;
    if (typeof reference === 'string') return head;
    const known = this.replay ? reference === head : reference >= 0 && reference <= head;
    return known ? reference : undefined;
  }

  block(reference: BlockReference): BlockView | undefined {
    const view = this.#view;
    const number = this.#resolve(view, reference);
    return number === undefined ? undefined : this.#block(view, number);
  }

  #block(view: ReadView, number: number): BlockView | undefined {
    if (this.replay) return this.#replayBlock(view);
    const bytes = view.table(tableNames.blocks).get(blockKey(this.#space, number));
    if (bytes === undefined) return undefined;
    const { header, hash, size, transactionHashes } = decodeBlock(bytes);
    return { header: decodeHeader(header), hash, size, transactionHashes };
  }

  #replayBlock(view: ReadView): BlockView {
    const replay = this.#chain.config.replay as NonNullable<Chain['config']['replay']>;
    const records = this.#records(view, this.#headNumber(view));
    const head = this.#chain.head(view);
    const header = replayHeader(replay, {
      transactionsRoot: orderedTrieRoot(records.map(({ raw }) => raw)),
      receiptsRoot: orderedTrieRoot(records.map(consensusForm)),
      logsBloom: head?.bloom ?? new Uint8Array(bloomBytes),
      gasUsed: head?.gasUsed ?? 0,
    });
    let size = 0;
    for (const { raw } of records) size += raw.length;
    return { header, hash: replay.hash, size, transactionHashes: records.map(({ hash }) => hash) };
  }

  #progress(): ReplayProgress {
    const replay = this.#chain.config.replay as NonNullable<Chain['config']['replay']>;
    const { header } = this.#replayBlock(this.#view);
    const real = replayHeader(replay, {
      transactionsRoot: hexField(replay.header, 'transactionsTrie', 32),
      receiptsRoot: hexField(replay.header, 'receiptTrie', 32),
      logsBloom: hexField(replay.header, 'logsBloom', bloomBytes),
      gasUsed: Number(replay.header.gasUsed ?? 0),
    });
    const figures = ({ gasUsed, logsBloom, receiptsRoot, transactionsRoot }: typeof header) => ({
      gasUsed,
      logsBloom,
      transactionsRoot,
      ...(this.#chain.fork.rules.byzantium ? { receiptsRoot } : {}),
    });
    const [executed, expected] = [figures(header), figures(real)];
    const complete = executed.gasUsed === expected.gasUsed;
    const matches =
      complete &&
      equalBytes(executed.logsBloom, expected.logsBloom) &&
      equalBytes(executed.transactionsRoot, expected.transactionsRoot) &&
      equalBytes(executed.receiptsRoot ?? emptyBytes, expected.receiptsRoot ?? emptyBytes);
    return { executed, expected, complete, matches };
  }

  /** Transactions of a block in order. */
  #records(view: ReadView, number: number, from = 0): TransactionRecord[] {
    const table = view.table(tableNames.transactions);
    const records: TransactionRecord[] = [];
    for (let index = from; ; index++) {
      const bytes = table.get(transactionKey(this.#space, number, index));
      if (bytes === undefined) return records;
      records.push(decodeTransactionRecord(bytes));
    }
  }

  #blockHash(view: ReadView, number: number): Uint8Array {
    const { replay } = this.#chain.config;
    if (replay !== undefined) return replay.hash;
    const bytes = view.table(tableNames.blocks).get(blockKey(this.#space, number));
    return bytes === undefined ? new Uint8Array(32) : bytes.subarray(0, 32);
  }

  #place(view: ReadView, hash: Uint8Array): TransactionPlace | undefined {
    const bytes = view.table(tableNames.transactionHashes).get(hashKey(this.#space, hash));
    return bytes === undefined ? undefined : decodePlace(bytes);
  }

  #record(view: ReadView, number: number, index: number): TransactionRecord | undefined {
    const key = transactionKey(this.#space, number, index);
    const bytes = view.table(tableNames.transactions).get(key);
    return bytes === undefined ? undefined : decodeTransactionRecord(bytes);
  }

  transactionId(hash: Uint8Array): string | undefined {
    const place = this.#place(this.#view, hash);
    return place && this.#ledgerPlaces.transactionId(this.#space, place);
  }

  transactionByHash(hash: Uint8Array): TransactionView | undefined {
    const view = this.#view;
    const place = this.#place(view, hash);
    return place === undefined ? undefined : this.#transaction(view, place.number, place.index);
  }

  transactionByIndex(reference: BlockReference, index: number): TransactionView | undefined {
    const view = this.#view;
    const number = this.#resolve(view, reference);
    return number === undefined ? undefined : this.#transaction(view, number, index);
  }

  #transaction(view: ReadView, number: number, index: number): TransactionView | undefined {
    const record = this.#record(view, number, index);
    if (record === undefined) return undefined;
    const { hash, from, raw, effectiveGasPrice } = record;
    return {
      hash,
      from,
      raw,
      fields: transactionFields(raw),
      blockNumber: number,
      blockHash: this.#blockHash(view, number),
      index,
      effectiveGasPrice,
    };
  }

  receiptByHash(hash: Uint8Array): ReceiptView | undefined {
    const view = this.#view;
    const place = this.#place(view, hash);
    if (place === undefined) return undefined;
    const record = this.#record(view, place.number, place.index);
    if (record === undefined) return undefined;
    return receiptOf(record, {
      ...place,
      blockHash: this.#blockHash(view, place.number),
    });
  }

  receiptsOfBlock(reference: BlockReference): readonly ReceiptView[] | undefined {
    const view = this.#view;
    const number = this.#resolve(view, reference);
    if (number === undefined) return undefined;
    const blockHash = this.#blockHash(view, number);
    return this.#records(view, number).map((record, index) =>
      receiptOf(record, { number, index, blockHash }),
    );
  }

  /** Requires that the state asked for is the one kept. */
  #requireLatest(view: ReadView, at: BlockReference | undefined): void {
    const number = this.#resolve(view, at ?? 'latest');
    if (number === undefined) throw new EthereumError('UNKNOWN_BLOCK', 'no such block');
    const head = this.#headNumber(view);
    if (number === head) return;
    throw new EthereumError('STATE_NOT_KEPT', `state is kept at block ${head} only`, { head });
  }

  account(address: Uint8Array, at?: BlockReference): AccountView {
    const view = this.#view;
    this.#requireLatest(view, at);
    const record = readAccount(tableSource(view, this.#space), accountKey(address));
    if (record === undefined || !record.exists) {
      return { exists: false, nonce: 0n, balance: 0n, codeHash: emptyCodeHash };
    }
    const codeHash =
      record.codeKey === emptyCodeKey ? emptyCodeHash : Buffer.from(record.codeKey, 'latin1');
    return { exists: true, nonce: record.nonce, balance: record.balance, codeHash };
  }

  #requireRight(kind: 'code' | 'storage', actor: Actor): void {
    const { reads } = this.#chain.config;
    if (reads[kind] === 'open' || actor.roles.some((role) => reads.roles.includes(role))) return;
    throw new EthereumError('ACCESS_DENIED', `reading ${kind} is closed on this chain`);
  }

  code(address: Uint8Array, actor: Actor, at?: BlockReference): Uint8Array {
    this.#requireRight('code', actor);
    const view = this.#view;
    this.#requireLatest(view, at);
    const source = tableSource(view, this.#space);
    return codeOf(source, readAccount(source, accountKey(address))?.codeKey ?? emptyCodeKey);
  }

  storageAt(address: Uint8Array, slot: Uint8Array, actor: Actor, at?: BlockReference): Uint8Array {
    this.#requireRight('storage', actor);
    const view = this.#view;
    this.#requireLatest(view, at);
    const source = tableSource(view, this.#space);
    const key = accountKey(address);
    const incarnation = readAccount(source, key)?.incarnation ?? 0;
    return toWord(toBigInt(source.slot(slotKey(key, incarnation, toLatin1(slot))) ?? emptyBytes));
  }

  pendingNonce(address: Uint8Array): bigint {
    const key = accountKey(address);
    const record = readAccount(tableSource(this.#host().head(), this.#space), key);
    return this.#chain.queue.next(key, record?.nonce ?? 0n);
  }

  logs(filter: LogFilter): readonly LogView[] {
    const view = this.#view;
    const [first, last] = this.#range(view, filter);
    const limit = filter.limit ?? defaultLogLimit;
    const found: LogView[] = [];
    const blocks = view.table(tableNames.blocks);
    for (let number = first; number <= last; number++) {
      const bytes = this.replay ? undefined : blocks.get(blockKey(this.#space, number));
      const bloom = bytes === undefined ? this.#chain.head(view)?.bloom : bloomOfBlockRecord(bytes);
      if (bloom === undefined || !blockMayMatch(filter, bloom)) continue;
      for (const log of this.#logsOf(view, number)) {
        if (!logMatches(filter, log)) continue;
        if (found.length === limit) {
          throw new EthereumError('TOO_MANY_RESULTS', `more than ${limit} logs`, { limit });
        }
        found.push(log);
      }
    }
    return found;
  }

  #range(view: ReadView, filter: LogFilter): readonly [number, number] {
    const bound = (reference: BlockReference): number => {
      const number = this.#resolve(view, reference);
      if (number === undefined) throw new EthereumError('UNKNOWN_BLOCK', 'no such block');
      return number;
    };
    if (filter.blockHash !== undefined) {
      const number = bound(filter.blockHash);
      return [number, number];
    }
    const head = this.#headNumber(view);
    const to = filter.toBlock ?? 'latest';
    const last = typeof to === 'number' ? Math.min(to, head) : bound(to);
    const from = filter.fromBlock ?? 'latest';
    const first = typeof from === 'number' ? from : bound(from);
    return [this.replay ? Math.max(first, head) : first, last];
  }

  #logsOf(view: ReadView, number: number, fromIndex = 0): LogView[] {
    const blockHash = this.#blockHash(view, number);
    return this.#records(view, number, fromIndex).flatMap(
      (record, i) => receiptOf(record, { number, index: fromIndex + i, blockHash }).logs,
    );
  }

  /** What a call at the head sees: the head block's own surroundings. */
  #ground(at: BlockReference | undefined, overrides: BlockOverrides = {}): SimulationGround {
    const view = this.#view;
    this.#requireLatest(view, at);
    const { fork } = this.#chain;
    const source = tableSource(view, this.#space);
    const block = overriddenBlock(this.#context(view), overrides);
    return { fork, source, block, simulator: this.#chain.simulator };
  }

  #context(view: ReadView): BlockEnvironment {
    const { config, fork } = this.#chain;
    if (this.#chain.replayed !== undefined) return this.#chain.replayed;
    const header = this.#block(view, this.#headNumber(view))?.header;
    return {
      number: header?.number ?? 0,
      timestamp: header?.timestamp ?? 0,
      coinbase: config.coinbase,
      gasLimit: config.gasLimit,
      difficulty: 0n,
      prevRandao: header === undefined ? 0n : toBigInt(header.mixHash),
      baseFee: header?.baseFeePerGas ?? 0n,
      blobBaseFee: fork.rules.cancun ? 1n : 0n,
      blockHash: (number) => toBigInt(this.#blockHash(view, Number(number))),
    };
  }

  async call(
    request: CallRequest,
    at?: BlockReference,
    overrides?: StateOverrides,
    block?: BlockOverrides,
  ) {
    return simulateCall(this.#ground(at, block), request, overrides);
  }

  async estimateGas(
    request: CallRequest,
    at?: BlockReference,
    overrides?: StateOverrides,
    block?: BlockOverrides,
  ) {
    return estimateGas(this.#ground(at, block), request, overrides);
  }

  async createAccessList(request: CallRequest, at?: BlockReference) {
    return accessListOf(this.#ground(at), request);
  }

  feeHistory(count: number, newest: BlockReference): readonly FeeHistoryBlock[] {
    const view = this.#view;
    const last = this.#resolve(view, newest);
    if (last === undefined) throw new EthereumError('UNKNOWN_BLOCK', 'no such block');
    const blocks: FeeHistoryBlock[] = [];
    const least = this.replay ? last : 0;
    for (let number = last; number >= least && blocks.length < count; number--) {
      if (blocks.length === mostFeeHistory) break;
      const header = this.#block(view, number)?.header;
      if (header === undefined) break;
      const baseFeePerGas = header.baseFeePerGas ?? 0n;
      const rewards = this.#records(view, number).map(({ gasUsed, effectiveGasPrice }) => ({
        gasUsed,
        priorityFee: effectiveGasPrice - baseFeePerGas,
      }));
      const { gasUsed, gasLimit } = header;
      blocks.unshift({ number, baseFeePerGas, gasUsed, gasLimit, rewards });
    }
    return blocks;
  }

  subscribe(listener: HeadListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  submission(raw: Uint8Array): Uint8Array {
    return encodeSubmission(this.name, raw);
  }

  /** Begins to tell of blocks after the present head. */
  start(): void {
    this.#told = this.#chain.head(this.#view);
  }

  /** Tells the listeners what a committed batch added. */
  committed(view: ReadView): void {
    const head = this.#chain.head(view);
    const told = this.#told;
    this.#told = head;
    if (head === undefined) return;
    const first = this.replay ? (told?.transactions ?? 0) : (told?.number ?? -1) + 1;
    const end = this.replay ? head.transactions : head.number + 1;
    if (first === end || this.#listeners.size === 0) return;
    if (this.replay) this.#tell(view, this.#headNumber(view), first);
    else for (let number = first; number < end; number++) this.#tell(view, number, 0);
  }

  #tell(view: ReadView, number: number, fromIndex: number): void {
    const block = this.#block(view, number);
    if (block === undefined) return;
    const logs = this.#logsOf(view, number, fromIndex);
    for (const listener of this.#listeners) listener(block, logs);
  }
}

function hexField(
  header: Readonly<Record<string, string>>,
  name: string,
  length: number,
): Uint8Array {
  const hex = header[name];
  return hex === undefined ? new Uint8Array(length) : Buffer.from(hex.slice(2), 'hex');
}

/** A raw transaction behind the name of its chain: u16 length, UTF-8 name, raw bytes. */
export const encodeSubmission = (chain: string, raw: Uint8Array): Uint8Array =>
  new BinaryWriter(raw.length + 64).text(chain).raw(raw).take();
