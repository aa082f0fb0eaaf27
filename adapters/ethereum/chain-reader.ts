import type { AccessListEntry, EvmTransaction, RecoveredAuthorization } from '@concordat/evm';
import type { Actor, EndpointDeclaration } from '@concordat/worker-enclave';

export type { AccessListEntry };

/** A block named by number, by 32-byte hash, or by one of the standard tags. */
export type BlockReference =
  | number
  | Uint8Array
  | 'latest'
  | 'pending'
  | 'safe'
  | 'finalized'
  | 'earliest';

/**
 * Every field of an Ethereum block header that the block's hash covers, in the Yellow Paper's
 * names. Optional fields are absent before the fork that introduced them.
 */
export interface HeaderView {
  readonly parentHash: Uint8Array;
  readonly unclesHash: Uint8Array;
  /** 20 bytes. */
  readonly coinbase: Uint8Array;
  /** A fixed value on chains of this network: no state trie is kept (see README). 32 bytes. */
  readonly stateRoot: Uint8Array;
  readonly transactionsRoot: Uint8Array;
  readonly receiptsRoot: Uint8Array;
  /** 256 bytes. */
  readonly logsBloom: Uint8Array;
  readonly difficulty: bigint;
  readonly number: number;
  readonly gasLimit: number;
  readonly gasUsed: number;
  /** Unix seconds. */
  readonly timestamp: number;
  readonly extraData: Uint8Array;
  /** prevRandao since the merge; 32 bytes. */
  readonly mixHash: Uint8Array;
  /** 8 bytes. */
  readonly nonce: Uint8Array;
  readonly baseFeePerGas?: bigint;
  readonly withdrawalsRoot?: Uint8Array;
  readonly blobGasUsed?: bigint;
  readonly excessBlobGas?: bigint;
  readonly parentBeaconBlockRoot?: Uint8Array;
  readonly requestsHash?: Uint8Array;
  readonly blockAccessListHash?: Uint8Array;
  readonly slotNumber?: bigint;
}

/** One committed Ethereum block. */
export interface BlockView {
  readonly header: HeaderView;
  /** keccak256 of the RLP header, 32 bytes; of a replay block: the real block's hash. */
  readonly hash: Uint8Array;
  readonly transactionHashes: readonly Uint8Array[];
  /** Bytes of the RLP header and the transactions together. */
  readonly size: number;
}

/** One EIP-7702 authorization as it stands in the transaction. */
export interface AuthorizationView extends Omit<RecoveredAuthorization, 'authority'> {
  readonly yParity: number;
  readonly r: bigint;
  readonly s: bigint;
}

/**
 * A decoded transaction: types 0 (legacy), 1 (2930), 2 (1559), 3 (4844, replay only), 4 (7702). What
 * the engine needs of it, but for who signed, and what the signature covers and is. Those that
 * decoding makes have every field, in one order, so that code which reads them is compiled once.
 */
export interface TransactionFields extends Omit<EvmTransaction, 'from' | 'authorizationList'> {
  /** Absent for a legacy transaction signed without EIP-155. */
  readonly chainId?: bigint | undefined;
  readonly authorizationList: readonly AuthorizationView[];
  /** As encoded: 27/28 or the EIP-155 value for legacy, the parity 0/1 for typed ones. */
  readonly v: bigint;
  readonly yParity: 0 | 1;
  readonly r: bigint;
  readonly s: bigint;
}

/** A committed transaction and where it stands. */
export interface TransactionView {
  readonly hash: Uint8Array;
  readonly from: Uint8Array;
  /** Canonical EIP-2718 bytes. */
  readonly raw: Uint8Array;
  readonly fields: TransactionFields;
  readonly blockNumber: number;
  readonly blockHash: Uint8Array;
  readonly index: number;
  /** What was paid per gas, in wei. */
  readonly effectiveGasPrice: bigint;
}

/** One log with its place in the chain. */
export interface LogView {
  readonly address: Uint8Array;
  readonly topics: readonly Uint8Array[];
  readonly data: Uint8Array;
  readonly blockNumber: number;
  readonly blockHash: Uint8Array;
  readonly transactionHash: Uint8Array;
  readonly transactionIndex: number;
  /** Position in the block. */
  readonly logIndex: number;
}

