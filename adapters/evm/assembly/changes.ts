// Changes to accounts and slots. Each notes what was there before, once for the write set and each
// time for a revert.
import {
  accountBalance,
  accountChanged,
  accountCode,
  accountCodeHash,
  accountFlags,
  accountIncarnation,
  accountNonce,
  codeFlag,
  emptyCodeHash,
  existsFlag,
  storageFlag,
  storedBalance,
  storedCodeHash,
  storedFlags,
  storedIncarnation,
  storedNonce,
} from './accounts';
import { emptyCode, rememberCode } from './code';
import {
  balanceUndo,
  codeUndo,
  flagsUndo,
  journalAccount,
  journalEntry,
  nonceUndo,
  slotUndo,
} from './journal';
import { keccak256 } from './keccak';
import { emptyList, listHeader, pushPointer } from './list';
import { transactionNumber } from './marks';
import { slotAccount, slotBefore, slotPresent, slotWritten } from './slots';
import { copyWord, equal, zeroWord } from './word';

/** Accounts whose fields the transaction wrote, in the order of their first write. */
export const changedAccounts: usize = memory.data(listHeader, 16);

/** Slots that the transaction wrote, in the order of their first write. */
export const writtenSlots: usize = memory.data(listHeader, 16);

const hash: usize = memory.data(32, 16);

/** Starts a new write set. */
export function emptyChanges(): void {
  emptyList(changedAccounts);
  emptyList(writtenSlots);
}

/** Keeps what is stored of the account, when this is its first change in the transaction. */
function willChange(account: usize): void {
  if (load<u32>(account, accountChanged) == transactionNumber) return;
  store<u32>(account, transactionNumber, accountChanged);
  store<u32>(account, load<u32>(account, accountFlags), storedFlags);
  store<u32>(account, load<u32>(account, accountIncarnation), storedIncarnation);
  store<u64>(account, load<u64>(account, accountNonce), storedNonce);
  copyWord(account + storedBalance, account + accountBalance);
  copyWord(account + storedCodeHash, account + accountCodeHash);
  pushPointer(changedAccounts, account);
}

/** Makes the account exist and gives it a balance (a word). */
export function setBalance(account: usize, balance: usize): void {
  const flags = load<u32>(account, accountFlags);
  if ((flags & existsFlag) != 0 && equal(account + accountBalance, balance)) return;
  willChange(account);
  const before = journalEntry(balanceUndo, account, 40);
  copyWord(before, account + accountBalance);
  store<u32>(before, flags, 32);
  store<u32>(account, flags | existsFlag, accountFlags);
  copyWord(account + accountBalance, balance);
}

/** Makes the account exist and gives it a nonce. */
export function setNonce(account: usize, nonce: u64): void {
  willChange(account);
  const flags = load<u32>(account, accountFlags);
  const before = journalEntry(nonceUndo, account, 16);
  store<u64>(before, load<u64>(account, accountNonce));
  store<u32>(before, flags, 8);
  store<u32>(account, flags | existsFlag, accountFlags);
  store<u64>(account, nonce, accountNonce);
}

/** Makes the account exist and gives it code; none when `length` is 0. */
export function setCode(account: usize, bytes: usize, length: i32): void {
  willChange(account);
  const flags = load<u32>(account, accountFlags);
  const before = journalEntry(codeUndo, account, 40);
  copyWord(before, account + accountCodeHash);
  store<u32>(before, flags, 32);
  store<u32>(before, load<u32>(account, accountCode), 36);
  if (length == 0) {
    store<u32>(account, (flags | existsFlag) & ~codeFlag, accountFlags);
    copyWord(account + accountCodeHash, emptyCodeHash);
    store<u32>(account, <u32>emptyCode, accountCode);
    return;
  }
  keccak256(hash, bytes, length);
  store<u32>(account, flags | existsFlag | codeFlag, accountFlags);
  copyWord(account + accountCodeHash, hash);
  store<u32>(account, <u32>rememberCode(hash, bytes, length), accountCode);
}

/** Removes the account with its code and storage. */
export function removeAccount(account: usize): void {
  const flags = load<u32>(account, accountFlags);
  if ((flags & (existsFlag | storageFlag)) == 0) return;
  wipeStorage(account);
  willChange(account);
  journalAccount(account);
  store<u32>(account, 0, accountFlags);
  store<u64>(account, 0, accountNonce);
  zeroWord(account + accountBalance);
  copyWord(account + accountCodeHash, emptyCodeHash);
  store<u32>(account, <u32>emptyCode, accountCode);
}

/** Empties the storage, however large, by starting a new incarnation. */
export function wipeStorage(account: usize): void {
  const flags = load<u32>(account, accountFlags);
  if ((flags & storageFlag) == 0) return;
  willChange(account);
  journalAccount(account);
  store<u32>(account, flags & ~storageFlag, accountFlags);
  store<u32>(account, load<u32>(account, accountIncarnation) + 1, accountIncarnation);
}

/** Writes a slot. */
export function setSlot(slot: usize, value: usize): void {
  const present = slot + slotPresent;
  if (equal(present, value)) return;
  const account = <usize>load<u32>(slot, slotAccount);
  const flags = load<u32>(account, accountFlags);
  if ((flags & storageFlag) == 0) {
    willChange(account);
    store<u32>(journalEntry(flagsUndo, account, 8), flags);
    store<u32>(account, flags | storageFlag, accountFlags);
  }
  if (load<u32>(slot, slotWritten) != transactionNumber) {
    store<u32>(slot, transactionNumber, slotWritten);
    copyWord(slot + slotBefore, present);
    pushPointer(writtenSlots, slot);
  }
  copyWord(journalEntry(slotUndo, slot, 32), present);
  copyWord(present, value);
}
