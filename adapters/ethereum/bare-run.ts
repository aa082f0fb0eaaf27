import type { BlockEnvironment, EvmHost, EvmSink } from '@concordat/evm';
import { blockGasUsed, noGas, withGasOf } from './block-gas.ts';
import type { Executor } from './executor.ts';
import type { DecodedTransaction } from './transaction.ts';

/** What one transaction took from the state and left in it, as binary strings of keys. */
export interface ObservedTransaction {
  /** Accounts (20 characters) and slots (52 or 56) read, its own writes left out. */
  readonly reads: ReadonlySet<string>;
  readonly writes: ReadonlySet<string>;
  readonly gasUsed: number;
}

/** What came of some transactions. */
export interface BareRun {
  /** As a header has it. */
  readonly gasUsed: number;
  /** Executed with status 0. */
  readonly failed: number;
  /** Milliseconds. */
  readonly ms: number;
}

/** How transactions are run. */
export interface BareRunOptions {
  readonly executor: Executor;
  readonly tables: EvmHost & EvmSink;
  readonly block: BlockEnvironment;
  /** Hears of each transaction; nothing stays cached between them then, so `ms` tells nothing. */
  readonly observe?: (transaction: ObservedTransaction) => void;
}

/** Executes transactions one after another and ends each in the tables. */
export async function runBareTransactions(
  transactions: readonly DecodedTransaction[],
  { executor, tables, block, observe }: BareRunOptions,
): Promise<BareRun> {
  let gas = noGas;
  let failed = 0;
  const start = performance.now();
  for (const transaction of transactions) {
    const watched = observe === undefined ? undefined : new WatchedTables(tables);
    if (watched !== undefined) {
      executor.forget();
      executor.attach(watched);
    }
    const applying = executor.execute(transaction, block);
    const applied = applying instanceof Promise ? await applying : applying;
    executor.finish(watched ?? tables);
    gas = withGasOf(gas, applied);
    if (applied.status === 0) failed++;
    if (watched !== undefined) observe?.({ ...watched.seen(), gasUsed: applied.gasUsed });
  }
  return { gasUsed: blockGasUsed(gas), failed, ms: performance.now() - start };
}

/** Tables that note the keys of what passes through them. */
class WatchedTables implements EvmHost, EvmSink {
  readonly #tables: EvmHost & EvmSink;
  readonly #reads = new Set<string>();
  readonly #writes = new Set<string>();

  constructor(tables: EvmHost & EvmSink) {
    this.#tables = tables;
  }

  seen(): { readonly reads: ReadonlySet<string>; readonly writes: ReadonlySet<string> } {
    return { reads: this.#reads, writes: this.#writes };
  }

  account(key: string): Uint8Array | undefined {
    this.#reads.add(key);
    return this.#tables.account(key);
  }

  slot(key: string): Uint8Array | undefined {
    this.#reads.add(key);
    return this.#tables.slot(key);
  }

  code(key: string): Uint8Array | undefined {
    return this.#tables.code(key);
  }

  putAccount(key: string, record: Uint8Array | undefined): void {
    this.#writes.add(key);
    this.#tables.putAccount(key, record);
  }

  putSlot(key: string, value: Uint8Array | undefined): void {
    this.#writes.add(key);
    this.#tables.putSlot(key, value);
  }

  putCode(key: string, code: Uint8Array): void {
    this.#tables.putCode(key, code);
  }
}