/** The receipt of a committed transaction. */
export interface ReceiptView {
  readonly transactionHash: Uint8Array;
  readonly transactionIndex: number;
  readonly blockHash: Uint8Array;
  readonly blockNumber: number;
  readonly from: Uint8Array;
  readonly to?: Uint8Array;
  readonly contractAddress?: Uint8Array;
  readonly type: number;
  /** 1 success, 0 failure (reverted, out of gas, ...). */
  readonly status: 0 | 1;
  readonly gasUsed: number;
  readonly cumulativeGasUsed: number;
  readonly effectiveGasPrice: bigint;
  readonly logs: readonly LogView[];
  readonly logsBloom: Uint8Array;
}

/** What an address holds; all zero when there is no account. */
export interface AccountView {
  readonly exists: boolean;
  readonly nonce: bigint;
  readonly balance: bigint;
  /** keccak256 of the code, 32 bytes. */
  readonly codeHash: Uint8Array;
}

/** The standard log filter; bounds are inclusive. */
export interface LogFilter {
  readonly fromBlock?: BlockReference;
  readonly toBlock?: BlockReference;
  /** Only this block; excludes the bounds. */
  readonly blockHash?: Uint8Array;
  /** Any of these emitters; empty or absent = any. */
  readonly addresses?: readonly Uint8Array[];
  /** Per position: undefined or empty = anything, else any of these topics. */
  readonly topics?: readonly (readonly Uint8Array[] | undefined)[];
  /** Refused with TOO_MANY_RESULTS above this many logs. Default 10,000. */
  readonly limit?: number;
}

/** A message call that changes nothing. Absent fields take the usual defaults. */
export interface CallRequest {
  readonly from?: Uint8Array;
  /** Absent: contract creation with `data` as init code. */
  readonly to?: Uint8Array;
  /** Gas offered to the call; at most the block gas limit, which is also the default. */
  readonly gas?: number;
  readonly gasPrice?: bigint;
  readonly maxFeePerGas?: bigint;
  readonly maxPriorityFeePerGas?: bigint;
  readonly value?: bigint;
  readonly data?: Uint8Array;
  readonly nonce?: bigint;
  readonly accessList?: readonly AccessListEntry[];
}

/** State seen by one call only; keyed by lowercase hex address with 0x. */
export type StateOverrides = Readonly<Record<string, StateOverride>>;

/** Overrides of one account for one call. */
export interface StateOverride {
  readonly balance?: bigint;
  readonly nonce?: bigint;
  readonly code?: Uint8Array;
  /** Replaces the whole storage. Slot and value are 32 bytes, hex with 0x. */
  readonly state?: Readonly<Record<string, string>>;
  /** Replaces single slots. */
  readonly stateDiff?: Readonly<Record<string, string>>;
}

/** What a call sees of the block it pretends to run in; absent fields are the next block's. */
export interface BlockOverrides {
  readonly number?: bigint;
  /** Unix seconds. */
  readonly timestamp?: bigint;
  readonly gasLimit?: bigint;
  /** 20 bytes. */
  readonly coinbase?: Uint8Array;
  /** 32 bytes. */
  readonly prevRandao?: Uint8Array;
  readonly baseFeePerGas?: bigint;
  readonly blobBaseFee?: bigint;
}

/** How a message call ended. Gas includes the intrinsic cost. */
export interface CallOutcome {
  readonly status: 'success' | 'revert' | 'error';
  /** Return data, or the revert data; empty on `error`. */
  readonly output: Uint8Array;
  /** The EVM's word for it when status is not success: `revert`, `out of gas`, ... */
  readonly error?: string;
  readonly gasUsed: number;
}

/** What feeHistory needs of one block. */
export interface FeeHistoryBlock {
  readonly number: number;
  readonly baseFeePerGas: bigint;
  readonly gasUsed: number;
  readonly gasLimit: number;
  /** Per transaction in order: gas used and effective priority fee. */
  readonly rewards: readonly { readonly gasUsed: number; readonly priorityFee: bigint }[];
}

/** How far a replay is, and whether it came to what the real header says. */
export interface ReplayProgress {
  readonly executed: ReplayFigures;
  /** From the real header; receipts roots before Byzantium hold state roots and are not compared. */
  readonly expected: ReplayFigures;
  /** Gas used has reached the header's. */
  readonly complete: boolean;
  /** Complete, and all comparable figures are equal. */
  readonly matches: boolean;
}

/** The figures a replay is judged by. */
export interface ReplayFigures {
  readonly gasUsed: number;
  readonly logsBloom: Uint8Array;
  readonly receiptsRoot?: Uint8Array;
  readonly transactionsRoot: Uint8Array;
}

/**
 * Told about one committed block, in order, with its logs: each block once, but the only block of a
 * replay after every batch, with the logs that are new.
 */
export type HeadListener = (block: BlockView, logs: readonly LogView[]) => void;

