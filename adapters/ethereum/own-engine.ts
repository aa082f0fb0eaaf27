import {
  type BlockEnvironment,
  type CallResult,
  createEvm,
  type Evm,
  type EvmHost,
  type EvmSink,
  type EvmTransaction,
  type SystemCall,
} from '@concordat/evm';
import { translated } from './errors.ts';
import type { AppliedTransaction, CallMessage, SignedTransaction, Simulator } from './executor.ts';
import type { LentExecutor } from './executor-pool.ts';
import type { Fork } from './fork.ts';
import { memoryTables } from './state-source.ts';
import { authorityOf } from './transaction.ts';

/** Beyond this many bytes the cache starts anew with the next batch. */
const cacheLimitBytes = 96 * 1024 * 1024;

/** Executes by the WebAssembly engine. It never waits. */
export class OwnExecutor implements LentExecutor {
  readonly #evm: Evm;
  #fork: Fork;

  constructor(fork: Fork) {
    this.#fork = fork;
    this.#evm = engineOf(fork, memoryTables());
  }

  get fork(): Fork {
    return this.#fork;
  }

  serve(fork: Fork): void {
    this.forget();
    this.#fork = fork;
    this.#evm.useFork(fork.name, fork.chainId);
  }

  attach(source: EvmHost): void {
    this.#evm.attach(source);
    if (this.#evm.heldBytes > cacheLimitBytes) this.#evm.forget();
  }

  forget(): void {
    this.#evm.abandon();
    this.#evm.forget();
  }

  execute(transaction: SignedTransaction, block: BlockEnvironment): AppliedTransaction {
    try {
      return this.#evm.execute(evmTransactionOf(transaction), block);
    } catch (error) {
      throw translated(error);
    }
  }

  systemCall(call: SystemCall, block: BlockEnvironment): void {
    try {
      this.#evm.systemCall(call, block);
    } catch (error) {
      throw translated(error);
    }
  }

  finish(sink: EvmSink): void {
    try {
      this.#evm.finish(sink);
    } catch (error) {
      throw translated(error);
    }
  }

  abandon(): void {
    this.#evm.abandon();
  }

  nonceOf(address: Uint8Array): bigint {
    return this.#evm.nonceOf(address);
  }
}

const engineOf = ({ name, chainId }: Fork, host: EvmHost): Evm =>
  createEvm({ fork: name, chainId, host });

/** A transaction as the engine wants it: whoever signed an authorization is recovered now. */
function evmTransactionOf({ fields, from }: SignedTransaction): EvmTransaction {
  const { authorizationList } = fields;
  return {
    ...fields,
    from,
    authorizationList:
      authorizationList.length === 0
        ? []
        : authorizationList.map((entry) => ({ ...entry, authority: authorityOf(entry) })),
  };
}

/** One engine for all calls on chains of a fork: a call ends before the next begins. */
export class OwnSimulator implements Simulator {
  readonly #evm: Evm;
  #source: EvmHost;

  constructor(fork: Fork) {
    this.#source = memoryTables();
    this.#evm = engineOf(fork, this.#source);
  }

  call(source: EvmHost, message: CallMessage, block: BlockEnvironment): CallResult {
    const evm = this.#evm;
    // Calls that follow one another on the same state, as for an estimate, find it in the cache.
    if (source !== this.#source) {
      evm.forget();
      evm.attach(source);
      this.#source = source;
    }
    try {
      return evm.call(message, block);
    } catch (error) {
      throw translated(error);
    }
  }
}
