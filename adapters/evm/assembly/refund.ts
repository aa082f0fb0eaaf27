import { journalEntry, refundUndo } from './journal';

/** Refund counter of the running transaction, in gas. */
let counter: i64 = 0;

/** The refund counter. */
export function refund(): i64 {
  return counter;
}

/** Changes the refund counter; a revert undoes it. */
export function addRefund(by: i64): void {
  store<i64>(journalEntry(refundUndo, 0, 8), counter);
  counter += by;
}

/** Sets the refund counter without a note. */
export function setRefund(to: i64): void {
  counter = to;
}
