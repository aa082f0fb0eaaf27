import {
  type BlockEnvironment,
  type CallResult,
  type EvmHost,
  type EvmSink,
  intrinsicGas,
  revisions,
  type SystemCall,
} from '@concordat/evm';
import type {
  AppliedTransaction,
  CallMessage,
  Executor,
  SignedTransaction,
  Simulator,
} from '../executor.ts';
import type { Fork } from '../fork.ts';
import { memoryTables } from '../state-source.ts';
import { LibraryEvm } from './library-evm.ts';
import { runPaidMessage } from './paid-message.ts';
import { ChainState } from './state.ts';
import { applyTransaction, cappedRefund, clearAccounts, warmUp } from './transition.ts';

/** Caller of system calls (EIP-4788). */
const systemAddress = new Uint8Array(20).fill(0xff).with(19, 0xfe);
const systemGas = 30_000_000;
/** For sixteen new slots besides (EIP-8037). */
const systemReservoir = 16 * 64 * 1_530;

/** Executes by the library: this room's transition around its EVM, on a {@link ChainState}. */
export class ReferenceExecutor implements Executor {
  readonly fork: Fork;
  readonly #state: ChainState;
  readonly #evm: LibraryEvm;

  constructor(fork: Fork) {
    this.fork = fork;
    this.#state = new ChainState(memoryTables());
    this.#evm = new LibraryEvm(fork, this.#state);
  }

  attach(source: EvmHost): void {
    this.#state.attach(source);
  }

  forget(): void {
    this.#state.forget();
  }

  execute(transaction: SignedTransaction, block: BlockEnvironment): Promise<AppliedTransaction> {
    return applyTransaction(this.#evm, transaction, block);
  }

  async systemCall({ target, data }: SystemCall, block: BlockEnvironment): Promise<void> {
    const state = this.#state;
    const to = state.account(target);
    if (state.code(to).length === 0) return;
    const caller = state.account(systemAddress);
    const message = { caller, to, value: 0n, data, gas: systemGas };
    this.#evm.openReservoir(systemReservoir);
    await this.#evm.execute(message, { block, gasPrice: 0n, blobHashes: [] });
    clearAccounts(state, this.fork);
  }

  finish(sink: EvmSink): void {
    this.#state.finishTransaction(sink);
  }

  abandon(): void {
    this.#state.abandonTransaction();
  }

  nonceOf(address: Uint8Array): bigint {
    return this.#state.account(address).nonce;
  }
}

/** Answers each call by a library EVM and a {@link ChainState} of its own. */
export class ReferenceSimulator implements Simulator {
  readonly #fork: Fork;

  constructor(fork: Fork) {
    this.#fork = fork;
  }

  async call(source: EvmHost, message: CallMessage, given: BlockEnvironment): Promise<CallResult> {
    const fork = this.#fork;
    const { from, gas, gasPrice, value, data, recordAccesses } = message;
    const block = gasPrice === 0n ? { ...given, baseFee: 0n } : given;
    const state = new ChainState(source);
    const evm = new LibraryEvm(fork, state);
    const authorizationList: [] = [];
    const { intrinsic, floor } = intrinsicGas({ ...message, authorizationList }, fork);
    const caller = state.account(from);
    state.setBalance(caller, caller.balance - BigInt(gas) * gasPrice);
    state.setNonce(caller, (message.nonce ?? caller.nonce) + 1n);
    if (fork.revision >= revisions.berlin) warmUp(state, fork, message, block);
    const to = message.to === undefined ? undefined : state.account(message.to);
    const inner = {
      caller,
      ...(to === undefined ? {} : { to }),
      value,
      data,
      gas: gas - intrinsic,
    };
    const around = { block, gasPrice, blobHashes: [], recordAccesses };
    const ended =
      fork.revision >= revisions.amsterdam
        ? await runPaidMessage(evm, { ...inner, intrinsic, authorizationList }, around)
        : await evm.execute(inner, around);
    const spent = gas - ended.gasLeft;
    const refund = cappedRefund(state, fork, spent);
    return {
      status: ended.halt,
      ...(ended.error === undefined ? {} : { error: ended.error }),
      output: ended.output,
      gasUsed: Math.max(spent - refund, floor),
      refund,
      ...(ended.created === undefined ? {} : { contractAddress: ended.created.address }),
      ...(recordAccesses ? { accessed: evm.accessed } : {}),
    };
  }
}
