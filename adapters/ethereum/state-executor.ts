import {
  type BlockEnvironment,
  type CallResult,
  type EvmHost,
  type EvmSink,
  intrinsicGas,
  type SystemCall,
  toWord,
} from '@concordat/evm';
import type { AccessListEntry } from './chain-reader.ts';
import type { MessageEngine, MessageEngineFactory, MessageResult } from './engine.ts';
import type {
  AppliedTransaction,
  CallMessage,
  Executor,
  SignedTransaction,
  Simulator,
} from './executor.ts';
import type { Fork } from './fork.ts';
import { type Account, ChainState } from './state.ts';
import { memoryTables } from './state-source.ts';
import { applyTransaction, clearAccounts, surroundingsOf, warmUp } from './transition.ts';

/** Caller of system calls (EIP-4788). */
const systemAddress = new Uint8Array(20).fill(0xff).with(19, 0xfe);
const systemGas = 30_000_000;

/** Executes on a {@link ChainState}: the room's own transition around an engine for messages. */
export class StateExecutor implements Executor {
  readonly fork: Fork;
  readonly #state: ChainState;
  readonly #engine: MessageEngine;

  constructor(fork: Fork, makeEngine: MessageEngineFactory) {
    this.fork = fork;
    this.#state = new ChainState(memoryTables());
    this.#engine = makeEngine(fork, this.#state);
  }

  attach(source: EvmHost): void {
    this.#state.attach(source);
  }

  forget(): void {
    this.#state.forget();
  }

  execute(
    transaction: SignedTransaction,
    block: BlockEnvironment,
  ): AppliedTransaction | Promise<AppliedTransaction> {
    return applyTransaction(this.#engine, transaction, block);
  }

  systemCall({ target: to, data }: SystemCall, block: BlockEnvironment): void | Promise<void> {
    const state = this.#state;
    const target = state.account(to);
    if (state.code(target).length === 0) return undefined;
    const caller = state.account(systemAddress);
    const around = surroundingsOf(block, caller.word, 0n, []);
    const message = { caller, to: target, value: 0n, data, gas: systemGas };
    const result = this.#engine.execute(message, around);
    const clear = (): void => clearAccounts(state, this.fork);
    return result instanceof Promise ? result.then(clear) : clear();
  }

  finish(sink: EvmSink): void {
    this.#state.finishTransaction(sink);
  }

  abandon(): void {
    this.#state.abandonTransaction();
  }

  account(address: Uint8Array): { readonly nonce: bigint; readonly balance: bigint } {
    return this.#state.account(address);
  }
}

/** Answers each call on a fresh {@link ChainState}. */
export class StateSimulator implements Simulator {
  readonly #fork: Fork;
  readonly #makeEngine: MessageEngineFactory;

  constructor(fork: Fork, makeEngine: MessageEngineFactory) {
    this.#fork = fork;
    this.#makeEngine = makeEngine;
  }

  call(
    source: EvmHost,
    message: CallMessage,
    given: BlockEnvironment,
  ): CallResult | Promise<CallResult> {
    const block = message.gasPrice === 0n ? { ...given, baseFee: 0n } : given;
    const fork = this.#fork;
    const state = new ChainState(source);
    const engine = this.#makeEngine(fork, state);
    const { from, gas, gasPrice: price, value, data } = message;
    const { intrinsic, floor } = intrinsicGas({ ...message, authorizationList: [] }, fork);
    const caller = state.account(from);
    state.setBalance(caller, caller.balance - BigInt(gas) * price);
    state.setNonce(caller, (message.nonce ?? caller.nonce) + 1n);
    if (fork.rules.berlin) warmUp(state, fork, message, block);
    const accessed = new Map<Account, Set<bigint>>();
    state.accessed = accessed;
    const to = message.to === undefined ? undefined : state.account(message.to);
    const result = engine.execute(
      { caller, ...(to === undefined ? {} : { to }), value, data, gas: gas - intrinsic },
      surroundingsOf(block, caller.word, price, []),
    );
    const finish = (ended: MessageResult): CallResult => {
      const spent = gas - ended.gasLeft;
      const refund = Math.min(state.refund, Math.floor(spent / fork.gas.refundQuotient));
      return {
        status: ended.halt,
        ...(ended.error === undefined ? {} : { error: ended.error }),
        output: ended.output,
        gasUsed: Math.max(spent - refund, floor),
        refund,
        ...(ended.created === undefined ? {} : { contractAddress: ended.created.address }),
        accessed: entriesOf(accessed),
      };
    };
    return result instanceof Promise ? result.then(finish) : finish(result);
  }
}

const entriesOf = (accessed: ReadonlyMap<Account, ReadonlySet<bigint>>): AccessListEntry[] =>
  Array.from(accessed, ([{ address }, slots]) => ({
    address,
    storageKeys: Array.from(slots, toWord),
  }));
