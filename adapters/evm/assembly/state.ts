// The state as the interpreter and the transaction see it: accounts and slots in a cache that lives
// across transactions, with an undo log for the one that runs.
import { cachedAccounts, forgetAccounts } from './accounts';
import { emptyChanges } from './changes';
import { cachedCodeBytes, forgetCodes } from './code';
import { closeJournal, revertTo } from './journal';
import { emptyLogs } from './logs';
import { nextTransaction, numbersEnd, restartNumbers } from './marks';
import { setRefund } from './refund';
import { cachedSlots, forgetSlots } from './slots';
import { emptyTransient, forgetTransient } from './transient';

export {
  accountExists,
  accountOf,
  accountOfWord,
  addressOf,
  balanceOf,
  codeHashOf,
  hasAnyStorage,
  isAlive,
  isEmptyAccount,
  nonceOf,
} from './accounts';
export {
  removeAccount,
  setBalance,
  setCode,
  setNonce,
  setSlot,
  wipeStorage,
} from './changes';
export { checkpoint, revertTo } from './journal';
export { emitLog } from './logs';
export {
  isCreated,
  isDestroyed,
  isPrecompile,
  isTouched,
  isWarm,
  markCreated,
  markDestroyed,
  recordAccesses,
  touch,
  warmAccount,
  warmSlot,
} from './marks';
export { addRefund, refund } from './refund';
export { slotOf, slotOriginal, slotValue } from './slots';
export { setTransient, transientOf } from './transient';
export { writeSet } from './write-set';

/** Beyond this many cached accounts and slots, or bytes of code, the cache starts anew. */
const entryLimit: u32 = 400_000;
const codeLimit: u32 = 64 << 20;

/** Ends the transaction: what it did stays, its marks are gone. */
export function closeTransaction(): void {
  closeJournal();
  emptyChanges();
  emptyTransient();
  emptyLogs();
  setRefund(0);
  nextTransaction();
}

/** Ends the transaction without a trace. */
export function revertTransaction(): void {
  revertTo(0);
  closeTransaction();
}

/** Drops everything cached: what is below has changed by another way. Between transactions only. */
export function forgetState(): void {
  closeTransaction();
  forgetAccounts();
  forgetSlots();
  forgetCodes();
  forgetTransient();
  restartNumbers();
}

/** Keeps the cache within its limits; between transactions only. */
export function boundCache(): void {
  const entries = cachedAccounts() + cachedSlots();
  if (entries > entryLimit || cachedCodeBytes() > codeLimit || numbersEnd()) forgetState();
}
