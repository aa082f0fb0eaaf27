import { assert } from '@concordat/std';
import { type BlockEnvironment, writeBlock } from './block-environment.ts';
import { type CallRequest, type CallResult, callInput } from './call.ts';
import { EvmError } from './errors.ts';
import { type EngineInput, inputBytes, inputFlags, writeInput } from './exchange.ts';
import { type Fork, forkOf, revisions } from './fork.ts';
import type { EvmHost, EvmSink } from './host.ts';
import { EngineInstance } from './instance.ts';
import { precompilesOf } from './precompiles.ts';
import { readLimbs } from './quantities.ts';
import { type BlockGas, type EvmLog, type Outcome, ResultReader } from './result.ts';
import {
  checkTransaction,
  type EvmTransaction,
  effectivePrice,
  type IntrinsicGas,
  type RecoveredAuthorization,
  tipPerGas,
  upfrontCost,
} from './transaction.ts';
import { readWriteSet } from './write-set.ts';

/** What became of a transaction that entered the block. */
export interface Applied {
  readonly status: 0 | 1;
  /** What was paid for: after refunds, at least the calldata floor. */
  readonly gasUsed: number;
  /** What its block counts; absent before Amsterdam, where that is `gasUsed`. */
  readonly blockGas?: BlockGas;
  /** Gas that came back as refund. */
  readonly refund: number;
  readonly effectiveGasPrice: bigint;
  readonly logs: readonly EvmLog[];
  /** Of a creation, also of a failed one; 20 bytes. */
  readonly contractAddress?: Uint8Array | undefined;
  readonly output: Uint8Array;
  /** Why it failed, in words. */
  readonly error?: string | undefined;
}

/** A call the protocol itself makes at the start of a block. */
export interface SystemCall {
  /** 20 bytes. */
  readonly target: Uint8Array;
  readonly data: Uint8Array;
}

/** Fields of an account as the engine sees them now. */
export interface AccountState {
  readonly exists: boolean;
  readonly nonce: bigint;
  /** Wei. */
  readonly balance: bigint;
  /** 32 bytes. */
  readonly codeHash: Uint8Array;
}

/** What an engine is made of. */
export interface EvmOptions {
  /** Name of the fork whose rules hold, see `forkNames`. */
  readonly fork: string;
  readonly chainId: bigint;
  readonly host: EvmHost;
}

/** Makes an engine over a state. @throws EvmError INVALID_CONFIGURATION */
export const createEvm = (options: EvmOptions): Evm => new Evm(options);

/**
 * The EVM over one state. Everything is synchronous: a transaction is executed, then finished or
 * abandoned, before the next. What it has read it keeps across transactions until `forget`.
 */
export class Evm {
  #chainId: bigint;
  #fork: Fork;
  #instance: EngineInstance;
  #result: ResultReader;
  #block: BlockEnvironment | undefined;
  #blockBaseFee = 0n;
  #open = false;

  constructor({ fork, chainId, host }: EvmOptions) {
    this.#fork = forkOf(fork);
    this.#chainId = chainId;
    this.#instance = new EngineInstance(host);
    this.#result = new ResultReader(this.#instance, this.#instance.exports.resultArea());
    this.#configure();
  }

  get chainId(): bigint {
    return this.#chainId;
  }

  /** The fork whose rules hold. */
  get fork(): Fork {
    return this.#fork;
  }

  /** Bytes the cache and the working memory hold. */
  get heldBytes(): number {
    // Beyond 2 GiB the engine's 32 bits read as a negative number.
    return this.#instance.exports.heldBytes() >>> 0;
  }

  /**
   * Goes on by the rules of another fork, and for another chain when its id is given.
   * @throws EvmError INVALID_CONFIGURATION
   */
  useFork(name: string, chainId: bigint = this.#chainId): void {
    this.#assertClosed();
    this.#fork = forkOf(name);
    this.#chainId = chainId;
    this.#configure();
  }

