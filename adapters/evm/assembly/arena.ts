// Memory of the engine above its static areas: blocks of powers of two, recycled by size. What grows
// (frames' memories, tables, codes) hands its old block back, so the next one of that size takes it.

/** Sizes from 16 bytes (class 4) to 2 GiB (class 31). */
const smallestClass: i32 = 4;
const largestClass: i32 = 31;
const pageShift: i32 = 16;

/** First free block of each class; a free block's first word points to the next one. */
const freeBlocks: usize = memory.data(128, 16);

/** Where memory begins that was never handed out; it is zero. */
let top: usize = 0;

/** Bytes in blocks handed out. */
let held: u32 = 0;

/** The class of a size: the exponent of the power of two that holds it. */
function classOf(bytes: i32): i32 {
  return bytes <= 1 << smallestClass ? smallestClass : 32 - clz<i32>(bytes - 1);
}

/**
 * A block of at least that many bytes: zeroed, aligned to 16, unmoved until it is released. A size
 * that memory cannot hold is a trap, which ends the instance's work.
 */
export function allocate(bytes: i32): usize {
  const sizeClass = classOf(bytes);
  if (bytes < 0 || sizeClass > largestClass) unreachable();
  const size: usize = (<usize>1) << sizeClass;
  const list = freeBlocks + ((<usize>sizeClass) << 2);
  const free = load<u32>(list);
  held += <u32>size;
  if (free != 0) {
    store<u32>(list, load<u32>(free));
    memory.fill(free, 0, size);
    return free;
  }
  return extend(size);
}

/** Takes memory that was never used, growing the instance's when it ends. */
function extend(size: usize): usize {
  if (top == 0) top = (__heap_base + 15) & ~15;
  const block = top;
  const end = <u64>block + <u64>size;
  const available = (<u64>memory.size()) << pageShift;
  if (end > available) {
    const missing = <i32>((end - available + 0xffff) >> pageShift);
    // Growth is what costs, so it goes by an eighth of what there is at least.
    const eighth = memory.size() >> 3;
    if (missing >= eighth || memory.grow(eighth) < 0) {
      if (memory.grow(missing) < 0) unreachable();
    }
  }
  top = <usize>end;
  return block;
}

/** Hands back a block of {@link allocate}; `bytes` is what was asked for. */
export function release(block: usize, bytes: i32): void {
  const sizeClass = classOf(bytes);
  const list = freeBlocks + ((<usize>sizeClass) << 2);
  store<u32>(block, load<u32>(list));
  store<u32>(list, <u32>block);
  held -= 1 << sizeClass;
}

/** Bytes in blocks handed out and not released. */
export function heldBytes(): i32 {
  return held;
}
