// Accounts in the cache: one entry each, which never moves until the cache is forgotten.
import { emptyCode } from './code';
import { hashAddress } from './hash';
import { hostAccount } from './host';
import { closePool, newEntry, poolHeader } from './pool';
import { firstCell, insertEntry, nextCell, openTable, tableCount, tableHeader } from './table';
import { copyWord, isZero, loadPart } from './word';

// Layout of an entry. First the address, 20 raw bytes.
/** u32: the address as a number when it is below 512, else all ones. */
export const accountIndex: i32 = 20;
/** u64 */
export const accountNonce: i32 = 24;
/** word */
export const accountBalance: i32 = 32;
/** 32 raw bytes, of the empty string when there is no code */
export const accountCodeHash: i32 = 64;
/** u32 */
export const accountFlags: i32 = 96;
/** u32: how often the storage was wiped */
export const accountIncarnation: i32 = 100;
/** u32: the code, 0 while it is not loaded */
export const accountCode: i32 = 104;
// Marks: the number of the transaction that set them last.
/** u32 mark: warm (EIP-2929) */
export const accountWarm: i32 = 108;
/** u32 mark: touched (EIP-161) */
export const accountTouched: i32 = 112;
/** u32 mark: made in the transaction */
export const accountCreated: i32 = 116;
/** u32 mark: destroyed by SELFDESTRUCT */
export const accountDestroyed: i32 = 120;
/** u32 mark: fields were written, and what is stored is kept below */
export const accountChanged: i32 = 124;
/** u32 mark: in the list of what may be removed at the end */
export const accountListed: i32 = 128;
/** u32 mark: in the list of accesses */
export const accountAccessed: i32 = 132;
// What is stored of an account that the transaction changed.
/** u32 */
export const storedFlags: i32 = 136;
/** u32 */
export const storedIncarnation: i32 = 140;
/** u64 */
export const storedNonce: i32 = 144;
/** word */
export const storedBalance: i32 = 152;
/** 32 raw bytes */
export const storedCodeHash: i32 = 184;
const accountBytes: i32 = 216;

/** Flags of an account. */
export const existsFlag: u32 = 1;
/** A slot was written in this incarnation. */
export const storageFlag: u32 = 2;
/** It has code. */
export const codeFlag: u32 = 4;

/** Addresses that may be precompiles lie below. */
const indexed: u32 = 512;

const table: usize = memory.data(tableHeader, 16);
const pool: usize = memory.data(poolHeader, 16);

/** Where the host writes a record, with readable bytes before it. */
const record: usize = memory.data(160, 16) + 16;

/** keccak256 of the empty string. */
export const emptyCodeHash: usize = memory.data<u8>([
  0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c, 0x92, 0x7e, 0x7d, 0xb2, 0xdc, 0xc7, 0x03, 0xc0,
  0xe5, 0x00, 0xb6, 0x53, 0xca, 0x82, 0x27, 0x3b, 0x7b, 0xfa, 0xd8, 0x04, 0x5d, 0x85, 0xa4, 0x70,
]);

/** Drops every account. */
export function forgetAccounts(): void {
  openTable(table);
  closePool(pool);
}

/** Number of accounts in the cache. */
export function cachedAccounts(): u32 {
  return tableCount(table);
}

/** The account of 20 raw bytes. */
export function accountOf(address: usize): usize {
  return find(load<u32>(address), load<u64>(address, 4), load<u64>(address, 12));
}

/** The account of a word's low 160 bits. */
export function accountOfWord(word: usize): usize {
  const head = bswap(load<u32>(word, 16));
  return find(head, bswap(load<u64>(word, 8)), bswap(load<u64>(word)));
}

function find(head: u32, middle: u64, tail: u64): usize {
  const hash = hashAddress(head, middle, tail);
  let cell = firstCell(table, hash);
  for (let entry = <usize>load<u32>(cell, 4); entry != 0; entry = load<u32>(cell, 4)) {
    if (
      load<u32>(cell) == hash &&
      load<u64>(entry, 12) == tail &&
      load<u64>(entry, 4) == middle &&
      load<u32>(entry) == head
    ) {
      return entry;
    }
    cell = nextCell(table, cell);
  }
  return loadAccount(hash, head, middle, tail);
}

function loadAccount(hash: u32, head: u32, middle: u64, tail: u64): usize {
  const entry = newEntry(pool, accountBytes);
  store<u32>(entry, head);
  store<u64>(entry, middle, 4);
  store<u64>(entry, tail, 12);
  const low = bswap(tail);
  const isLow = head == 0 && middle == 0 && low < indexed;
  store<u32>(entry, isLow ? <u32>low : 0xffff_ffff, accountIndex);
  const length = hostAccount(entry, record);
  if (length >= 0) decodeRecord(entry, <u32>length);
  if ((load<u32>(entry, accountFlags) & codeFlag) == 0) {
    copyWord(entry + accountCodeHash, emptyCodeHash);
    store<u32>(entry, <u32>emptyCode, accountCode);
  }
  insertEntry(table, hash, entry);
  return entry;
}

