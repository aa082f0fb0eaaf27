import type {
  Applied,
  BlockEnvironment,
  CallResult,
  EvmHost,
  EvmSink,
  SystemCall,
} from '@concordat/evm';
import type { AccessListEntry, TransactionFields } from './chain-reader.ts';
import type { Fork } from './fork.ts';

/** A transaction as execution needs it: fields and the recovered sender. */
export interface SignedTransaction {
  readonly fields: TransactionFields;
  /** 20 bytes. */
  readonly from: Uint8Array;
}

/** What became of a transaction that entered the block. */
export type AppliedTransaction = Omit<Applied, 'refund'>;

/**
 * What executes transactions on one chain's state, one at a time. It caches what it has seen, so
 * whoever changes the state beneath by another way tells it to forget. The reference answers with
 * promises, the room's own engine at once.
 */
export interface Executor {
  readonly fork: Fork;
  /** Reads on from other tables with the same content; not within a transaction. */
  attach(source: EvmHost): void;
  /** Drops everything cached, and a transaction under way. */
  forget(): void;
  /**
   * Applies one transaction (Yellow Paper, section 6) and leaves it open, for {@link finish} or
   * {@link abandon}. Of one that is refused only marks are left, which {@link abandon} takes off.
   * @throws EthereumError every refusal of a transaction
   */
  execute(
    transaction: SignedTransaction,
    block: BlockEnvironment,
  ): AppliedTransaction | Promise<AppliedTransaction>;
  /**
   * Runs a call of the protocol's own from 0xff..fe, which nobody pays (EIP-4788, 2935), and leaves
   * it open. At an address without code it does nothing.
   */
  systemCall(call: SystemCall, block: BlockEnvironment): void | Promise<void>;
  /** Ends what is open: its net changes go to the sink. */
  finish(sink: EvmSink): void;
  /** Ends what is open without a trace. */
  abandon(): void;
  /** Nonce of an address (20 bytes), what is open included. */
  nonceOf(address: Uint8Array): bigint;
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
  /** Wei a gas, paid by the sender to nobody; at 0 the base fee reads as 0 too. */
  readonly gasPrice: bigint;
  readonly value: bigint;
  readonly data: Uint8Array;
  readonly accessList: readonly AccessListEntry[];
  /** Whether the accounts and slots it meets are wanted. */
  readonly recordAccesses: boolean;
}

/** Runs calls on a state that it leaves as it was; any number of them, at the same time. */
export interface Simulator {
  call(
    source: EvmHost,
    message: CallMessage,
    block: BlockEnvironment,
  ): CallResult | Promise<CallResult>;
}

/** Whose blocks an executor runs. */
export interface Borrower {
  /** Whether a batch is under way: what it left open is needed until it ends. */
  readonly isExecuting: boolean;
  /** The executor serves somebody else from now on. */
  handBack(): void;
}

/** A way to execute: makes what runs a chain's blocks, and what answers calls. */
export interface Engine {
  /** One for good; for a borrower it may be taken from another that executes nothing. */
  executor(fork: Fork, borrower?: Borrower): Executor;
  simulator(fork: Fork): Simulator;
}
