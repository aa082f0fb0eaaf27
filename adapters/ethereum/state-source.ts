import type { ReadView, WriteTable } from '@concordat/kv';
import { emptyBytes, fromLatin1, toLatin1, viewOf } from '@concordat/std';
import { emptyCodeKey, toBigInt, toMinimalBytes } from './crypto.ts';
import { EthereumError } from './errors.ts';
import { tableNames } from './tables.ts';

/** What is stored of one account. */
export interface AccountRecord {
  /** False only for the tombstone of a destroyed account that once had storage. */
  readonly exists: boolean;
  readonly nonce: bigint;
  readonly balance: bigint;
  /** keccak256 of the code as a binary string of 32 characters. */
  readonly codeKey: string;
  /** Counts how often the storage was wiped; part of every slot's key, so a wipe is O(1). */
  readonly incarnation: number;
  /** Whether a slot was ever written in this incarnation. */
  readonly hasStorage: boolean;
}

/**
 * Where state comes from when it is not in a cache, as the bytes that the tables hold. Accounts are
 * named by 20, codes by 32 characters of a binary string; slots by account, incarnation (4
 * characters, absent when 0) and slot (32 characters).
 */
export interface StateSource {
  /** {@link encodeAccount}'s bytes. */
  account(key: string): Uint8Array | undefined;
  /** Big-endian without leading zeros; undefined or empty for zero. */
  slot(key: string): Uint8Array | undefined;
  code(key: string): Uint8Array | undefined;
}

/** What takes the changes of a finished transaction; undefined deletes. */
export interface StateSink {
  putAccount(key: string, record: Uint8Array | undefined): void;
  putSlot(key: string, value: Uint8Array | undefined): void;
  putCode(key: string, code: Uint8Array): void;
}

/** Both of the same tables. */
export interface StateTables extends StateSource, StateSink {}

const hasCode = 1;
const storage = 2;
const wiped = 4;
const absent = 8;

/** Bytes of an account record; docs/format/ethereum-import.md gives them in a table. */
export function encodeAccount(record: AccountRecord): Uint8Array {
  const nonce = toMinimalBytes(record.nonce);
  const balance = toMinimalBytes(record.balance);
  const withCode = record.codeKey !== emptyCodeKey;
  const flags =
    (withCode ? hasCode : 0) |
    (record.hasStorage ? storage : 0) |
    (record.incarnation > 0 ? wiped : 0) |
    (record.exists ? 0 : absent);
  const length =
    3 + nonce.length + balance.length + (withCode ? 32 : 0) + (record.incarnation > 0 ? 4 : 0);
  const bytes = Buffer.allocUnsafe(length);
  bytes[0] = flags;
  bytes[1] = nonce.length;
  bytes.set(nonce, 2);
  let at = 2 + nonce.length;
  bytes[at++] = balance.length;
  bytes.set(balance, at);
  at += balance.length;
  if (withCode) at += bytes.latin1Write(record.codeKey, at, 32);
  if (record.incarnation > 0) bytes.writeUInt32BE(record.incarnation, at);
  return bytes;
}

/** Reads {@link encodeAccount}. @throws EthereumError MALFORMED */
export function decodeAccount(bytes: Uint8Array): AccountRecord {
  const buffer = viewOf(bytes);
  const flags = buffer[0] ?? 255;
  const nonceLength = buffer[1] ?? 255;
  const balanceAt = 2 + nonceLength;
  const balanceLength = buffer[balanceAt] ?? 255;
  const codeAt = balanceAt + 1 + balanceLength;
  const wipedAt = codeAt + ((flags & hasCode) === 0 ? 0 : 32);
  const end = wipedAt + ((flags & wiped) === 0 ? 0 : 4);
  if (flags > 15 || nonceLength > 8 || balanceLength > 32 || end !== buffer.length) {
    throw new EthereumError('MALFORMED', 'not an account record');
  }
  return {
    exists: (flags & absent) === 0,
    nonce: toBigInt(buffer.subarray(2, balanceAt)),
    balance: toBigInt(buffer.subarray(balanceAt + 1, codeAt)),
    codeKey: (flags & hasCode) === 0 ? emptyCodeKey : buffer.latin1Slice(codeAt, wipedAt),
    incarnation: (flags & wiped) === 0 ? 0 : buffer.readUInt32BE(wipedAt),
    hasStorage: (flags & storage) !== 0,
  };
}

/** The record of an account, if there is one. @throws EthereumError MALFORMED */
export function readAccount(source: StateSource, key: string): AccountRecord | undefined {
  const bytes = source.account(key);
  return bytes === undefined ? undefined : decodeAccount(bytes);
}

/** Committed or speculative tables as a source; `space` is the chain's key prefix. */
export function tableSource(view: ReadView, space: string): StateSource {
  const accounts = view.table(tableNames.accounts);
  const slots = view.table(tableNames.storage);
  const codes = view.table(tableNames.code);
  return {
    account: (key) => accounts.get(space + key),
    slot: (key) => slots.get(space + key),
    code: (key) => codes.get(key),
  };
}

/** The tables of an open batch as source and sink. */
export function openTables(set: { table(name: string): WriteTable }, space: string): StateTables {
  const accounts = set.table(tableNames.accounts);
  const slots = set.table(tableNames.storage);
  const codes = set.table(tableNames.code);
  return {
    ...tableSource(set, space),
    putAccount(key, record) {
      if (record === undefined) accounts.delete(space + key);
      else accounts.set(space + key, record);
    },
    putSlot(key, value) {
      if (value === undefined) slots.delete(space + key);
      else slots.set(space + key, value);
    },
    putCode(key, code) {
      if (!codes.has(key)) codes.set(key, code);
    },
  };
}

/** Tables in plain maps: for the bare measurement, calls with overrides, and tests. */
export function memoryTables(beneath?: StateSource): StateTables {
  const accounts = new Map<string, Uint8Array | undefined>();
  const slots = new Map<string, Uint8Array | undefined>();
  const codes = new Map<string, Uint8Array>();
  return {
    account: (key) => (accounts.has(key) ? accounts.get(key) : beneath?.account(key)),
    slot: (key) => (slots.has(key) ? slots.get(key) : beneath?.slot(key)),
    code: (key) => codes.get(key) ?? beneath?.code(key),
    putAccount: (key, record) => void accounts.set(key, record),
    putSlot: (key, value) => void slots.set(key, value),
    putCode: (key, code) => void codes.set(key, code),
  };
}

/** Code bytes of an account, empty when it has none. */
export function codeOf(source: StateSource, record: AccountRecord | undefined): Uint8Array {
  if (record === undefined || record.codeKey === emptyCodeKey) return emptyBytes;
  return source.code(record.codeKey) ?? emptyBytes;
}

/** Key of a slot within its chain: account, incarnation, slot. */
export function slotKey(account: string, incarnation: number, slot: string): string {
  if (incarnation === 0) return account + slot;
  const prefix = Buffer.allocUnsafe(4);
  prefix.writeUInt32BE(incarnation);
  return account + prefix.latin1Slice(0, 4) + slot;
}

/** 32-character form of a slot number. */
export const slotName = (slot: bigint): string =>
  Buffer.from(slot.toString(16).padStart(64, '0'), 'hex').latin1Slice(0, 32);

/** Address bytes of an account key. */
export const addressOf = (key: string): Uint8Array => fromLatin1(key);

/** Account key of an address. */
export const accountKey = (address: Uint8Array): string => toLatin1(address);
