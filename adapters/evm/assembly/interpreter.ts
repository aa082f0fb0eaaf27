// The loop that runs code. Position, top of the stack, gas and memory of the running frame are
// locals; they go to the frame when another one takes over. The stack grows downwards: the top word
// is at `sp`, the next one 32 bytes above, so that operands have constant offsets.
import { beginCall, beginCreate, endFrame, requestFailure } from './calls';
import { moveDeep } from './deep-stack';
import { constantinople, revision } from './environment';
import { failed, invalidJump, outOfGas, reverted, staticChange, succeeded } from './failures';
import {
  atCodeBytes,
  atCodeLength,
  atGas,
  atInputLength,
  atIsStatic,
  atJumps,
  atMemory,
  atMemorySize,
  atPc,
  atSp,
  atStackHigh,
  growMemory,
} from './frame';
import { operationTable, stackBytes } from './gas';
import { operate } from './operations';
import { hashMemory, setOutput } from './operations-memory';
import { loadInput, loadSlot, storeSlot } from './operations-state';
import { refusal } from './refusal';
import {
  addTop,
  andTop,
  areEqual,
  duplicate,
  exchange,
  isBelow,
  isNothing,
  isShort,
  notTop,
  orTop,
  putMask,
  putU64,
  subTop,
  turn,
} from './stack';
import { div, loadPart, mul, shl, shr } from './word';

/** No outcome of a comparison. */
const none: u64 = 2;

/** 6001600160a01b03: what Solidity writes for the mask of an address, 2^160 - 1. */
const makesMask: u64 = 0x031b_a060_0160_0160;

/** Whether there is gas, stack and SHL for it once the first PUSH1 is done. */
function canMask(gas: i64, used: usize): bool {
  return gas >= 12 && used <= <usize>stackBytes - 64 && revision >= constantinople;
}

/** Whether a position is a JUMPDEST. */
function isDestination(frame: usize, to: u64): bool {
  if (to >= <u64>load<u32>(frame, atCodeLength)) return false;
  const bits = <u32>load<u8>(load<usize>(frame, atJumps) + (<usize>to >> 3));
  return ((bits >> (<u32>to & 7)) & 1) != 0;
}

