import { keccak256 } from '../../../ethereum/crypto.ts';
import {
  decodeAccount,
  emptyCodeKey,
  encodeAccount,
  toBigInt,
  toMinimalBytes,
} from '../../index.ts';

/** One account with everything under it; the plain form that every engine is fed from. */
export interface WorldAccount {
  readonly nonce: bigint;
  readonly balance: bigint;
  readonly code: Uint8Array;
  /** By slot number, 32 characters of a binary string; values are never 0. */
  readonly storage: ReadonlyMap<string, bigint>;
}

/** A whole state: accounts by their 20 address bytes as a binary string. */
export type World = ReadonlyMap<string, WorldAccount>;

/** What a transaction changed, as the engines write it; undefined deletes. */
export interface Changes {
  readonly accounts: Map<string, Uint8Array | undefined>;
  /** Keys: address, incarnation (4 bytes, only when above 0), slot. */
  readonly slots: Map<string, Uint8Array | undefined>;
  readonly codes: Map<string, Uint8Array>;
}

/** A world as engines read it, and where they write what a transaction changed. */
export interface WorldTables {
  account(key: string): Uint8Array | undefined;
  slot(key: string): Uint8Array | undefined;
  code(key: string): Uint8Array | undefined;
  putAccount(key: string, record: Uint8Array | undefined): void;
  putSlot(key: string, value: Uint8Array | undefined): void;
  putCode(key: string, code: Uint8Array): void;
  /** What was written since this was asked last. */
  takeChanges(): Changes;
}

/** Nothing changed yet. */
export const noChanges = (): Changes => ({
  accounts: new Map(),
  slots: new Map(),
  codes: new Map(),
});

const codeKeys = new WeakMap<WorldAccount, string>();

/** keccak256 of an account's code as a binary string. */
export function codeKeyOf(account: WorldAccount): string {
  if (account.code.length === 0) return emptyCodeKey;
  let key = codeKeys.get(account);
  if (key === undefined) {
    key = Buffer.from(keccak256(account.code)).latin1Slice(0, 32);
    codeKeys.set(account, key);
  }
  return key;
}

const records = new WeakMap<WorldAccount, Uint8Array>();

function recordOf(account: WorldAccount): Uint8Array {
  let record = records.get(account);
  if (record === undefined) {
    record = encodeAccount({
      exists: true,
      nonce: account.nonce,
      balance: account.balance,
      codeKey: codeKeyOf(account),
      incarnation: 0,
      hasStorage: account.storage.size > 0,
    });
    records.set(account, record);
  }
  return record;
}

/** Tables over a world, for any number of transactions on it. */
export function tablesOf(world: World): WorldTables {
  const written = noChanges();
  let changes = noChanges();
  return {
    takeChanges() {
      const taken = changes;
      changes = noChanges();
      return taken;
    },
    account(key) {
      if (written.accounts.has(key)) return written.accounts.get(key);
      const account = world.get(key);
      return account === undefined ? undefined : recordOf(account);
    },
    slot(key) {
      if (written.slots.has(key)) return written.slots.get(key);
      if (key.length !== 52) return undefined;
      const value = world.get(key.slice(0, 20))?.storage.get(key.slice(20));
      return value === undefined ? undefined : toMinimalBytes(value);
    },
    code(key) {
      for (const account of world.values()) if (codeKeyOf(account) === key) return account.code;
      return written.codes.get(key);
    },
    putAccount(key, record) {
      const copy = copyOf(record);
      for (const to of [written, changes]) to.accounts.set(key, copy);
    },
    putSlot(key, value) {
      const copy = copyOf(value);
      for (const to of [written, changes]) to.slots.set(key, copy);
    },
    putCode(key, code) {
      const copy = Buffer.from(code);
      for (const to of [written, changes]) to.codes.set(key, copy);
    },
  };
}

/** What an engine hands over may be a view of its memory. */
const copyOf = (bytes: Uint8Array | undefined): Uint8Array | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes);

/** An account of a state that a transaction has ended in. */
export interface EndAccount {
  readonly nonce: bigint;
  readonly balance: bigint;
  /** 32 bytes as a binary string. */
  readonly codeKey: string;
  readonly before: WorldAccount | undefined;
  /** The slots that differ from `before`, or all of them when `wiped`. */
  readonly slots: ReadonlyMap<string, bigint>;
  readonly wiped: boolean;
}

/** The accounts a state has after some changes. */
export function worldAfter(world: World, changes: Changes): Map<string, EndAccount> {
  const slots = slotsByAccount(changes);
  const end = new Map<string, EndAccount>();
  for (const [key, before] of world) {
    if (changes.accounts.has(key)) continue;
    const { nonce, balance } = before;
    const own = slots.get(key) ?? noSlots;
    end.set(key, { nonce, balance, codeKey: codeKeyOf(before), before, slots: own, wiped: false });
  }
  for (const [key, bytes] of changes.accounts) {
    if (bytes === undefined) continue;
    const { exists, nonce, balance, codeKey, incarnation } = decodeAccount(bytes);
    if (!exists) continue;
    const wiped = incarnation > 0;
    const own = slots.get(key + incarnationName(incarnation)) ?? noSlots;
    end.set(key, { nonce, balance, codeKey, before: world.get(key), slots: own, wiped });
  }
  return end;
}

const noSlots: ReadonlyMap<string, bigint> = new Map();

function slotsByAccount(changes: Changes): Map<string, Map<string, bigint>> {
  const slots = new Map<string, Map<string, bigint>>();
  for (const [key, value] of changes.slots) {
    const account = key.slice(0, -32);
    const own = slots.get(account) ?? new Map<string, bigint>();
    slots.set(account, own.set(key.slice(-32), value === undefined ? 0n : toBigInt(value)));
  }
  return slots;
}

function incarnationName(incarnation: number): string {
  if (incarnation === 0) return '';
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(incarnation);
  return bytes.latin1Slice(0, 4);
}
