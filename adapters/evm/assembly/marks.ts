// What a transaction knows of accounts and slots beside their content: marks that hold its number, so
// that the next transaction finds none without any being taken off.
import {
  accountAccessed,
  accountCreated,
  accountDestroyed,
  accountIndex,
  accountListed,
  accountTouched,
  accountWarm,
} from './accounts';
import { precompileBits } from './environment';
import {
  journalMark,
  markCreatedUndo,
  markDestroyedUndo,
  touchUndo,
  warmAccountUndo,
  warmSlotUndo,
} from './journal';
import { emptyList, listHeader, pushPointer } from './list';
import { slotAccessed, slotWarm } from './slots';

/** Number of the running transaction, or of the next one when none runs; never 0. */
export let transactionNumber: u32 = 1;

/** Accounts that were touched or destroyed, in the order of their first mark. */
export const clearable: usize = memory.data(listHeader, 16);

/** Accounts and slots seen while accesses are recorded: a pointer each, that of a slot plus one. */
export const accessed: usize = memory.data(listHeader, 16);

let recording: bool = false;

/** Beyond this the numbers begin anew, with the cache. */
const lastTransaction: u32 = 0xffff_0000;

/** Whether a mark of long ago could soon be taken for one of today's. */
export function numbersEnd(): bool {
  return transactionNumber > lastTransaction;
}

/** Begins anew with the first number; nothing may hold a mark. */
export function restartNumbers(): void {
  transactionNumber = 1;
}

/** Takes all marks off. */
export function nextTransaction(): void {
  transactionNumber++;
  recording = false;
  emptyList(clearable);
  emptyList(accessed);
}

/** From here on the transaction's accesses are recorded (for eth_createAccessList). */
export function recordAccesses(): void {
  recording = true;
}

/** Whether the address is one of the configured precompiles. */
export function isPrecompile(account: usize): bool {
  const index = load<u32>(account, accountIndex);
  return index < 512 && ((load<u8>(precompileBits + (index >> 3)) >> (index & 7)) & 1) != 0;
}

/** EIP-2929: marks the address and answers whether it was cold. Precompiles never are. */
export function warmAccount(account: usize): bool {
  if (recording) noteAccess(account, accountAccessed, 0);
  if (load<u32>(account, accountWarm) == transactionNumber) return false;
  if (isPrecompile(account)) return false;
  store<u32>(account, transactionNumber, accountWarm);
  journalMark(warmAccountUndo, account);
  return true;
}

/** EIP-2929: whether the address was met; leaves it as it is. */
export function isWarm(account: usize): bool {
  return load<u32>(account, accountWarm) == transactionNumber || isPrecompile(account);
}

/** EIP-2929: marks the slot and answers whether it was cold. */
export function warmSlot(slot: usize): bool {
  if (recording) noteAccess(slot, slotAccessed, 1);
  if (load<u32>(slot, slotWarm) == transactionNumber) return false;
  store<u32>(slot, transactionNumber, slotWarm);
  journalMark(warmSlotUndo, slot);
  return true;
}

function noteAccess(entry: usize, mark: i32, tag: usize): void {
  const at = entry + mark;
  if (load<u32>(at) == transactionNumber) return;
  store<u32>(at, transactionNumber);
  pushPointer(accessed, entry | tag);
}

function list(account: usize): void {
  if (load<u32>(account, accountListed) == transactionNumber) return;
  store<u32>(account, transactionNumber, accountListed);
  pushPointer(clearable, account);
}

/** The address whose touch survives a revert, as mainnet once decided (EIP-161, block 2675119). */
const ripemd: u32 = 3;

/** Marks as touched: removed at the end of the transaction when it is empty (EIP-161). */
export function touch(account: usize): void {
  if (load<u32>(account, accountTouched) == transactionNumber) return;
  store<u32>(account, transactionNumber, accountTouched);
  list(account);
  if (load<u32>(account, accountIndex) != ripemd) journalMark(touchUndo, account);
}

/** Whether the account was touched in this transaction. */
export function isTouched(account: usize): bool {
  return load<u32>(account, accountTouched) == transactionNumber;
}

/** Marks an account made in this transaction (EIP-6780). */
export function markCreated(account: usize): void {
  if (isCreated(account)) return;
  store<u32>(account, transactionNumber, accountCreated);
  journalMark(markCreatedUndo, account);
}

/** Whether the account was made in this transaction. */
export function isCreated(account: usize): bool {
  return load<u32>(account, accountCreated) == transactionNumber;
}

/** Marks an account that SELFDESTRUCT destroyed. */
export function markDestroyed(account: usize): void {
  if (isDestroyed(account)) return;
  store<u32>(account, transactionNumber, accountDestroyed);
  list(account);
  journalMark(markDestroyedUndo, account);
}

/** Whether SELFDESTRUCT destroyed the account in this transaction. */
export function isDestroyed(account: usize): bool {
  return load<u32>(account, accountDestroyed) == transactionNumber;
}
