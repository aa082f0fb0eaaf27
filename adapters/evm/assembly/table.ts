// Open addressing over entries that never move. A cell is the entry's hash and its pointer; the table
// itself grows by placing its cells anew. A table's header of 16 bytes: cells, mask, entries.
import { allocate, release } from './arena';

/** Bytes of a table's header. */
export const tableHeader: i32 = 16;

/** Cells of an empty table. */
const fewest: u32 = 1024;

/** Empties a table. Its entries are the pool's concern. */
export function openTable(table: usize): void {
  const cells = load<u32>(table);
  if (cells != 0) release(cells, (load<u32>(table, 4) + 1) << 3);
  store<u32>(table, <u32>allocate(fewest << 3));
  store<u32>(table, fewest - 1, 4);
  store<u32>(table, 0, 8);
}

/** The first cell to look at for a hash. */
export function firstCell(table: usize, hash: u32): usize {
  return <usize>load<u32>(table) + ((<usize>(hash & load<u32>(table, 4))) << 3);
}

/** The cell behind one; the last is followed by the first. */
export function nextCell(table: usize, cell: usize): usize {
  const cells = <usize>load<u32>(table);
  return cells + ((cell - cells + 8) & (((<usize>load<u32>(table, 4)) << 3) | 7));
}

/** Adds an entry that is not in the table. At most half of the cells are taken. */
export function insertEntry(table: usize, hash: u32, entry: usize): void {
  const count = load<u32>(table, 8) + 1;
  if (count << 1 > load<u32>(table, 4)) growTable(table);
  store<u32>(table, count, 8);
  place(table, hash, entry);
}

function place(table: usize, hash: u32, entry: usize): void {
  let cell = firstCell(table, hash);
  while (load<u32>(cell, 4) != 0) cell = nextCell(table, cell);
  store<u32>(cell, hash);
  store<u32>(cell, <u32>entry, 4);
}

function growTable(table: usize): void {
  const old = <usize>load<u32>(table);
  const bytes = (load<u32>(table, 4) + 1) << 3;
  store<u32>(table, <u32>allocate(bytes << 1));
  store<u32>(table, (bytes >> 2) - 1, 4);
  const end = old + bytes;
  for (let cell = old; cell < end; cell += 8) {
    const entry = load<u32>(cell, 4);
    if (entry != 0) place(table, load<u32>(cell), entry);
  }
  release(old, bytes);
}

/** Entries in a table. */
export function tableCount(table: usize): u32 {
  return load<u32>(table, 8);
}