// Flags of a stored record.
const recordCode: u32 = 1;
const recordStorage: u32 = 2;
const recordWiped: u32 = 4;
const recordAbsent: u32 = 8;

/** Reads a record; one that the host should not have is a trap. */
function decodeRecord(entry: usize, length: u32): void {
  const flags = <u32>load<u8>(record);
  const nonceLength = <u32>load<u8>(record, 1);
  if (length < 3 || length > 128 || flags > 15 || nonceLength > 8) unreachable();
  let at = record + 2 + nonceLength;
  const balanceLength = <u32>load<u8>(at);
  if (balanceLength > 32) unreachable();
  at += 1 + balanceLength;
  const balance = entry + accountBalance;
  loadPart(balance, record + 2, nonceLength);
  const nonce = load<u64>(balance);
  store<u64>(entry, nonce, accountNonce);
  loadPart(balance, at - balanceLength, balanceLength);
  if ((flags & recordCode) != 0) {
    memory.copy(entry + accountCodeHash, at, 32);
    at += 32;
  }
  if ((flags & recordWiped) != 0) {
    store<u32>(entry, bswap(load<u32>(at)), accountIncarnation);
    at += 4;
  }
  if (at - record != length) unreachable();
  store<u32>(
    entry,
    ((flags & recordAbsent) != 0 ? 0 : existsFlag) |
      ((flags & recordStorage) != 0 ? storageFlag : 0) |
      ((flags & recordCode) != 0 ? codeFlag : 0),
    accountFlags,
  );
}

/** Longest record: flags, nonce, balance, code hash, incarnation. */
export const longestRecord: u32 = 2 + 8 + 1 + 32 + 32 + 4;

/** Writes the record of an account's present fields and answers its length. */
export function encodeRecord(out: usize, account: usize): u32 {
  const flags = load<u32>(account, accountFlags);
  const incarnation = load<u32>(account, accountIncarnation);
  store<u8>(
    out,
    ((flags & codeFlag) != 0 ? recordCode : 0) |
      ((flags & storageFlag) != 0 ? recordStorage : 0) |
      (incarnation > 0 ? recordWiped : 0) |
      ((flags & existsFlag) != 0 ? 0 : recordAbsent),
  );
  const nonce = load<u64>(account, accountNonce);
  const nonceLength = 8 - (<u32>clz(nonce) >> 3);
  store<u8>(out, nonceLength, 1);
  let at = out + 2;
  for (let left = nonceLength; left > 0; left--) {
    store<u8>(at++, <u8>(nonce >> <u64>((left - 1) << 3)));
  }
  const balanceLength = storeMinimal(at + 1, account + accountBalance);
  store<u8>(at, balanceLength);
  at += 1 + balanceLength;
  if ((flags & codeFlag) != 0) {
    memory.copy(at, account + accountCodeHash, 32);
    at += 32;
  }
  if (incarnation > 0) {
    store<u32>(at, bswap(incarnation));
    at += 4;
  }
  return <u32>(at - out);
}

/** Writes a word as big-endian bytes without leading zeros and answers their number. */
export function storeMinimal(out: usize, word: usize): u32 {
  let length: u32 = 32;
  while (length > 0 && load<u8>(word + length - 1) == 0) length--;
  for (let i: u32 = 0; i < length; i++) store<u8>(out + i, load<u8>(word + length - 1 - i));
  return length;
}

/** The address of an account, 20 raw bytes. */
export function addressOf(account: usize): usize {
  return account;
}

/** Balance in wei, a word; read only. */
export function balanceOf(account: usize): usize {
  return account + accountBalance;
}

/** Nonce. */
export function nonceOf(account: usize): u64 {
  return load<u64>(account, accountNonce);
}

/** Hash of the code, 32 raw bytes; that of the empty string when there is none. */
export function codeHashOf(account: usize): usize {
  return account + accountCodeHash;
}

/** Whether the account is in the state, be it empty. */
export function accountExists(account: usize): bool {
  return (load<u32>(account, accountFlags) & existsFlag) != 0;
}

/** No nonce, no balance, no code (EIP-161). */
export function isEmptyAccount(account: usize): bool {
  return (
    load<u64>(account, accountNonce) == 0 &&
    (load<u32>(account, accountFlags) & codeFlag) == 0 &&
    isZero(account + accountBalance)
  );
}

/** Exists and is not empty (EIP-161's "not dead"). */
export function isAlive(account: usize): bool {
  return accountExists(account) && !isEmptyAccount(account);
}

/** Whether a slot was ever written since the storage was last wiped (EIP-7610). */
export function hasAnyStorage(account: usize): bool {
  return (load<u32>(account, accountFlags) & storageFlag) != 0;
}
