// Operations on ranges of memory. Each is given its frame, where its operands lie (the first at
// `sp`, each next one 32 bytes above) and the gas left after its base fee; it answers the gas left
// after it, or the negative number of a failure.
import { returnDataBounds } from './failures';
import {
  atAccount,
  atCodeBytes,
  atCodeLength,
  atInput,
  atInputLength,
  atMemory,
  atOutput,
  atOutputLength,
  atReturnData,
  atReturnLength,
  payMemory,
} from './frame';
import { copyWordGas, keccakWordGas, logByteGas, logTopicGas } from './gas';
import { keccak256 } from './keccak';
import { emitLog } from './logs';
import { below, fitsU64, isZero, loadBytes, lowU64 } from './word';

/** KECCAK256: offset, length; the hash takes the place of the length. */
export function hashMemory(frame: usize, sp: usize, before: i64): i64 {
  let gas = payMemory(frame, sp, sp + 32, before);
  if (gas < 0) return gas;
  const length = lowU64(sp + 32);
  gas -= keccakWordGas * <i64>((length + 31) >> 5);
  if (gas < 0) return -1;
  const from: usize = length == 0 ? 0 : load<usize>(frame, atMemory) + <usize>lowU64(sp);
  keccak256(sp + 32, from, <i32>length);
  loadBytes(sp + 32, sp + 32);
  return gas;
}

/** Copies bytes of a source into memory (to, from, length); past its end they are zero. */
function copyFrom(frame: usize, sp: usize, before: i64, source: usize, size: u32): i64 {
  let gas = payMemory(frame, sp, sp + 64, before);
  if (gas < 0) return gas;
  const length = lowU64(sp + 64);
  gas -= copyWordGas * <i64>((length + 31) >> 5);
  if (gas < 0) return -1;
  if (length == 0) return gas;
  const from: u64 = fitsU64(sp + 32) ? lowU64(sp + 32) : u64.MAX_VALUE;
  const to = load<usize>(frame, atMemory) + <usize>lowU64(sp);
  const there: u64 = from < size ? size - from : 0;
  const copied = there < length ? there : length;
  if (copied > 0) memory.copy(to, source + <usize>from, <usize>copied);
  if (copied < length) memory.fill(to + <usize>copied, 0, <usize>(length - copied));
  return gas;
}

/** CALLDATACOPY. */
export function copyInput(frame: usize, sp: usize, gas: i64): i64 {
  return copyFrom(frame, sp, gas, load<usize>(frame, atInput), load<u32>(frame, atInputLength));
}

/** CODECOPY. */
export function copyCode(frame: usize, sp: usize, gas: i64): i64 {
  return copyFrom(frame, sp, gas, load<usize>(frame, atCodeBytes), load<u32>(frame, atCodeLength));
}

/** EXTCODECOPY behind the address: to, from, length. */
export function copyForeign(frame: usize, sp: usize, gas: i64, code: usize, length: i32): i64 {
  return copyFrom(frame, sp, gas, code, <u32>length);
}

/** RETURNDATACOPY: unlike other sources, it has nothing past its end (EIP-211). */
export function copyReturned(frame: usize, sp: usize, gas: i64): i64 {
  const size = load<u32>(frame, atReturnLength);
  if (!fitsU64(sp + 32) || !fitsU64(sp + 64)) return -returnDataBounds;
  const from = lowU64(sp + 32);
  const length = lowU64(sp + 64);
  if (from > size || length > size - from) return -returnDataBounds;
  return copyFrom(frame, sp, gas, load<usize>(frame, atReturnData), size);
}

/** MCOPY: to, from, length (EIP-5656). */
export function moveMemory(frame: usize, sp: usize, before: i64): i64 {
  const reach = below(sp, sp + 32) ? sp + 32 : sp;
  let gas = payMemory(frame, reach, sp + 64, before);
  if (gas < 0) return gas;
  const length = lowU64(sp + 64);
  gas -= copyWordGas * <i64>((length + 31) >> 5);
  if (gas < 0) return -1;
  if (length == 0) return gas;
  const base = load<usize>(frame, atMemory);
  memory.copy(base + <usize>lowU64(sp), base + <usize>lowU64(sp + 32), <usize>length);
  return gas;
}

/** LOG0 to LOG4: offset, length, topics. */
export function logMemory(frame: usize, sp: usize, before: i64, topics: i32): i64 {
  let gas = payMemory(frame, sp, sp + 32, before);
  if (gas < 0) return gas;
  const length = lowU64(sp + 32);
  gas -= logTopicGas * topics + logByteGas * <i64>length;
  if (gas < 0) return -1;
  const from: usize = length == 0 ? 0 : load<usize>(frame, atMemory) + <usize>lowU64(sp);
  emitLog(load<usize>(frame, atAccount), sp + 64, topics, from, <i32>length);
  return gas;
}

/** RETURN and REVERT: offset, length. */
export function setOutput(frame: usize, sp: usize, before: i64): i64 {
  const gas = payMemory(frame, sp, sp + 32, before);
  if (gas < 0 || isZero(sp + 32)) return gas;
  store<usize>(frame, load<usize>(frame, atMemory) + <usize>lowU64(sp), atOutput);
  store<u32>(frame, <u32>lowU64(sp + 32), atOutputLength);
  return gas;
}
