// Call frames: one per depth, made when the depth is first reached and used again.
import { allocate, release } from './arena';
import { memoryQuadratic, memoryWordGas, stackBytes } from './gas';
import { fitsU64, isZero, lowU64 } from './word';

// Fields of a frame: offsets in bytes.
/** Whose storage and balance it works on, an account. */
export const atAccount: usize = 0;
/** CALLER, an account. */
export const atCaller: usize = 4;
/** The code it runs. */
export const atCode: usize = 8;
/** First byte of the code. */
export const atCodeBytes: usize = 12;
/** Bytes of the code, u32. */
export const atCodeLength: usize = 16;
/** Bitmap of the JUMPDESTs of the code. */
export const atJumps: usize = 20;
/** First byte of the call data. */
export const atInput: usize = 24;
/** Bytes of the call data, u32. */
export const atInputLength: usize = 28;
/** Where the next operation is, while another frame runs. */
export const atPc: usize = 32;
/** Top word of the stack, while another frame runs. */
export const atSp: usize = 36;
/** The stack grows downwards from here. */
export const atStackHigh: usize = 40;
/** First byte of the memory. */
export const atMemory: usize = 48;
/** Bytes paid for, a multiple of 32. */
export const atMemorySize: usize = 52;
/** Bytes of the block that the memory lies in, u32. */
export const atMemoryCapacity: usize = 56;
/** Bytes of the block that may hold something else than zero. */
export const atMemoryUsed: usize = 60;
/** Gas left, i64, while another frame runs. */
export const atGas: usize = 64;
/** Gas paid for memory so far, i64. */
export const atMemoryGas: usize = 72;
/** First byte of what the last call returned. */
export const atReturnData: usize = 80;
/** RETURNDATASIZE, u32. */
export const atReturnLength: usize = 84;
/** First byte of what the frame itself returns. */
export const atOutput: usize = 88;
/** Bytes of what the frame itself returns, u32. */
export const atOutputLength: usize = 92;
/** Whether nothing may change the state, i32. */
export const atIsStatic: usize = 96;
/** Whether it runs init code, i32. */
export const atIsCreate: usize = 100;
/** Mark of the journal that a failure goes back to, i32. */
export const atCheckpoint: usize = 104;
/** Frames around it, i32: 0 for the outermost. */
export const atDepth: usize = 108;
/** Where the output of the running child goes, in this frame's memory. */
export const atPlace: usize = 112;
/** Most bytes of the output that go there, u32. */
export const atPlaceLength: usize = 116;
/** CALLVALUE, a word. */
export const atValue: usize = 128;
// Of state gas (EIP-8037), i64 each.
/** What it took from the frame's own gas, that of its successful children included. */
export const atSpilled: usize = 160;
/** The reservoir when the frame began. */
export const atReservoir: usize = 168;
/** State gas the transaction had used when the frame began. */
export const atStateUsed: usize = 176;
/** Paid for the account that the running child is to make. */
export const atCharged: usize = 184;
const frameBytes: i32 = 192;

/** Depth of the innermost frame there can be; the outermost has depth 0. */
export const deepest: i32 = 1024;
const firstMemoryBytes: u32 = 4096;
/** A frame keeps a block of up to so many bytes for the next call at its depth. */
const keptMemoryBytes: u32 = 65536;
/** Paid memory of all frames that are open; beyond it a frame is out of gas. */
const memoryLimit: u64 = 1 << 30;

const frames: usize = memory.data(4100, 16);
let made: i32 = 0;
/** Depths opened since the last trim. */
let reached: i32 = 0;
let openMemory: u64 = 0;

/** The frame of a depth, empty and ready for a call. */
export function openFrame(depth: i32): usize {
  const frame = depth < made ? load<usize>(frames + ((<usize>depth) << 2)) : makeFrame(depth);
  if (depth >= reached) reached = depth + 1;
  if (load<u32>(frame, atMemoryCapacity) > keptMemoryBytes) dropMemory(frame);
  store<usize>(frame, load<usize>(frame, atStackHigh), atSp);
  store<u32>(frame, 0, atMemorySize);
  store<i64>(frame, 0, atMemoryGas);
  store<usize>(frame, 0, atReturnData);
  store<i32>(frame, 0, atReturnLength);
  store<usize>(frame, 0, atOutput);
  store<i32>(frame, 0, atOutputLength);
  return frame;
}

