import type { AccessListEntry, TransactionFields } from './chain-reader.ts';
import type { Fork } from './fork.ts';
import type { StateSink, StateSource } from './state-source.ts';

/** What a transaction sees of the block it is in. */
export interface BlockContext {
  readonly number: number;
  /** Unix seconds. */
  readonly timestamp: number;
  /** 20 bytes. */
  readonly coinbase: Uint8Array;
  readonly gasLimit: number;
  readonly difficulty: bigint;
  readonly prevRandao: bigint;
  /** 0 before London and on chains without fees. */
  readonly baseFee: bigint;
  readonly blobBaseFee: bigint;
  /** Hash of an earlier block as a number; 0 when unknown. */
  blockHash(number: bigint): bigint;
}

/** A transaction as execution needs it: fields and the recovered sender. */
export interface SignedTransaction {
  readonly fields: TransactionFields;
  /** 20 bytes. */
  readonly from: Uint8Array;
}

/** One log of the EVM: emitter (20 bytes), up to four topics (32 bytes each), data. */
export interface StateLog {
  readonly address: Uint8Array;
  readonly topics: readonly Uint8Array[];
  readonly data: Uint8Array;
}

/** How a message ended; an error takes all its gas. */
export type Halt = 'success' | 'revert' | 'error';

/** What became of a transaction that entered the block. */
export interface AppliedTransaction {
  readonly status: 0 | 1;
  /** What was paid for: after refunds, at least the calldata floor. */
  readonly gasUsed: number;
  readonly effectiveGasPrice: bigint;
  readonly logs: readonly StateLog[];
  /** The new contract of a creation, also of a failed one; 20 bytes. */
  readonly contractAddress?: Uint8Array;
  readonly output: Uint8Array;
  /** The EVM's word for a failure. */
  readonly error?: string;
}

/** A call at the start of a block by 0xff..fe: no fee, no nonce, 30 million gas (EIP-4788, 2935). */
export interface SystemCall {
  /** 20 bytes. */
  readonly to: Uint8Array;
  readonly data: Uint8Array;
}

/**
 * What executes transactions on one chain's state, one at a time. It caches what it has seen, so
 * whoever changes the state beneath by another way tells it to forget. The reference answers with
 * promises, the room's own engine at once.
 */
export interface Executor {
  readonly fork: Fork;
  /** Reads on from other tables with the same content; not within a transaction. */
  attach(source: StateSource): void;
  /** Drops everything cached, and a transaction under way. */
  forget(): void;
  /**
   * Applies one transaction (Yellow Paper, section 6) and leaves it open, for {@link finish} or
   * {@link abandon}. Of one that is refused only marks are left, which {@link abandon} takes off.
   * @throws EthereumError every refusal of a transaction
   */
  execute(
    transaction: SignedTransaction,
    block: BlockContext,
  ): AppliedTransaction | Promise<AppliedTransaction>;
  /** Runs a system call and leaves it open. An address without code makes it nothing. */
  systemCall(call: SystemCall, block: BlockContext): void | Promise<void>;
  /** Ends what is open: its net changes go to the sink. */
  finish(sink: StateSink): void;
  /** Ends what is open without a trace. */
  abandon(): void;
  /** Nonce and balance of an address (20 bytes), what is open included. */
  account(address: Uint8Array): { readonly nonce: bigint; readonly balance: bigint };
}

/** A message call that nobody signed and nobody keeps. Its funds and gas limit are checked before. */
export interface CallMessage {
  /** 20 bytes. */
  readonly from: Uint8Array;
  /** 20 bytes; absent for a creation with `data` as init code. */
  readonly to?: Uint8Array;
  /** Absent: the next of the sender. */
  readonly nonce?: bigint;
  /** Gas with the intrinsic cost. */
  readonly gas: number;
  /** Wei a gas, paid by the sender to nobody. */
  readonly price: bigint;
  readonly value: bigint;
  readonly data: Uint8Array;
  readonly accessList: readonly AccessListEntry[];
}

/** How a simulated call ended. */
export interface CallResult {
  readonly halt: Halt;
  /** The EVM's word for a failure. */
  readonly error?: string;
  readonly output: Uint8Array;
  /** After refunds, at least the calldata floor; with the intrinsic cost. */
  readonly gasUsed: number;
  /** Gas that came back as refund. */
  readonly refund: number;
  /** The new contract of a creation, also of a failed one; 20 bytes. */
  readonly created?: Uint8Array;
  /** Accounts and slots touched, precompiles and the parties of the call among them. */
  readonly accessed: readonly AccessListEntry[];
}

/** Runs calls on a state that it leaves as it was; any number of them, at the same time. */
export interface Simulator {
  call(
    source: StateSource,
    message: CallMessage,
    block: BlockContext,
  ): CallResult | Promise<CallResult>;
}

/** A way to execute: makes what runs a chain's blocks, and what answers calls. */
export interface Engine {
  executor(fork: Fork): Executor;
  simulator(fork: Fork): Simulator;
}
