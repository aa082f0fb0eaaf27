// Storage slots in the cache: one entry per account, incarnation and slot.
import {
  accountChanged,
  accountFlags,
  accountIncarnation,
  storageFlag,
  storedFlags,
  storedIncarnation,
} from './accounts';
import { hashSlot } from './hash';
import { hostSlot } from './host';
import { transactionNumber } from './marks';
import { closePool, newEntry, poolHeader } from './pool';
import { firstCell, insertEntry, nextCell, openTable, tableCount, tableHeader } from './table';
import { copyWord, equal, loadPart, storeBytes } from './word';

// Layout of an entry. First the slot's number, a word.
/** word */
export const slotPresent: i32 = 32;
/** word: value when the transaction began, if it was written since */
export const slotBefore: i32 = 64;
/** u32 */
export const slotAccount: i32 = 96;
/** u32: the incarnation of the account that the entry belongs to */
export const slotIncarnation: i32 = 100;
// Marks: the number of the transaction that set them last.
/** u32 mark: warm (EIP-2929) */
export const slotWarm: i32 = 104;
/** u32 mark: written, and the value before is kept */
export const slotWritten: i32 = 108;
/** u32 mark: in the list of accesses */
export const slotAccessed: i32 = 112;
const slotBytes: i32 = 128;

const table: usize = memory.data(tableHeader, 16);
const pool: usize = memory.data(poolHeader, 16);

/** A slot's key as the host knows it, and the value it writes, with readable bytes before that. */
const key: usize = memory.data(64, 16);
const loaded: usize = memory.data(80, 16) + 32;

/** Drops every slot. */
export function forgetSlots(): void {
  openTable(table);
  closePool(pool);
}

/** Number of slots in the cache. */
export function cachedSlots(): u32 {
  return tableCount(table);
}

/** The slot of an account's present storage; `number` is a word. */
export function slotOf(account: usize, number: usize): usize {
  const hash = hashSlot(account, number);
  const incarnation = load<u32>(account, accountIncarnation);
  let cell = firstCell(table, hash);
  for (let slot = <usize>load<u32>(cell, 4); slot != 0; slot = load<u32>(cell, 4)) {
    if (
      load<u32>(cell) == hash &&
      equal(slot, number) &&
      <usize>load<u32>(slot, slotAccount) == account &&
      load<u32>(slot, slotIncarnation) == incarnation
    ) {
      return slot;
    }
    cell = nextCell(table, cell);
  }
  return loadSlot(hash, account, number);
}

function loadSlot(hash: u32, account: usize, number: usize): usize {
  const slot = newEntry(pool, slotBytes);
  copyWord(slot, number);
  store<u32>(slot, <u32>account, slotAccount);
  store<u32>(slot, load<u32>(account, accountIncarnation), slotIncarnation);
  if (isStored(account)) {
    const length = hostSlot(key, slotKey(key, slot), loaded);
    if (length > 32) unreachable();
    loadPart(slot + slotPresent, loaded, length);
  }
  insertEntry(table, hash, slot);
  return slot;
}

/** Whether the host may have slots of the account's present incarnation. */
function isStored(account: usize): bool {
  if (load<u32>(account, accountChanged) != transactionNumber) {
    return (load<u32>(account, accountFlags) & storageFlag) != 0;
  }
  return (
    (load<u32>(account, storedFlags) & storageFlag) != 0 &&
    load<u32>(account, storedIncarnation) == load<u32>(account, accountIncarnation)
  );
}

/** Writes a slot's key (52 or 56 bytes) and answers its length. */
export function slotKey(out: usize, slot: usize): i32 {
  memory.copy(out, load<u32>(slot, slotAccount), 20);
  const incarnation = load<u32>(slot, slotIncarnation);
  if (incarnation == 0) {
    storeBytes(out + 20, slot);
    return 52;
  }
  store<u32>(out, bswap(incarnation), 20);
  storeBytes(out + 24, slot);
  return 56;
}

/** Present value of a slot, a word; read only. */
export function slotValue(slot: usize): usize {
  return slot + slotPresent;
}

/** Value of a slot when the transaction began, a word; read only. */
export function slotOriginal(slot: usize): usize {
  return load<u32>(slot, slotWritten) == transactionNumber ? slot + slotBefore : slot + slotPresent;
}
