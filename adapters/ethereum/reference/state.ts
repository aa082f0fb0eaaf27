import {
  decodeAccount,
  type EvmHost,
  type EvmLog,
  type EvmSink,
  emptyCodeKey,
  encodeAccount,
  slotKey,
  toBigInt,
  toMinimalBytes,
} from '@concordat/evm';
import { assert, equalBytes, fromLatin1 } from '@concordat/std';
import { keccak256 } from '../crypto.ts';
import { codeOf, slotName } from '../state-source.ts';

const latin1 = Buffer.prototype.latin1Slice as (this: Uint8Array, a: number, b: number) => string;

/**
 * One account in the cache: its current fields, the slots seen so far, and the marks of the
 * transaction that runs. Fields change only through {@link ChainState}, which keeps the undo log.
 */
export class Account {
  /** Address as a binary string of 20 characters. */
  readonly key: string;
  readonly address: Uint8Array;
  exists = false;
  nonce = 0n;
  balance = 0n;
  codeKey = emptyCodeKey;
  incarnation = 0;
  hasStorage = false;
  /** Current values of the slots seen; V8 hashes a bigint by its low 64 bits. */
  slots = new Map<bigint, bigint>();
  /** Value at the start of the transaction of each slot that it wrote. */
  originals: Map<bigint, bigint> | undefined;
  /** EIP-2929 marks. */
  warm = false;
  warmSlots: Set<bigint> | undefined;
  /** EIP-1153 values. */
  transient: Map<bigint, bigint> | undefined;
  /** EIP-161: removed at the end of the transaction when it is empty. */
  touched = false;
  /** Made by CREATE in this transaction (EIP-6780). */
  created = false;
  destroyed = false;
  /** Whether fields were written in this transaction. */
  changed = false;
  /** Whether it is in the list of accounts this transaction has marked. */
  listed = false;
  /** Code, once loaded. */
  code: Uint8Array | undefined;

  constructor(key: string) {
    this.key = key;
    this.address = fromLatin1(key);
  }

  get isEmpty(): boolean {
    return this.nonce === 0n && this.balance === 0n && this.codeKey === emptyCodeKey;
  }

  /** Exists and is not empty (EIP-161's "not dead"). */
  get isAlive(): boolean {
    return this.exists && !this.isEmpty;
  }
}

type Undo = () => void;

/** Beyond this many cached slots and accounts the cache starts anew at a batch's start. */
const cacheLimit = 400_000;
const ripemd = `${'\0'.repeat(19)}\x03`;

/**
 * The state of one chain while transactions run: flat maps over the tables, and one undo log. A
 * checkpoint is the log's length, so it costs nothing; what a transaction changed goes to a sink
 * when it ends.
 */
export class ChainState {
  #accounts = new Map<string, Account>();
  #cachedSlots = 0;
  #undo: Undo[] = [];
  #listed: Account[] = [];
  #newCodes = new Map<string, Uint8Array>();
  #source: EvmHost;
  /** Logs of the running transaction; a revert cuts them. */
  readonly logs: EvmLog[] = [];
  /** Refund counter of the running transaction (gas). */
  refund = 0;

  constructor(source: EvmHost) {
    this.#source = source;
  }

  /** Continues on other tables with the same content: the next batch's set. */
  attach(source: EvmHost): void {
    assert(this.#undo.length === 0, 'attached within a transaction');
    this.#source = source;
    if (this.#accounts.size + this.#cachedSlots > cacheLimit) this.forget();
  }

  /** Drops everything cached: the state below has changed by another way. */
  forget(): void {
    this.#accounts = new Map();
    this.#cachedSlots = 0;
    this.#undo = [];
    this.#listed = [];
    this.#newCodes = new Map();
    this.logs.length = 0;
    this.refund = 0;
  }

  /** The account of a 20-byte address. */
  account(address: Uint8Array): Account {
    return this.#account(latin1.call(address, 0, 20));
  }

  #account(key: string): Account {
    const found = this.#accounts.get(key);
    if (found !== undefined) return found;
    const account = new Account(key);
    const bytes = this.#source.account(key);
    if (bytes !== undefined) {
      const record = decodeAccount(bytes);
      account.exists = record.exists;
      account.nonce = record.nonce;
      account.balance = record.balance;
      account.codeKey = record.codeKey;
      account.incarnation = record.incarnation;
      account.hasStorage = record.hasStorage;
    }
    this.#accounts.set(key, account);
    return account;
  }

  #list(account: Account): void {
    if (account.listed) return;
    account.listed = true;
    this.#listed.push(account);
  }

