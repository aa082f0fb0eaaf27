import type { ReadTable, ReadView, TransactionSet, WriteTable } from '@concordat/kv';
import type { Digest } from '@concordat/std';
import { AdapterError, type BatchSet, type LedgerAdapter } from './adapter.ts';

/** The writes of one transaction, on their way to a leaf. */
export interface TransactionWrites {
  readonly publicWrites: Uint8Array;
  readonly privateWrites: Uint8Array;
  readonly claimsDigest?: Digest;
}

/** Names of the tables an adapter may touch. */
export const tableNamesOf = (adapter: LedgerAdapter): ReadonlySet<string> =>
  new Set(adapter.tables.map((table) => table.name));

const notOwn = (name: string): AdapterError =>
  new AdapterError('CONTRACT_BROKEN', `table ${name} does not belong to this adapter`);

/** A view of one adapter's tables alone. */
export class ScopedView implements ReadView {
  readonly #view: ReadView;
  readonly #names: ReadonlySet<string>;

  constructor(view: ReadView, names: ReadonlySet<string>) {
    this.#view = view;
    this.#names = names;
  }

  /** @throws AdapterError CONTRACT_BROKEN for a table of somebody else */
  table(name: string): ReadTable {
    if (!this.#names.has(name)) throw notOwn(name);
    return this.#view.table(name);
  }
}

/** The set an adapter executes one batch on: scoped to its tables, cut into transactions. */
export class OpenBatch implements BatchSet {
  readonly #set: TransactionSet;
  readonly #names: ReadonlySet<string>;
  readonly #tables = new Map<string, WriteTable>();
  #writes: TransactionWrites[] = [];
  #bytes = 0;
  #open = true;

  constructor(set: TransactionSet, names: ReadonlySet<string>) {
    this.#set = set;
    this.#names = names;
  }

  /** Transactions ended so far. */
  get writes(): readonly TransactionWrites[] {
    return this.#writes;
  }

  /** Bytes of their write sets. */
  get bytes(): number {
    return this.#bytes;
  }

  table(name: string): WriteTable {
    this.#check();
    let table = this.#tables.get(name);
    if (table === undefined) {
      if (!this.#names.has(name)) throw notOwn(name);
      table = this.#set.table(name);
      this.#tables.set(name, table);
    }
    return table;
  }

  /** A table of the framework, which no adapter can name. */
  frameworkTable(name: string): WriteTable {
    this.#check();
    return this.#set.table(name);
  }

  checkpoint(): number {
    this.#check();
    return this.#set.checkpoint();
  }

  revert(mark: number): void {
    this.#check();
    this.#set.revert(mark);
  }

  endTransaction(claimsDigest?: Digest): void {
    this.#check();
    const { publicWrites, privateWrites } = this.#set.takeWriteSet();
    this.#bytes += publicWrites.length + privateWrites.length;
    this.#writes.push(
      claimsDigest === undefined
        ? { publicWrites, privateWrites }
        : { publicWrites, privateWrites, claimsDigest },
    );
  }

  /** Ends a transaction if anything was written since the last end; says whether there was. */
  endIfWritten(): boolean {
    const { publicWrites, privateWrites } = this.#set.takeWriteSet();
    const size = publicWrites.length + privateWrites.length;
    if (size === 0) return false;
    this.#bytes += size;
    this.#writes.push({ publicWrites, privateWrites });
    return true;
  }

  /** Keeps the batch as a layer of the speculative head. */
  finish(): void {
    this.#check();
    this.#open = false;
    this.#set.finish();
  }

  /** Forgets everything; an execution still running finds the set closed. */
  abort(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#set.abort();
  }

  #check(): void {
    if (!this.#open) throw new AdapterError('CONTRACT_BROKEN', 'the batch is closed');
  }
}
