import { keccak_256 } from '@noble/hashes/sha3.js';
import { emptyCodeKey } from '../records.ts';

/** An account as the model has it. */
export interface ModelAccount {
  exists: boolean;
  nonce: bigint;
  balance: bigint;
  code: string;
  incarnation: number;
  hasStorage: boolean;
  slots: Map<number, bigint>;
}

interface Snapshot {
  readonly accounts: ModelAccount[];
  readonly transient: Map<string, bigint>;
  readonly marks: Set<string>;
  readonly refund: bigint;
}

/** Hash of a code as a map key. */
export const codeKeyOf = (code: string): string =>
  code === ''
    ? emptyCodeKey
    : Buffer.from(keccak_256(Buffer.from(code, 'latin1'))).latin1Slice(0, 32);

/**
 * The state in the plainest way: a checkpoint copies everything. What the engine's cache and undo
 * log must be indistinguishable from.
 */
export class StateModel {
  accounts: ModelAccount[];
  transient = new Map<string, bigint>();
  /** `warm 0`, `warm 0 3`, `touched 0`, `created 0`, `destroyed 0`. */
  marks = new Set<string>();
  refund = 0n;
  #before: ModelAccount[];
  #snapshots = new Map<number, Snapshot>();
  /** Index of the account whose touch survives a revert; -1 for none. */
  readonly #sticky: number;

  constructor(count: number, sticky: number) {
    this.#sticky = sticky;
    this.accounts = Array.from({ length: count }, () => ({
      exists: false,
      nonce: 0n,
      balance: 0n,
      code: '',
      incarnation: 0,
      hasStorage: false,
      slots: new Map(),
    }));
    this.#before = structuredClone(this.accounts);
  }

  /** Remembers all under the engine's mark. */
  checkpoint(mark: number): void {
    this.#snapshots.set(mark, structuredClone(this.#copy()));
  }

  #copy(): Snapshot {
    const { accounts, transient, marks, refund } = this;
    return { accounts, transient, marks, refund };
  }

  revert(mark: number): void {
    const sticky = `touched ${this.#sticky}`;
    const keepsTouch = this.marks.has(sticky);
    const snapshot = structuredClone(this.#snapshots.get(mark) as Snapshot);
    Object.assign(this, snapshot);
    if (keepsTouch) this.marks.add(sticky);
  }

  /** Sets a mark; whether it was not there. */
  mark(name: string): boolean {
    const isNew = !this.marks.has(name);
    this.marks.add(name);
    return isNew;
  }

  slot(account: number, slot: number): bigint {
    return this.accounts[account]?.slots.get(slot) ?? 0n;
  }

  /** Value when the transaction began. */
  original(account: number, slot: number): bigint {
    const [now, before] = [this.accounts[account], this.#before[account]];
    if (now?.incarnation !== before?.incarnation) return 0n;
    return before?.slots.get(slot) ?? 0n;
  }

  setSlot(account: number, slot: number, value: bigint): void {
    const fields = this.accounts[account] as ModelAccount;
    if (this.slot(account, slot) === value) return;
    fields.hasStorage = true;
    fields.slots.set(slot, value);
  }

  wipe(account: number): void {
    const fields = this.accounts[account] as ModelAccount;
    if (!fields.hasStorage) return;
    fields.incarnation++;
    fields.hasStorage = false;
    fields.slots = new Map();
  }

  remove(account: number): void {
    this.wipe(account);
    Object.assign(this.accounts[account] as ModelAccount, {
      exists: false,
      nonce: 0n,
      balance: 0n,
      code: '',
    });
  }

  /** Ends the transaction, with or without its changes. */
  end(keeps: boolean): void {
    if (!keeps) this.accounts = this.#before;
    this.#before = structuredClone(this.accounts);
    this.#snapshots.clear();
    this.transient.clear();
    this.marks.clear();
    this.refund = 0n;
  }
}
