// Entries of one size, in chunks that stay where they are. A pool's header of 16 bytes: chunk in
// use, bytes used of it. A chunk's first word points to the chunk before.
import { allocate, release } from './arena';

/** Bytes of a pool's header. */
export const poolHeader: i32 = 16;

const chunkBytes: u32 = 1 << 16;
const chunkHeader: u32 = 16;

/** A new entry; zeroed unless the pool was rewound. */
export function newEntry(pool: usize, size: u32): usize {
  let chunk = load<u32>(pool);
  let used = load<u32>(pool, 4);
  if (chunk == 0 || used + size > chunkBytes) {
    const fresh = <u32>allocate(chunkBytes);
    store<u32>(fresh, chunk);
    store<u32>(pool, fresh);
    chunk = fresh;
    used = chunkHeader;
  }
  store<u32>(pool, used + size, 4);
  return chunk + used;
}

/** Hands all chunks back. */
export function closePool(pool: usize): void {
  rewindPool(pool);
  const chunk = load<u32>(pool);
  if (chunk != 0) release(chunk, chunkBytes);
  store<u64>(pool, 0);
}

/** Starts over with the first chunk, whose bytes are as they were left. */
export function rewindPool(pool: usize): void {
  let chunk = load<u32>(pool);
  if (chunk == 0) return;
  for (let before = load<u32>(chunk); before != 0; before = load<u32>(chunk)) {
    release(chunk, chunkBytes);
    chunk = before;
  }
  store<u32>(pool, chunk);
  store<u32>(pool, chunkHeader, 4);
}
