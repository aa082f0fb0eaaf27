// The undo log. A checkpoint is its length, so it costs nothing; a revert takes entries off the end.
// An entry is what was there before, then 8 bytes: the account, slot or value it belongs to (u32)
// and the kind (u32).
import {
  accountBalance,
  accountCode,
  accountCodeHash,
  accountCreated,
  accountDestroyed,
  accountFlags,
  accountNonce,
  accountTouched,
  accountWarm,
} from './accounts';
import { cutList, emptyList, extendList, listHeader, listLength, listStart } from './list';
import { cutLogs } from './logs';
import { setRefund } from './refund';
import { slotPresent, slotWarm } from './slots';
import { copyWord } from './word';

// Kinds without content.
/** An account became warm. */
export const warmAccountUndo: u32 = 0;
/** A slot became warm. */
export const warmSlotUndo: u32 = 1;
/** An account was touched. */
export const touchUndo: u32 = 2;
/** An account was marked as made. */
export const markCreatedUndo: u32 = 3;
/** An account was marked as destroyed. */
export const markDestroyedUndo: u32 = 4;
// Kinds with content; where an entry's flags are part of it, they are there too.
/** word, u32 flags, padded to 40 */
export const balanceUndo: u32 = 5;
/** u64, u32 flags, padded to 16 */
export const nonceUndo: u32 = 6;
/** u32, padded to 8 */
export const flagsUndo: u32 = 7;
/** 32 bytes, u32 flags, u32 code */
export const codeUndo: u32 = 8;
/** All fields from the nonce to the code, 84 bytes, padded to 88. */
export const accountUndo: u32 = 9;
/** word */
export const slotUndo: u32 = 10;
/** word */
export const transientUndo: u32 = 11;
/** i64 */
export const refundUndo: u32 = 12;
/** u32 bytes, u32 logs */
export const logUndo: u32 = 13;

/** Bytes of the content of each kind. */
const contentBytes: usize = memory.data<u8>([0, 0, 0, 0, 0, 40, 16, 8, 40, 88, 32, 32, 8, 8]);

/** Bytes of an account's fields from the nonce to the code. */
const fieldBytes: usize = 84;

const journal: usize = memory.data(listHeader, 16);

/** A point to come back to within the transaction. */
export function checkpoint(): i32 {
  return listLength(journal);
}

/** Empties the log: nothing can be undone any more. */
export function closeJournal(): void {
  emptyList(journal);
}

/** Notes that a mark was set. */
export function journalMark(kind: u32, target: usize): void {
  const at = extendList(journal, 8);
  store<u32>(at, <u32>target);
  store<u32>(at, kind, 4);
}

/** Adds an entry and answers where its content of `bytes` goes. */
export function journalEntry(kind: u32, target: usize, bytes: u32): usize {
  const at = extendList(journal, bytes + 8);
  store<u32>(at + bytes, <u32>target);
  store<u32>(at + bytes, kind, 4);
  return at;
}

/** Notes all fields of an account. */
export function journalAccount(account: usize): void {
  memory.copy(journalEntry(accountUndo, account, 88), account + accountNonce, fieldBytes);
}

/** Undoes everything since a checkpoint. */
export function revertTo(mark: i32): void {
  const start = listStart(journal);
  let end = start + listLength(journal);
  const stop = start + <usize>mark;
  while (end > stop) {
    const kind = load<u32>(end - 4);
    const content = end - 8 - load<u8>(contentBytes + kind);
    undo(kind, load<u32>(end - 8), content);
    end = content;
  }
  cutList(journal, mark);
}

function undo(kind: u32, target: usize, content: usize): void {
  if (kind == warmAccountUndo) store<u32>(target, 0, accountWarm);
  else if (kind == warmSlotUndo) store<u32>(target, 0, slotWarm);
  else if (kind == slotUndo) copyWord(target + slotPresent, content);
  else if (kind == transientUndo) copyWord(target, content);
  else if (kind == refundUndo) setRefund(load<i64>(content));
  else if (kind == logUndo) cutLogs(load<u32>(content), load<u32>(content, 4));
  else undoAccount(kind, target, content);
}

function undoAccount(kind: u32, account: usize, content: usize): void {
  if (kind == touchUndo) store<u32>(account, 0, accountTouched);
  else if (kind == markCreatedUndo) store<u32>(account, 0, accountCreated);
  else if (kind == markDestroyedUndo) store<u32>(account, 0, accountDestroyed);
  else if (kind == flagsUndo) store<u32>(account, load<u32>(content), accountFlags);
  else if (kind == accountUndo) memory.copy(account + accountNonce, content, fieldBytes);
  else if (kind == nonceUndo) {
    store<u64>(account, load<u64>(content), accountNonce);
    store<u32>(account, load<u32>(content, 8), accountFlags);
  } else {
    store<u32>(account, load<u32>(content, 32), accountFlags);
    if (kind == balanceUndo) {
      copyWord(account + accountBalance, content);
    } else {
      copyWord(account + accountCodeHash, content);
      store<u32>(account, load<u32>(content, 36), accountCode);
    }
  }
}