/** Counts a frame's memory out; its content stays for whoever reads the output. */
export function closeFrame(frame: usize): void {
  openMemory -= load<u32>(frame, atMemorySize);
}

/** The frame that called this one; 0 for the outermost. */
export function parentOf(frame: usize): usize {
  const depth = load<i32>(frame, atDepth);
  return depth == 0 ? 0 : load<usize>(frames + ((<usize>(depth - 1)) << 2));
}

/** Gives back large memories of the last message; nothing is open. */
export function trimFrames(): void {
  openMemory = 0;
  for (let depth = 0; depth < reached; depth++) {
    const frame = load<usize>(frames + ((<usize>depth) << 2));
    if (load<u32>(frame, atMemoryCapacity) > keptMemoryBytes) dropMemory(frame);
  }
  reached = 0;
}

/** Gives back the memories of all frames, which together are as large as a cache may be. */
export function dropMemories(): void {
  for (let depth = 0; depth < made; depth++) {
    const frame = load<usize>(frames + ((<usize>depth) << 2));
    if (load<u32>(frame, atMemoryCapacity) > 0) dropMemory(frame);
  }
}

function makeFrame(depth: i32): usize {
  const frame = allocate(frameBytes);
  const stack = allocate(stackBytes);
  store<usize>(frame, stack + stackBytes, atStackHigh);
  store<i32>(frame, depth, atDepth);
  store<usize>(frames + ((<usize>depth) << 2), frame);
  made = depth + 1;
  return frame;
}

function dropMemory(frame: usize): void {
  release(load<usize>(frame, atMemory), load<i32>(frame, atMemoryCapacity));
  store<usize>(frame, 0, atMemory);
  store<u32>(frame, 0, atMemoryCapacity);
  store<u32>(frame, 0, atMemoryUsed);
}

/**
 * Pays for a range of memory and opens it. The range is given by two words; of no length it costs
 * nothing, wherever it is. Answers the gas left, or -1 (Yellow Paper, appendix H).
 */
export function payMemory(frame: usize, offset: usize, length: usize, gas: i64): i64 {
  if (isZero(length)) return gas;
  if (!fitsU64(offset) || !fitsU64(length)) return -1;
  const from = lowU64(offset);
  const size = lowU64(length);
  if (from > 0xffff_ffff || size > 0xffff_ffff) return -1;
  const end = from + size;
  return end <= <u64>load<u32>(frame, atMemorySize) ? gas : growMemory(frame, end, gas);
}

/** Pays for memory up to `end` bytes, more than it has, and zeroes it; gas left, or -1. */
export function growMemory(frame: usize, end: u64, gas: i64): i64 {
  const words = <i64>((end + 31) >> 5);
  const total = words * memoryWordGas + (words * words) / memoryQuadratic;
  const cost = total - load<i64>(frame, atMemoryGas);
  if (cost > gas) return -1;
  const size = load<u32>(frame, atMemorySize);
  const bytes = (<u64>words) << 5;
  if (openMemory + bytes - size > memoryLimit) return -1;
  openMemory += bytes - size;
  store<i64>(frame, total, atMemoryGas);
  const grown = <u32>bytes;
  if (grown > load<u32>(frame, atMemoryCapacity)) enlarge(frame, size, grown);
  const used = load<u32>(frame, atMemoryUsed);
  if (size < used) {
    memory.fill(load<usize>(frame, atMemory) + size, 0, (grown < used ? grown : used) - size);
  }
  if (grown > used) store<u32>(frame, grown, atMemoryUsed);
  store<u32>(frame, grown, atMemorySize);
  return gas - cost;
}

/** Moves the memory to a block of at least `needed` bytes. */
function enlarge(frame: usize, size: u32, needed: u32): void {
  const before = load<u32>(frame, atMemoryCapacity);
  let capacity = before == 0 ? firstMemoryBytes : before;
  while (capacity < needed) capacity <<= 1;
  // New blocks are zero beyond what is copied.
  const block = allocate(<i32>capacity);
  if (before > 0) {
    const old = load<usize>(frame, atMemory);
    memory.copy(block, old, size);
    release(old, <i32>before);
  }
  store<usize>(frame, block, atMemory);
  store<u32>(frame, capacity, atMemoryCapacity);
  store<u32>(frame, size, atMemoryUsed);
}
