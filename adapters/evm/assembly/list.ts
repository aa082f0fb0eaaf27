// Growing lists of pointers and bytes. A list is a header of 16 bytes in a static area: block,
// capacity in bytes, length in bytes.
import { allocate, release } from './arena';

/** Bytes of a list's header. */
export const listHeader: i32 = 16;

/** What a list keeps when it is emptied; a larger block goes back. */
const keptBytes: u32 = 1 << 20;

/** Room for `bytes` more at the end of a list, which then holds them. */
export function extendList(list: usize, bytes: u32): usize {
  const length = load<u32>(list, 8);
  const needed = length + bytes;
  if (needed > load<u32>(list, 4)) growList(list, needed);
  store<u32>(list, needed, 8);
  return <usize>load<u32>(list) + length;
}

function growList(list: usize, needed: u32): void {
  const capacity = load<u32>(list, 4);
  if (needed < load<u32>(list, 8) || needed > 0x7fff_ffff) unreachable();
  let larger = max<u32>(capacity << 1, 4096);
  while (larger < needed) larger <<= 1;
  const block = allocate(larger);
  if (capacity != 0) {
    memory.copy(block, load<u32>(list), load<u32>(list, 8));
    release(load<u32>(list), capacity);
  }
  store<u32>(list, <u32>block);
  store<u32>(list, larger, 4);
}

/** Adds a pointer. */
export function pushPointer(list: usize, pointer: usize): void {
  store<u32>(extendList(list, 4), <u32>pointer);
}

/** First byte of a list's content; moves when the list grows. */
export function listStart(list: usize): usize {
  return load<u32>(list);
}

/** Bytes a list holds. */
export function listLength(list: usize): u32 {
  return load<u32>(list, 8);
}

/** Cuts a list to fewer bytes. */
export function cutList(list: usize, length: u32): void {
  store<u32>(list, length, 8);
}

/** Empties a list; a large block is handed back. */
export function emptyList(list: usize): void {
  store<u32>(list, 0, 8);
  if (load<u32>(list, 4) > keptBytes) {
    release(load<u32>(list), load<u32>(list, 4));
    store<u64>(list, 0);
  }
}
