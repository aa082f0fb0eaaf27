// Precompiles whose price leaves no time for JavaScript's integers: a module of its own, so that
// they can be used and measured without the engine.

export { keccak256 } from '../keccak';
export { blake2Compress } from './blake2';
export { montgomeryPower } from './montgomery';
export { truncatedPower } from './truncated';

/** First byte that no static area takes; 16-aligned. */
const start: usize = (__heap_base + 15) & ~15;

/** Room for so many bytes, always at the same place. */
export function room(bytes: i32): usize {
  const pages = <i32>((start + <usize>bytes + 0xffff) >> 16);
  const missing = pages - memory.size();
  if (missing > 0 && memory.grow(missing) < 0) unreachable();
  return start;
}
