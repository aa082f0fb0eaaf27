// Whether a transaction is under way: it waits for its end, and the cache is bounded only between two.
import { boundCache, revertTransaction } from './state';

/** Whether a transaction waits to be finished or abandoned. */
let isOpen: bool = false;

/** Opens a transaction; one that was left open ends without a trace. */
export function open(): void {
  if (isOpen) abandon();
  boundCache();
  isOpen = true;
}

/** Opens a transaction unless one is open. */
export function join(): void {
  if (!isOpen) open();
}

/** Before a look at the state: keeps the cache within its limits when no transaction is open. */
export function prepareLook(): void {
  if (!isOpen) boundCache();
}

/** Ends the open transaction without a trace. */
export function abandon(): void {
  revertTransaction();
  isOpen = false;
}

/** The open transaction was finished. */
export function setFinished(): void {
  isOpen = false;
}