/**
 * One chain as its readers see it: committed state only (`pending`, `safe` and `finalized` mean
 * `latest`, for a committed block is never undone). State of earlier blocks is not kept: a state
 * read at an earlier block throws EthereumError STATE_NOT_KEPT; an unknown block UNKNOWN_BLOCK.
 */
export interface ChainView {
  readonly name: string;
  readonly chainId: bigint;
  /** The library's fork name in force: `cancun`, `prague`, ... */
  readonly hardfork: string;
  /** Gas is metered but free: base fee 0, gas price 0 accepted. */
  readonly zeroFee: boolean;
  readonly gasLimit: number;
  /** Base fee of the next block in wei. */
  readonly baseFeePerGas: bigint;
  /** Whether this chain replays one real block (its only block stays open). */
  readonly replay: boolean;
  blockNumber(): number;
  block(reference: BlockReference): BlockView | undefined;
  transactionByHash(hash: Uint8Array): TransactionView | undefined;
  transactionByIndex(block: BlockReference, index: number): TransactionView | undefined;
  /**
   * `view.seqno` of the transaction's leaf in the ledger, to ask for its receipt there. Undefined
   * for one that is unknown.
   */
  transactionId(hash: Uint8Array): string | undefined;
  receiptByHash(hash: Uint8Array): ReceiptView | undefined;
  receiptsOfBlock(block: BlockReference): readonly ReceiptView[] | undefined;
  account(address: Uint8Array, at?: BlockReference): AccountView;
  /** Closed unless {@link ReadPolicy.rawState} lets the actor: EthereumError ACCESS_DENIED. */
  code(address: Uint8Array, actor: Actor, at?: BlockReference): Uint8Array;
  /** 32-byte value of a 32-byte slot. Closed like {@link ChainView.code}. */
  storageAt(address: Uint8Array, slot: Uint8Array, actor: Actor, at?: BlockReference): Uint8Array;
  /** Nonce of the next transaction of a sender, counting those accepted but not yet committed. */
  pendingNonce(address: Uint8Array): bigint;
  /** @throws EthereumError TOO_MANY_RESULTS, UNKNOWN_BLOCK */
  logs(filter: LogFilter): readonly LogView[];
  /** @throws EthereumError STATE_NOT_KEPT, UNKNOWN_BLOCK, and the refusals of an invalid call. */
  call(
    request: CallRequest,
    at?: BlockReference,
    overrides?: StateOverrides,
    block?: BlockOverrides,
  ): Promise<CallOutcome>;
  /** Least gas limit with which the call succeeds; the failed outcome when none does. */
  estimateGas(
    request: CallRequest,
    at?: BlockReference,
    overrides?: StateOverrides,
    block?: BlockOverrides,
  ): Promise<{ readonly gas: number } | CallOutcome>;
  createAccessList(
    request: CallRequest,
    at?: BlockReference,
  ): Promise<{ readonly accessList: readonly AccessListEntry[]; readonly outcome: CallOutcome }>;
  /** Up to `count` (<= 1,024) blocks ending with `newest`, oldest first. */
  feeHistory(count: number, newest: BlockReference): readonly FeeHistoryBlock[];
  /** Only on replay chains. */
  replayProgress?(): ReplayProgress;
  /** Listens for committed blocks until the returned function is called. */
  subscribe(listener: HeadListener): () => void;
  /**
   * The bytes for `AdapterHost.submit`: names the chain before the raw transaction, so that one
   * submission queue serves all chains. The submitted result is a {@link SubmittedTransaction}.
   */
  submission(raw: Uint8Array): Uint8Array;
}

/** Result of a submitted transaction, as `AdapterHost.submit` hands it back (JSON-safe). */
export interface SubmittedTransaction {
  /** 0x and 64 hex digits. */
  readonly hash: string;
  readonly blockNumber: number;
  readonly index: number;
  readonly status: 0 | 1;
  readonly gasUsed: number;
}

/** All chains of the network. The first of the configuration is the default one. */
export interface ChainReader {
  chains(): readonly ChainView[];
  /** By name, or by chain id (decimal or 0x-hex; the first chain with it); undefined = default. */
  forChain(nameOrId?: string): ChainView | undefined;
}

/**
 * Makes the endpoints by which clients reach the chains; `rpc/index.ts` exports one named
 * `createRpcEndpoints`, which the adapter calls once when it is created. The reader answers from
 * the moment the adapter has started.
 */
export type EndpointFactory = (
  reader: ChainReader,
) => readonly EndpointDeclaration<SubmittedTransaction>[];