  #configure(): void {
    const { revision } = this.#fork;
    this.#instance.configure(revision, precompilesOf(revision));
    this.#block = undefined;
  }

  /**
   * Reads from another host with the same content from now on: the next batch's tables. A memory
   * that has grown large is given back, and the cache with it.
   */
  attach(host: EvmHost): void {
    this.#assertClosed();
    this.#instance.host = host;
    this.#returnMemory();
  }

  /**
   * Applies one transaction (Yellow Paper, section 6) and leaves it open: `finish` or `abandon` must
   * follow. A refused one leaves no trace and nothing open.
   * @throws EvmError every code of a refusal, MALFORMED, ENGINE_FAULT
   */
  execute(transaction: EvmTransaction, block: BlockEnvironment): Applied {
    this.#assertClosed();
    const gas = checkTransaction(transaction, this.#fork, block);
    const price = effectivePrice(transaction, block.baseFee);
    const input = this.#inputOf(transaction, { gas, price, block });
    this.#enter(block, block.baseFee);
    this.#send(input);
    this.#run(() => this.#instance.exports.execute());
    const result = this.#result;
    if (result.refusal !== 0) {
      const refusal = this.#refusal(transaction);
      this.abandon();
      throw refusal;
    }
    const { created, error } = result;
    const applied = {
      status: result.status,
      gasUsed: result.gasUsed,
      refund: result.refund,
      effectiveGasPrice: price,
      logs: result.logs,
      contractAddress: created,
      output: result.output,
      error,
    };
    const isCounted = this.#fork.revision >= revisions.amsterdam;
    return isCounted ? { ...applied, blockGas: result.blockGas } : applied;
  }

  #inputOf(
    transaction: EvmTransaction,
    about: {
      readonly gas: IntrinsicGas;
      readonly price: bigint;
      readonly block: BlockEnvironment;
    },
  ): EngineInput {
    const { gas, price, block } = about;
    const { blobVersionedHashes, authorizationList, to } = transaction;
    const blobGas = blobVersionedHashes.length * this.#fork.prices.blobGas;
    return {
      flags: to === undefined ? inputFlags.creation : 0,
      nonce: transaction.nonce,
      gasLimit: transaction.gasLimit,
      intrinsic: gas.intrinsic,
      floor: gas.floor,
      blobGas,
      price,
      value: transaction.value,
      upfront: upfrontCost(transaction, this.#fork),
      blobFee: blobGas === 0 ? 0n : BigInt(blobGas) * block.blobBaseFee,
      tip: tipPerGas(this.#fork, price, block.baseFee),
      from: transaction.from,
      to,
      data: transaction.data,
      blobHashes: blobVersionedHashes,
      accessList: transaction.accessList,
      authorizations:
        authorizationList.length === 0
          ? authorizationList
          : authorizationList.filter((one) => this.#isUsable(one)),
    };
  }

  /** Whether an authorization can have an effect; others are passed over (EIP-7702). */
  #isUsable({ authority, chainId, nonce }: RecoveredAuthorization): boolean {
    const onChain = chainId === 0n || chainId === this.chainId;
    return authority !== undefined && onChain && nonce < 0xffff_ffff_ffff_ffffn;
  }

  #refusal(transaction: EvmTransaction): EvmError {
    const result = this.#result;
    switch (result.refusal) {
      case 1:
      case 2: {
        const code = result.refusal === 1 ? 'NONCE_TOO_LOW' : 'NONCE_TOO_HIGH';
        const next = result.nonce.toString();
        return new EvmError(code, `nonce ${transaction.nonce}, next is ${next}`, { next });
      }
      case 3:
        return new EvmError('SENDER_NOT_EOA', 'the sender has code (EIP-3607)');
      case 4: {
        const balance = readLimbs(this.#instance.view, result.balance);
        const needed = upfrontCost(transaction, this.#fork);
        return new EvmError('INSUFFICIENT_FUNDS', `the sender has ${balance} wei, needs ${needed}`);
      }
      default:
        return new EvmError('ENGINE_FAULT', `refused for an unknown reason ${result.refusal}`);
    }
  }

  /** Ends the open transaction: its net changes go to the sink. */
  finish(sink: EvmSink): void {
    assert(this.#open, 'there is no transaction to finish');
    let at = 0;
    this.#run(() => {
      at = this.#instance.exports.finish() >>> 0;
    });
    this.#instance.renew();
    this.#open = false;
    readWriteSet(this.#instance, at, sink);
  }

  /** Ends the open transaction, if there is one, without a trace. */
  abandon(): void {
    if (!this.#open) return;
    this.#run(() => this.#instance.exports.abandon());
    this.#open = false;
  }

  /**
   * Runs a message without lasting effect: for `eth_call` and the like.
   * @throws EvmError INVALID_CALL, INTRINSIC_GAS_TOO_LOW, FEE_TOO_LOW, INSUFFICIENT_FUNDS,
   *   MALFORMED, ENGINE_FAULT
   */
  call(request: CallRequest, block: BlockEnvironment): CallResult {
    this.#assertClosed();
    const nonceOf = (address: Uint8Array): bigint => this.account(address).nonce;
    const input = callInput(request, this.#fork, block, nonceOf);
    this.#enter(block, input.price === 0n ? 0n : block.baseFee);
    this.#send(input);
    this.#run(() => this.#instance.exports.call());
    const result = this.#result;
    if (result.refusal !== 0) {
      const balance = readLimbs(this.#instance.view, result.balance);
      this.abandon();
      throw new EvmError(
        'INSUFFICIENT_FUNDS',
        `the caller has ${balance} wei, needs ${input.upfront}`,
      );
    }
    const outcome = this.#outcome();
    const { created } = result;
    const answer: CallResult = {
      ...outcome,
      ...(created === undefined ? {} : { contractAddress: created }),
      ...(request.recordAccesses === true ? { accessed: result.accessed } : {}),
    };
    this.abandon();
    this.#returnMemory();
    return answer;
  }

  /**
   * A call of the protocol's own, from 0xff..fe with 30 million gas that nobody pays (EIP-4788,
   * 2935). Its changes stay in the open transaction until `finish`; several may precede it.
   * @throws EvmError MALFORMED, ENGINE_FAULT
   */
  systemCall({ target, data }: SystemCall, block: BlockEnvironment): Outcome {
    assert(target.length === 20, 'an address has 20 bytes');
    this.#enter(block, block.baseFee);
    const at = this.#inputRoom(36 + data.length);
    const instance = this.#instance;
    instance.bytes.set(target, at);
    instance.view.setUint32(at + 32, data.length, true);
    instance.bytes.set(data, at + 36);
    this.#run(() => instance.exports.systemCall());
    return this.#outcome();
  }

  #outcome(): Outcome {
    const result = this.#result;
    const { error } = result;
    return {
      status: result.halt,
      output: result.output,
      ...(error === undefined ? {} : { error }),
      gasUsed: result.gasUsed,
      refund: result.refund,
    };
  }

  /** An account as of the last finished transaction, or within the open one. Address: 20 bytes. */
  account(address: Uint8Array): AccountState {
    const at = this.#accountInfo(address);
    const { view, bytes } = this.#instance;
    return {
      exists: view.getUint32(at, true) === 1,
      nonce: view.getBigUint64(at + 8, true),
      balance: readLimbs(view, at + 16),
      codeHash: new Uint8Array(bytes.subarray(at + 48, at + 80)),
    };
  }

  /** The nonce alone of {@link account}. */
  nonceOf(address: Uint8Array): bigint {
    const at = this.#accountInfo(address);
    return this.#instance.view.getBigUint64(at + 8, true);
  }

  #accountInfo(address: Uint8Array): number {
    assert(address.length === 20, 'an address has 20 bytes');
    const room = this.#inputRoom(32);
    const instance = this.#instance;
    instance.bytes.set(address, room);
    let at = 0;
    this.#guard(() => {
      at = instance.exports.accountInfo(room) >>> 0;
    });
    instance.renew();
    return at;
  }

  /** Drops everything cached: the state below has changed by another way. */
  forget(): void {
    this.#assertClosed();
    if (!this.#returnMemory()) this.#instance.exports.forget();
  }

  /** A memory never shrinks, so a large one is given back whole; answers whether it was. */
  #returnMemory(): boolean {
    if (this.#instance.exports.memory.buffer.byteLength <= largestKeptMemory) return false;
    this.#startAnew();
    return true;
  }

  /** Tells the engine the block, unless it is the one of before. */
  #enter(block: BlockEnvironment, baseFee: bigint): void {
    if (this.#block === block && this.#blockBaseFee === baseFee) return;
    const instance = this.#instance;
    // A field that cannot be written leaves the area between two blocks.
    this.#block = undefined;
    instance.block = block;
    instance.renew();
    const at = instance.exports.blockArea();
    writeBlock(instance.view, at, { chainId: this.chainId, fork: this.#fork, block, baseFee });
    this.#block = block;
    this.#blockBaseFee = baseFee;
  }

  #send(input: EngineInput): void {
    const at = this.#inputRoom(inputBytes(input));
    writeInput(this.#instance, at, input);
  }

  #inputRoom(bytes: number): number {
    let at = 0;
    this.#guard(() => {
      at = this.#instance.inputRoom(bytes);
    });
    return at;
  }

  /** Runs code of contracts: afterwards a transaction is open. */
  #run(enter: () => void): void {
    this.#open = true;
    this.#guard(enter);
    this.#instance.renew();
  }

  /** Lets no half of a transaction stay when the engine stops or the host throws. */
  #guard(enter: () => void): void {
    try {
      enter();
    } catch (error) {
      this.#startAnew();
      // What the host threw is its own to explain; a trap is the engine's.
      const isTrap = error instanceof WebAssembly.RuntimeError || error instanceof RangeError;
      if (!isTrap) throw error;
      throw new EvmError('ENGINE_FAULT', `the engine stopped: ${error.message}`);
    }
  }

  /** A fresh instance: nothing of the old one, however broken, remains. */
  #startAnew(): void {
    this.#instance = new EngineInstance(this.#instance.host);
    this.#result = new ResultReader(this.#instance, this.#instance.exports.resultArea());
    this.#open = false;
    this.#configure();
  }

  #assertClosed(): void {
    assert(!this.#open, 'a transaction is open: finish or abandon it first');
  }
}

/** Bytes of memory that outlive `attach`, `call` and `forget`. */
const largestKeptMemory = 268_435_456;
