// Values of EIP-1153, gone with the transaction. A cell of the table is the transaction's number and
// the entry, so that the next transaction finds it empty.
import { allocate, release } from './arena';
import { hashSlot } from './hash';
import { journalEntry, transientUndo } from './journal';
import { transactionNumber } from './marks';
import { newEntry, poolHeader, rewindPool } from './pool';
import { copyWord, equal, zeroWord } from './word';

// Layout of an entry. First the value, a word.
const entryNumber: i32 = 32;
const entryAccount: i32 = 64;
const entryHash: i32 = 68;
const entryBytes: i32 = 80;

const fewest: u32 = 256;
/** A table larger than this many cells is handed back with its transaction. */
const kept: u32 = 1 << 14;

const pool: usize = memory.data(poolHeader, 16);
const zero: usize = memory.data(32, 16);
let cells: usize = 0;
let mask: u32 = 0;
let count: u32 = 0;

/** Takes all values off. */
export function emptyTransient(): void {
  if (count == 0) return;
  count = 0;
  rewindPool(pool);
  if (mask >= kept) {
    release(cells, (mask + 1) << 3);
    cells = 0;
  }
}

/** Drops the table too, with the transactions' numbers in it. */
export function forgetTransient(): void {
  emptyTransient();
  if (cells != 0) release(cells, (mask + 1) << 3);
  cells = 0;
}

/** The value of a slot, a word, read only; good until the next write. */
export function transientOf(account: usize, number: usize): usize {
  if (count == 0) return zero;
  const entry = <usize>load<u32>(cellOf(hashSlot(account, number), account, number), 4);
  return entry == 0 ? zero : entry;
}

/** Writes a value. */
export function setTransient(account: usize, number: usize, value: usize): void {
  if (cells == 0 || (count + 1) << 1 > mask) grow();
  const hash = hashSlot(account, number);
  const cell = cellOf(hash, account, number);
  let entry = <usize>load<u32>(cell, 4);
  if (entry == 0) {
    entry = newEntry(pool, entryBytes);
    zeroWord(entry);
    copyWord(entry + entryNumber, number);
    store<u32>(entry, <u32>account, entryAccount);
    store<u32>(entry, hash, entryHash);
    store<u32>(cell, transactionNumber);
    store<u32>(cell, <u32>entry, 4);
    count++;
  }
  copyWord(journalEntry(transientUndo, entry, 32), entry);
  copyWord(entry, value);
}

/** The cell of a slot: with its entry, or the free one, made empty, where it would go. */
function cellOf(hash: u32, account: usize, number: usize): usize {
  let at = hash & mask;
  while (true) {
    const cell = cells + ((<usize>at) << 3);
    if (load<u32>(cell) != transactionNumber) {
      store<u32>(cell, 0, 4);
      return cell;
    }
    const entry = <usize>load<u32>(cell, 4);
    if (
      load<u32>(entry, entryHash) == hash &&
      <usize>load<u32>(entry, entryAccount) == account &&
      equal(entry + entryNumber, number)
    ) {
      return cell;
    }
    at = (at + 1) & mask;
  }
}

function grow(): void {
  const old = cells;
  const oldCount = old == 0 ? <u32>0 : mask + 1;
  const size = old == 0 ? fewest : oldCount << 1;
  cells = allocate(size << 3);
  mask = size - 1;
  for (let i: u32 = 0; i < oldCount; i++) {
    const from = old + ((<usize>i) << 3);
    if (load<u32>(from) != transactionNumber) continue;
    const entry = <usize>load<u32>(from, 4);
    let at = load<u32>(entry, entryHash) & mask;
    while (load<u32>(cells + ((<usize>at) << 3)) != 0) at = (at + 1) & mask;
    store<u64>(cells + ((<usize>at) << 3), load<u64>(from));
  }
  if (old != 0) release(old, oldCount << 3);
}