  /** Notes the fields for undo; call before changing any of them. */
  #willChange(account: Account): void {
    const { exists, nonce, balance, codeKey, incarnation, hasStorage, slots, originals, code } =
      account;
    this.#undo.push(() => {
      account.exists = exists;
      account.nonce = nonce;
      account.balance = balance;
      account.codeKey = codeKey;
      account.incarnation = incarnation;
      account.hasStorage = hasStorage;
      account.slots = slots;
      account.originals = originals;
      account.code = code;
    });
    account.changed = true;
    this.#list(account);
  }

  /** Makes the account exist and gives it a balance. */
  setBalance(account: Account, balance: bigint): void {
    if (account.exists && account.balance === balance) return;
    this.#willChange(account);
    account.exists = true;
    account.balance = balance;
  }

  /** Makes the account exist and gives it a nonce. */
  setNonce(account: Account, nonce: bigint): void {
    this.#willChange(account);
    account.exists = true;
    account.nonce = nonce;
  }

  /** Gives the account code (none for empty bytes). */
  setCode(account: Account, code: Uint8Array): void {
    this.#willChange(account);
    account.exists = true;
    account.code = undefined;
    if (code.length === 0) {
      account.codeKey = emptyCodeKey;
      return;
    }
    account.codeKey = latin1.call(keccak256(code), 0, 32);
    this.#newCodes.set(account.codeKey, code);
  }

  /** Marks as touched (EIP-161). Address 3 stays so through reverts, as mainnet once decided. */
  touch(account: Account): void {
    if (account.touched) return;
    account.touched = true;
    this.#list(account);
    if (account.key === ripemd) return;
    this.#undo.push(() => {
      account.touched = false;
    });
  }

  /** Removes the account with its code and storage. */
  remove(account: Account): void {
    if (!account.exists && !account.hasStorage) return;
    this.wipeStorage(account);
    this.#willChange(account);
    account.exists = false;
    account.nonce = 0n;
    account.balance = 0n;
    account.codeKey = emptyCodeKey;
    account.code = undefined;
  }

  /** Empties the storage, however large, by starting a new incarnation. */
  wipeStorage(account: Account): void {
    if (!account.hasStorage) return;
    this.#willChange(account);
    account.incarnation += 1;
    account.hasStorage = false;
    account.slots = new Map();
    account.originals = undefined;
  }

  /** Code of an account. @throws EthereumError MALFORMED */
  code(account: Account): Uint8Array {
    if (account.code !== undefined) return account.code;
    const { codeKey } = account;
    const code = this.#newCodes.get(codeKey) ?? codeOf(this.#source, codeKey);
    account.code = code;
    return code;
  }

  /** Present value of a slot. */
  slot(account: Account, slot: bigint): bigint {
    const cached = account.slots.get(slot);
    if (cached !== undefined) return cached;
    const value = account.hasStorage ? this.#storedSlot(account, slot) : 0n;
    account.slots.set(slot, value);
    this.#cachedSlots++;
    return value;
  }

  #storedSlot({ key, incarnation }: Account, slot: bigint): bigint {
    const bytes = this.#source.slot(slotKey(key, incarnation, slotName(slot)));
    return bytes === undefined ? 0n : toBigInt(bytes);
  }

  /** Value of a slot when the transaction began. */
  originalSlot(account: Account, slot: bigint): bigint {
    return account.originals?.get(slot) ?? this.slot(account, slot);
  }

  /** Writes a slot. */
  setSlot(account: Account, slot: bigint, value: bigint): void {
    const before = this.slot(account, slot);
    if (before === value) return;
    if (!account.hasStorage) {
      this.#willChange(account);
      account.hasStorage = true;
    }
    let { originals } = account;
    if (originals === undefined) {
      originals = new Map();
      account.originals = originals;
      this.#list(account);
    }
    if (!originals.has(slot)) originals.set(slot, before);
    const { slots } = account;
    this.#undo.push(() => {
      slots.set(slot, before);
    });
    slots.set(slot, value);
  }

  /** EIP-1153 value. */
  transient(account: Account, slot: bigint): bigint {
    return account.transient?.get(slot) ?? 0n;
  }

  /** Writes an EIP-1153 value. */
  setTransient(account: Account, slot: bigint, value: bigint): void {
    let { transient } = account;
    if (transient === undefined) {
      transient = new Map();
      account.transient = transient;
      this.#list(account);
    }
    const map = transient;
    const before = map.get(slot) ?? 0n;
    this.#undo.push(() => {
      map.set(slot, before);
    });
    map.set(slot, value);
  }

  /** EIP-2929: marks the address and says whether it was cold. */
  warmAddress(account: Account): boolean {
    if (account.warm) return false;
    account.warm = true;
    this.#list(account);
    this.#undo.push(() => {
      account.warm = false;
    });
    return true;
  }

  /** EIP-2929: marks the slot and says whether it was cold. */
  warmSlot(account: Account, slot: bigint): boolean {
    let { warmSlots } = account;
    if (warmSlots === undefined) {
      warmSlots = new Set();
      account.warmSlots = warmSlots;
      this.#list(account);
    } else if (warmSlots.has(slot)) {
      return false;
    }
    const set = warmSlots;
    set.add(slot);
    this.#undo.push(() => {
      set.delete(slot);
    });
    return true;
  }

  /** Marks an account made in this transaction. */
  markCreated(account: Account): void {
    if (account.created) return;
    account.created = true;
    this.#list(account);
    this.#undo.push(() => {
      account.created = false;
    });
  }

  /** Marks an account destroyed by SELFDESTRUCT. */
  markDestroyed(account: Account): void {
    if (account.destroyed) return;
    account.destroyed = true;
    this.#list(account);
    this.#undo.push(() => {
      account.destroyed = false;
    });
  }

  /** A point to come back to within the transaction. */
  checkpoint(): number {
    return this.#undo.length;
  }

  /** Undoes everything since a checkpoint. */
  revert(mark: number): void {
    const undo = this.#undo;
    for (let i = undo.length - 1; i >= mark; i--) (undo[i] as Undo)();
    undo.length = mark;
  }

  /** Accounts marked in this transaction, in the order they were first marked. */
  marked(): readonly Account[] {
    return this.#listed;
  }

  /** Ends the transaction: net changes go to the sink, its marks are taken off. */
  finishTransaction(sink: EvmSink): void {
    for (const account of this.#listed) this.#flush(account, sink);
    this.#clear();
  }

  /** Ends the transaction without a trace. */
  abandonTransaction(): void {
    this.revert(0);
    this.#clear();
  }

  #clear(): void {
    for (const account of this.#listed) {
      account.originals = undefined;
      account.warm = false;
      account.warmSlots = undefined;
      account.transient = undefined;
      account.touched = false;
      account.created = false;
      account.destroyed = false;
      account.changed = false;
      account.listed = false;
    }
    this.#listed.length = 0;
    this.#undo.length = 0;
    this.#newCodes.clear();
    this.logs.length = 0;
    this.refund = 0;
  }

  #flush(account: Account, sink: EvmSink): void {
    if (account.changed) {
      const before = this.#source.account(account.key);
      const after = account.exists || account.incarnation > 0 ? encodeAccount(account) : undefined;
      if (!sameBytes(before, after)) sink.putAccount(account.key, after);
      const { codeKey } = account;
      const code = this.#newCodes.get(codeKey);
      if (code !== undefined) sink.putCode(codeKey, code);
    }
    if (account.originals === undefined) return;
    for (const [slot, original] of account.originals) {
      const value = account.slots.get(slot) as bigint;
      if (value === original) continue;
      const key = slotKey(account.key, account.incarnation, slotName(slot));
      sink.putSlot(key, value === 0n ? undefined : toMinimalBytes(value));
    }
  }
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b);
}