/** Runs a frame and all it calls, until the outermost one has ended. */
export function run(outermost: usize): void {
  let frame = outermost;
  let pc = load<usize>(frame, atPc);
  let sp = load<usize>(frame, atSp);
  let gas = load<i64>(frame, atGas);
  let high = load<usize>(frame, atStackHigh);
  let code = load<usize>(frame, atCodeBytes);
  let base = load<usize>(frame, atMemory);
  let size = <u64>load<u32>(frame, atMemorySize);
  for (;;) {
    const operation = <i32>load<u8>(pc);
    const entry = load<u64>(operationTable + ((<usize>operation) << 3));
    pc++;
    gas -= <i64>(entry & 0xffff);
    const change = <i32>(<i64>entry >> 48);
    // The frame that goes on when this one asks for another; 0 when it ends.
    let next: usize = 0;
    let halt: i32 = failed;
    let error: i32 = outOfGas;
    // Outcome of a comparison, 0 or 1.
    let verdict: u64 = none;
    const spare = <u32>(high - sp) - (<u32>(entry >> 16) & 0xffff);
    if (u32(gas < 0) | u32(spare > (<u32>(entry >> 32) & 0xffff))) {
      error = refusal(operation, gas, sp, high);
    } else {
      switch (operation) {
        case 0x00: {
          halt = succeeded;
          error = 0;
          break;
        }
        case 0x01: {
          addTop(sp);
          sp += 32;
          continue;
        }
        case 0x02: {
          mul(sp + 32, sp, sp + 32);
          sp += 32;
          continue;
        }
        case 0x03: {
          subTop(sp);
          sp += 32;
          continue;
        }
        case 0x04: {
          div(sp + 32, sp, sp + 32);
          sp += 32;
          continue;
        }
        case 0x10: {
          verdict = isBelow(sp, sp + 32);
          sp += 32;
          break;
        }
        case 0x11: {
          verdict = isBelow(sp + 32, sp);
          sp += 32;
          break;
        }
        case 0x14: {
          verdict = areEqual(sp);
          sp += 32;
          break;
        }
        case 0x15: {
          verdict = u64(isNothing(sp));
          break;
        }
        case 0x16: {
          andTop(sp);
          sp += 32;
          continue;
        }
        case 0x17: {
          orTop(sp);
          sp += 32;
          continue;
        }
        case 0x19: {
          notTop(sp);
          continue;
        }
        case 0x1b: {
          shl(sp + 32, sp, sp + 32);
          sp += 32;
          continue;
        }
        case 0x1c: {
          shr(sp + 32, sp, sp + 32);
          sp += 32;
          continue;
        }
        case 0x20: {
          gas = hashMemory(frame, sp, gas);
          if (gas < 0) break;
          sp += 32;
          base = load<usize>(frame, atMemory);
          size = <u64>load<u32>(frame, atMemorySize);
          continue;
        }
        case 0x35: {
          loadInput(frame, sp);
          continue;
        }
        case 0x36: {
          sp -= 32;
          putU64(sp, <u64>load<u32>(frame, atInputLength));
          continue;
        }
        case 0x50: {
          sp += 32;
          if (load<u8>(pc) == 0x50 && sp < high && gas >= 2) {
            gas -= 2;
            sp += 32;
            pc++;
          }
          continue;
        }
        case 0x51: {
          if (!isShort(sp)) break;
          const offset = load<u64>(sp);
          if (offset + 32 > size) {
            gas = growMemory(frame, offset + 32, gas);
            if (gas < 0) break;
            base = load<usize>(frame, atMemory);
            size = <u64>load<u32>(frame, atMemorySize);
          }
          turn(sp, base + <usize>offset);
          continue;
        }
        case 0x52: {
          if (!isShort(sp)) break;
          const offset = load<u64>(sp);
          if (offset + 32 > size) {
            gas = growMemory(frame, offset + 32, gas);
            if (gas < 0) break;
            base = load<usize>(frame, atMemory);
            size = <u64>load<u32>(frame, atMemorySize);
          }
          turn(base + <usize>offset, sp + 32);
          sp += 64;
          continue;
        }
        case 0x53: {
          if (!isShort(sp)) break;
          const offset = load<u64>(sp);
          if (offset + 1 > size) {
            gas = growMemory(frame, offset + 1, gas);
            if (gas < 0) break;
            base = load<usize>(frame, atMemory);
            size = <u64>load<u32>(frame, atMemorySize);
          }
          store<u8>(base + <usize>offset, load<u8>(sp, 32));
          sp += 64;
          continue;
        }
        case 0x54: {
          gas = loadSlot(frame, sp, gas);
          if (gas < 0) break;
          continue;
        }
        case 0x55: {
          if (load<i32>(frame, atIsStatic) != 0) {
            error = staticChange;
            break;
          }
          gas = storeSlot(frame, sp, gas);
          if (gas < 0) break;
          sp += 64;
          continue;
        }
        case 0x56:
        case 0x57: {
          const to = load<u64>(sp);
          const far = load<u64>(sp, 8) | load<u64>(sp, 16) | load<u64>(sp, 24);
          const passes = operation == 0x57 && isNothing(sp + 32);
          sp += <usize>change;
          if (passes) continue;
          if (far != 0 || !isDestination(frame, to)) {
            error = invalidJump;
            break;
          }
          // Behind the JUMPDEST, whose gas the next operation finds missing.
          gas -= 1;
          pc = code + <usize>to + 1;
          continue;
        }
        case 0x58: {
          sp -= 32;
          putU64(sp, <u64>(pc - code - 1));
          continue;
        }
        case 0x59: {
          sp -= 32;
          putU64(sp, size);
          continue;
        }
        case 0x5a: {
          sp -= 32;
          putU64(sp, <u64>gas);
          continue;
        }
        case 0x5b: {
          continue;
        }
        case 0x5f: {
          sp -= 32;
          putU64(sp, 0);
          continue;
        }
        case 0x60: {
          sp -= 32;
          if (load<u64>(pc - 1) == makesMask && canMask(gas, high - sp)) {
            gas -= 12;
            pc += 7;
            putMask(sp);
            continue;
          }
          putU64(sp, <u64>load<u8>(pc));
          pc++;
          continue;
        }
        case 0x61: {
          const number = <u64>bswap(load<u16>(pc));
          const follower = <i32>load<u8>(pc, 2);
          if (follower == 0x57 && sp < high && gas >= 10) {
            gas -= 10;
            const passes = isNothing(sp);
            sp += 32;
            if (passes) {
              pc += 3;
              continue;
            }
          } else if (follower == 0x56 && gas >= 8) {
            gas -= 8;
          } else {
            sp -= 32;
            putU64(sp, number);
            pc += 2;
            continue;
          }
          if (!isDestination(frame, number)) {
            error = invalidJump;
            break;
          }
          gas -= 1;
          pc = code + <usize>number + 1;
          continue;
        }
        case 0x62:
        case 0x63:
        case 0x64:
        case 0x65:
        case 0x66:
        case 0x67: {
          const width = <usize>(operation - 0x5f);
          sp -= 32;
          putU64(sp, bswap(load<u64>(pc)) >> (64 - ((<u64>width) << 3)));
          pc += width;
          continue;
        }
        case 0x68:
        case 0x69:
        case 0x6a:
        case 0x6b:
        case 0x6c:
        case 0x6d:
        case 0x6e:
        case 0x6f:
        case 0x70:
        case 0x71:
        case 0x72:
        case 0x73:
        case 0x74:
        case 0x75:
        case 0x76:
        case 0x77:
        case 0x78:
        case 0x79:
        case 0x7a:
        case 0x7b:
        case 0x7c:
        case 0x7d:
        case 0x7e: {
          const width = operation - 0x5f;
          sp -= 32;
          loadPart(sp, pc, width);
          pc += <usize>width;
          continue;
        }
        case 0x7f: {
          sp -= 32;
          turn(sp, pc);
          pc += 32;
          continue;
        }
        case 0x80:
        case 0x81:
        case 0x82:
        case 0x83:
        case 0x84:
        case 0x85:
        case 0x86:
        case 0x87:
        case 0x88:
        case 0x89:
        case 0x8a:
        case 0x8b:
        case 0x8c:
        case 0x8d:
        case 0x8e:
        case 0x8f: {
          const from = sp + ((<usize>(operation - 0x80)) << 5);
          sp -= 32;
          duplicate(sp, from);
          continue;
        }
        case 0x90:
        case 0x91:
        case 0x92:
        case 0x93:
        case 0x94:
        case 0x95:
        case 0x96:
        case 0x97:
        case 0x98:
        case 0x99:
        case 0x9a:
        case 0x9b:
        case 0x9c:
        case 0x9d:
        case 0x9e:
        case 0x9f: {
          exchange(sp, sp + ((<usize>(operation - 0x8f)) << 5));
          continue;
        }
        case 0xe6: {
          error = moveDeep(operation, load<u8>(pc), sp, high);
          if (error != 0) break;
          pc++;
          sp -= 32;
          continue;
        }
        case 0xe7:
        case 0xe8: {
          error = moveDeep(operation, load<u8>(pc), sp, high);
          if (error != 0) break;
          pc++;
          continue;
        }
        case 0xf0:
        case 0xf5: {
          store<usize>(frame, pc, atPc);
          next = beginCreate(frame, operation, sp, gas);
          error = requestFailure;
          break;
        }
        case 0xf1:
        case 0xf2:
        case 0xf4:
        case 0xfa: {
          store<usize>(frame, pc, atPc);
          next = beginCall(frame, operation, sp, gas);
          error = requestFailure;
          break;
        }
        case 0xf3:
        case 0xfd: {
          gas = setOutput(frame, sp, gas);
          if (gas < 0) break;
          halt = operation == 0xf3 ? succeeded : reverted;
          error = 0;
          break;
        }
        default: {
          gas = operate(operation, frame, sp, gas);
          if (gas < 0) {
            error = -(<i32>gas);
            break;
          }
          if (operation == 0xff) {
            halt = succeeded;
            error = 0;
            break;
          }
          sp += <usize>change;
          base = load<usize>(frame, atMemory);
          size = <u64>load<u32>(frame, atMemorySize);
          continue;
        }
      }
    }
    if (verdict != none) {
      // What follows a comparison is most often a jump.
      const jumps = load<u8>(pc) == 0x61 && load<u8>(pc, 3) == 0x57;
      if (!jumps || gas < 13 || high - sp == <usize>stackBytes) {
        putU64(sp, verdict);
        continue;
      }
      gas -= 13;
      sp += 32;
      if (verdict == 0) {
        pc += 4;
        continue;
      }
      const to = <u64>bswap(load<u16>(pc, 1));
      if (isDestination(frame, to)) {
        gas -= 1;
        pc = code + <usize>to + 1;
        continue;
      }
      error = invalidJump;
    }
    if (next == 0) next = endFrame(frame, halt, error, gas);
    if (next == 0) return;
    frame = next;
    pc = load<usize>(frame, atPc);
    sp = load<usize>(frame, atSp);
    gas = load<i64>(frame, atGas);
    high = load<usize>(frame, atStackHigh);
    code = load<usize>(frame, atCodeBytes);
    base = load<usize>(frame, atMemory);
    size = <u64>load<u32>(frame, atMemorySize);
  }
}
