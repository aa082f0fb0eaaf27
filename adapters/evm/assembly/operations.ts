// The operations that are called rather than written into the loop. Operands lie from `sp` upwards;
// the result takes the place of the last of them, or comes below `sp` when there are none. Answers
// the gas left, or the negative number of a failure.
import {
  baseFeeWord,
  blobBaseFeeWord,
  blockGasLimitAt,
  blockNumberAt,
  chainIdWord,
  coinbaseWord,
  gasPriceWord,
  originWord,
  randomWord,
  slotNumberAt,
  timestampAt,
} from './environment';
import { staticChange } from './failures';
import { atAccount, atCaller, atCodeLength, atIsStatic, atReturnLength, atValue } from './frame';
import { expByteGas } from './gas';
import { copyCode, copyInput, copyReturned, logMemory, moveMemory } from './operations-memory';
import {
  copyForeignCode,
  loadTransient,
  readBalance,
  readBlobHash,
  readBlockHash,
  readCodeHash,
  readCodeSize,
  storeTransient,
} from './operations-state';
import { selfDestruct } from './selfdestruct';
import { addressOf, balanceOf } from './state';
import {
  addmod,
  byteAt,
  byteLength,
  copyWord,
  exp,
  clz as leadingZeros,
  loadAddress,
  mod,
  mulmod,
  sar,
  sdiv,
  setU64,
  signedBelow,
  signextend,
  smod,
  xor,
} from './word';

/** Runs one of the operations that the loop does not contain. */
export function operate(operation: i32, frame: usize, sp: usize, gas: i64): i64 {
  if (operation < 0x30) return compute(operation, sp, gas);
  if (operation < 0x40) return readSurroundings(operation, frame, sp, gas);
  if (operation < 0x50) return readBlock(operation, frame, sp, gas);
  if (operation == 0x5c) loadTransient(frame, sp);
  else if (operation == 0x5e) return moveMemory(frame, sp, gas);
  else {
    if (load<i32>(frame, atIsStatic) != 0) return -staticChange;
    if (operation == 0xff) return selfDestruct(frame, sp, gas);
    if (operation != 0x5d) return logMemory(frame, sp, gas, operation - 0xa0);
    storeTransient(frame, sp);
  }
  return gas;
}

function compute(operation: i32, sp: usize, gas: i64): i64 {
  const second = sp + 32;
  const third = sp + 64;
  switch (operation) {
    case 0x05:
      sdiv(second, sp, second);
      break;
    case 0x06:
      mod(second, sp, second);
      break;
    case 0x07:
      smod(second, sp, second);
      break;
    case 0x08:
      addmod(third, sp, second, third);
      break;
    case 0x09:
      mulmod(third, sp, second, third);
      break;
    case 0x0a:
      return raise(sp, gas);
    case 0x0b:
      signextend(second, sp, second);
      break;
    case 0x12:
      setU64(second, u64(signedBelow(sp, second)));
      break;
    case 0x13:
      setU64(second, u64(signedBelow(second, sp)));
      break;
    case 0x18:
      xor(second, sp, second);
      break;
    case 0x1a:
      byteAt(second, sp, second);
      break;
    case 0x1d:
      sar(second, sp, second);
      break;
    case 0x1e:
      leadingZeros(sp, sp);
      break;
  }
  return gas;
}

/** EXP: base, exponent. */
function raise(sp: usize, before: i64): i64 {
  const gas = before - expByteGas * <i64>byteLength(sp + 32);
  if (gas < 0) return -1;
  exp(sp + 32, sp, sp + 32);
  return gas;
}

function readSurroundings(operation: i32, frame: usize, sp: usize, gas: i64): i64 {
  const below = sp - 32;
  switch (operation) {
    case 0x30:
      loadAddress(below, addressOf(load<usize>(frame, atAccount)));
      break;
    case 0x31:
      return readBalance(sp, gas);
    case 0x32:
      copyWord(below, originWord);
      break;
    case 0x33:
      loadAddress(below, addressOf(load<usize>(frame, atCaller)));
      break;
    case 0x34:
      copyWord(below, frame + atValue);
      break;
    case 0x37:
      return copyInput(frame, sp, gas);
    case 0x38:
      setU64(below, <u64>load<u32>(frame, atCodeLength));
      break;
    case 0x39:
      return copyCode(frame, sp, gas);
    case 0x3a:
      copyWord(below, gasPriceWord);
      break;
    case 0x3b:
      return readCodeSize(sp, gas);
    case 0x3c:
      return copyForeignCode(frame, sp, gas);
    case 0x3d:
      setU64(below, <u64>load<u32>(frame, atReturnLength));
      break;
    case 0x3e:
      return copyReturned(frame, sp, gas);
    case 0x3f:
      return readCodeHash(sp, gas);
  }
  return gas;
}

function readBlock(operation: i32, frame: usize, sp: usize, gas: i64): i64 {
  const below = sp - 32;
  switch (operation) {
    case 0x40:
      readBlockHash(sp);
      break;
    case 0x41:
      copyWord(below, coinbaseWord);
      break;
    case 0x42:
      setU64(below, load<u64>(timestampAt));
      break;
    case 0x43:
      setU64(below, load<u64>(blockNumberAt));
      break;
    case 0x44:
      copyWord(below, randomWord);
      break;
    case 0x45:
      setU64(below, load<u64>(blockGasLimitAt));
      break;
    case 0x46:
      copyWord(below, chainIdWord);
      break;
    case 0x47:
      copyWord(below, balanceOf(load<usize>(frame, atAccount)));
      break;
    case 0x48:
      copyWord(below, baseFeeWord);
      break;
    case 0x49:
      readBlobHash(sp);
      break;
    case 0x4a:
      copyWord(below, blobBaseFeeWord);
      break;
    case 0x4b:
      setU64(below, load<u64>(slotNumberAt));
      break;
  }
  return gas;
}
