import { emptyBytes, viewOf } from '@concordat/std';
import { wordAt } from './code.ts';
import { keccak256Word } from './crypto.ts';
import type { Fork } from './fork.ts';
import type { Frame } from './frame.ts';
import type { Account, ChainState } from './state.ts';

/** What a run of the loop ended with. */
export const ended = 0;
/** The frame wants a CALL, CALLCODE, DELEGATECALL or STATICCALL; the machine makes the child. */
export const wantsCall = 1;
/** The frame wants a CREATE or CREATE2. */
export const wantsCreate = 2;

/** What operations ask about the transaction and block around them. */
export interface Surroundings {
  readonly gasPrice: bigint;
  readonly origin: bigint;
  readonly number: bigint;
  readonly timestamp: bigint;
  readonly coinbase: bigint;
  readonly gasLimit: bigint;
  readonly difficulty: bigint;
  readonly prevRandao: bigint;
  readonly baseFee: bigint;
  readonly blobBaseFee: bigint;
  readonly blobHashes: readonly bigint[];
  /** Hash of one of the last 256 blocks as a number; 0 when unknown. */
  blockHash(number: bigint): bigint;
}

/** A call or creation that a frame asks for. */
export interface Request {
  operation: number;
  target: Account;
  value: bigint;
  gas: number;
  inputOffset: number;
  inputLength: number;
  salt: bigint;
}

const mask256 = (1n << 256n) - 1n;
const mask160 = (1n << 160n) - 1n;
const small: bigint[] = Array.from({ length: 65_536 }, (_, i) => BigInt(i));
const stackLimit = 1024;
/** Memory beyond this is never affordable: its price exceeds any gas limit. */
const memoryLimit = 0xffff_ffff;
/** Operands an operation takes and gives, so that one check covers its stack use. */
const takes = new Uint8Array(256);
const grows = new Uint8Array(256);

function stackUse(from: number, to: number, taken: number, grown = 0): void {
  takes.fill(taken, from, to + 1);
  grows.fill(grown, from, to + 1);
}
stackUse(0x01, 0x07, 2);
stackUse(0x08, 0x09, 3);
stackUse(0x0a, 0x0b, 2);
stackUse(0x10, 0x14, 2);
stackUse(0x15, 0x15, 1);
stackUse(0x16, 0x18, 2);
stackUse(0x19, 0x19, 1);
stackUse(0x1a, 0x1d, 2);
stackUse(0x1e, 0x1e, 1);
stackUse(0x20, 0x20, 2);
stackUse(0x30, 0x30, 0, 1);
stackUse(0x31, 0x31, 1);
stackUse(0x32, 0x34, 0, 1);
stackUse(0x35, 0x35, 1);
stackUse(0x36, 0x36, 0, 1);
stackUse(0x37, 0x37, 3);
stackUse(0x38, 0x38, 0, 1);
stackUse(0x39, 0x39, 3);
stackUse(0x3a, 0x3a, 0, 1);
stackUse(0x3b, 0x3b, 1);
stackUse(0x3c, 0x3c, 4);
stackUse(0x3d, 0x3d, 0, 1);
stackUse(0x3e, 0x3e, 3);
stackUse(0x3f, 0x40, 1);
stackUse(0x41, 0x48, 0, 1);
stackUse(0x49, 0x49, 1);
stackUse(0x4a, 0x4a, 0, 1);
stackUse(0x50, 0x51, 1);
stackUse(0x52, 0x53, 2);
stackUse(0x54, 0x54, 1);
stackUse(0x55, 0x55, 2);
stackUse(0x56, 0x56, 1);
stackUse(0x57, 0x57, 2);
stackUse(0x58, 0x5a, 0, 1);
stackUse(0x5c, 0x5c, 1);
stackUse(0x5d, 0x5d, 2);
stackUse(0x5e, 0x5e, 3);
stackUse(0x5f, 0x7f, 0, 1);
for (let i = 0; i < 16; i++) {
  stackUse(0x80 + i, 0x80 + i, i + 1, 1);
  stackUse(0x90 + i, 0x90 + i, i + 2);
}
for (let i = 0; i < 5; i++) stackUse(0xa0 + i, 0xa0 + i, i + 2);
stackUse(0xf0, 0xf0, 3);
stackUse(0xf1, 0xf2, 7);
stackUse(0xf3, 0xf3, 2);
stackUse(0xf4, 0xf4, 6);
stackUse(0xf5, 0xf5, 4);
stackUse(0xfa, 0xfa, 6);
stackUse(0xfd, 0xfd, 2);
stackUse(0xff, 0xff, 1);

/**
 * Runs bytecode of one frame until it ends or wants a child frame. Synchronous: opcode by opcode
 * promises are the second largest cost of the library's interpreter. Gas is a number, exact below
 * 2^53, which is above every block gas limit this room accepts.
 */
export class Interpreter {
  readonly fork: Fork;
  readonly state: ChainState;
  /** Filled when the loop answers `wantsCall` or `wantsCreate`. */
  readonly request: Request;
  around: Surroundings;

  constructor(fork: Fork, state: ChainState, around: Surroundings) {
    this.fork = fork;
    this.state = state;
    this.around = around;
    this.request = {
      operation: 0,
      target: undefined as unknown as Account,
      value: 0n,
      gas: 0,
      inputOffset: 0,
      inputLength: 0,
      salt: 0n,
    };
  }

  /** Ends the frame exceptionally: all its gas is gone. */
  #fail(frame: Frame, error: string): number {
    frame.halt = 'error';
    frame.error = error;
    frame.gas = 0;
    return ended;
  }

  /**
   * Gas to reach a memory range, which it also opens; -1 when no gas limit affords it. Charged by
   * the caller before the operation touches the range (Yellow Paper, appendix H).
   */
  #memory(frame: Frame, offset: bigint, length: bigint): number {
    if (length === 0n) return 0;
    if (offset > memoryLimit || length > memoryLimit) return -1;
    const words = Math.ceil((Number(offset) + Number(length)) / 32);
    return words <= frame.memoryWords ? 0 : this.#expand(frame, words);
  }

  #expand(frame: Frame, words: number): number {
    const { memory, quadratic } = this.fork.gas;
    const total = words * memory + Math.floor((words * words) / quadratic);
    const cost = total - frame.memoryGas;
    // Opened only when affordable: a contract must not allocate what it cannot pay.
    if (cost > frame.gas) return -1;
    frame.memoryGas = total;
    frame.growMemory(words);
    return cost;
  }

  // One function on purpose: locals live in registers and the switch is one jump. It is the only
  // one in the room that is longer than the house rule.
  /** Runs until the frame ends or wants a child. */
  run(frame: Frame): number {
    const { state, fork } = this;
    const { fees, gas: price, rules } = fork;
    const { stack, code } = frame;
    const bytes = code.bytes;
    const codeLength = code.length;
    const jumps = code.jumps;
    const constantAt = code.constantAt;
    const constants = code.constants;
    let pc = frame.pc;
    let size = frame.stackSize;
    let gas = frame.gas;
    for (;;) {
      const operation = pc < codeLength ? (bytes[pc] as number) : 0;
      const fee = fees[operation] as number;
      if (fee < 0) return this.#fail(frame, 'invalid opcode');
      gas -= fee;
      if (gas < 0) return this.#fail(frame, 'out of gas');
      if (size < (takes[operation] as number)) return this.#fail(frame, 'stack underflow');
      if (size + (grows[operation] as number) > stackLimit) {
        return this.#fail(frame, 'stack overflow');
      }
      pc++;
      switch (operation) {
        case 0x00:
          frame.gas = gas;
          return ended;
        case 0x01:
          size--;
          stack[size - 1] = ((stack[size] as bigint) + (stack[size - 1] as bigint)) & mask256;
          continue;
        case 0x02:
          size--;
          stack[size - 1] = ((stack[size] as bigint) * (stack[size - 1] as bigint)) & mask256;
          continue;
        case 0x03: {
          size--;
          const a = stack[size] as bigint;
          const b = stack[size - 1] as bigint;
          stack[size - 1] = a >= b ? a - b : BigInt.asUintN(256, a - b);
          continue;
        }
        case 0x04: {
          size--;
          const b = stack[size - 1] as bigint;
          stack[size - 1] = b === 0n ? 0n : (stack[size] as bigint) / b;
          continue;
        }
        case 0x05: {
          size--;
          const b = BigInt.asIntN(256, stack[size - 1] as bigint);
          const a = BigInt.asIntN(256, stack[size] as bigint);
          stack[size - 1] = b === 0n ? 0n : BigInt.asUintN(256, a / b);
          continue;
        }
        case 0x06: {
          size--;
          const b = stack[size - 1] as bigint;
          stack[size - 1] = b === 0n ? 0n : (stack[size] as bigint) % b;
          continue;
        }
        case 0x07: {
          size--;
          const b = BigInt.asIntN(256, stack[size - 1] as bigint);
          const a = BigInt.asIntN(256, stack[size] as bigint);
          stack[size - 1] = b === 0n ? 0n : BigInt.asUintN(256, a % b);
          continue;
        }
        case 0x08: {
          size -= 2;
          const n = stack[size - 1] as bigint;
          const sum = (stack[size + 1] as bigint) + (stack[size] as bigint);
          stack[size - 1] = n === 0n ? 0n : sum % n;
          continue;
        }
        case 0x09: {
          size -= 2;
          const n = stack[size - 1] as bigint;
          const product = (stack[size + 1] as bigint) * (stack[size] as bigint);
          stack[size - 1] = n === 0n ? 0n : product % n;
          continue;
        }
        case 0x0a: {
          size--;
          const exponent = stack[size - 1] as bigint;
          if (exponent !== 0n) {
            gas -= price.expByte * byteLength(exponent);
            if (gas < 0) return this.#fail(frame, 'out of gas');
          }
          stack[size - 1] = power(stack[size] as bigint, exponent);
          continue;
        }
        case 0x0b: {
          size--;
          const at = stack[size] as bigint;
          if (at < 31n) {
            const bits = Number(at) * 8 + 8;
            const value = stack[size - 1] as bigint;
            stack[size - 1] = BigInt.asUintN(256, BigInt.asIntN(bits, value));
          }
          continue;
        }
        case 0x10:
          size--;
          stack[size - 1] = (stack[size] as bigint) < (stack[size - 1] as bigint) ? 1n : 0n;
          continue;
        case 0x11:
          size--;
          stack[size - 1] = (stack[size] as bigint) > (stack[size - 1] as bigint) ? 1n : 0n;
          continue;
        case 0x12:
          size--;
          stack[size - 1] =
            BigInt.asIntN(256, stack[size] as bigint) <
            BigInt.asIntN(256, stack[size - 1] as bigint)
              ? 1n
              : 0n;
          continue;
        case 0x13:
          size--;
          stack[size - 1] =
            BigInt.asIntN(256, stack[size] as bigint) >
            BigInt.asIntN(256, stack[size - 1] as bigint)
              ? 1n
              : 0n;
          continue;
        case 0x14:
          size--;
          stack[size - 1] = stack[size] === stack[size - 1] ? 1n : 0n;
          continue;
        case 0x15:
          stack[size - 1] = stack[size - 1] === 0n ? 1n : 0n;
          continue;
        case 0x16:
          size--;
          stack[size - 1] = (stack[size] as bigint) & (stack[size - 1] as bigint);
          continue;
        case 0x17:
          size--;
          stack[size - 1] = (stack[size] as bigint) | (stack[size - 1] as bigint);
          continue;
        case 0x18:
          size--;
          stack[size - 1] = (stack[size] as bigint) ^ (stack[size - 1] as bigint);
          continue;
        case 0x19:
          stack[size - 1] = mask256 ^ (stack[size - 1] as bigint);
          continue;
        case 0x1a: {
          size--;
          const at = stack[size] as bigint;
          stack[size - 1] =
            at > 31n ? 0n : ((stack[size - 1] as bigint) >> ((31n - at) * 8n)) & 0xffn;
          continue;
        }
        case 0x1b: {
          size--;
          const shift = stack[size] as bigint;
          stack[size - 1] = shift > 255n ? 0n : ((stack[size - 1] as bigint) << shift) & mask256;
          continue;
        }
        case 0x1c: {
          size--;
          const shift = stack[size] as bigint;
          stack[size - 1] = shift > 255n ? 0n : (stack[size - 1] as bigint) >> shift;
          continue;
        }
        case 0x1d: {
          size--;
          const shift = stack[size] as bigint;
          const value = BigInt.asIntN(256, stack[size - 1] as bigint);
          stack[size - 1] = BigInt.asUintN(256, value >> (shift > 255n ? 255n : shift));
          continue;
        }
        case 0x1e: {
          const value = stack[size - 1] as bigint;
          stack[size - 1] = BigInt(256 - (value === 0n ? 0 : value.toString(2).length));
          continue;
        }
        case 0x20: {
          size--;
          const offset = stack[size] as bigint;
          const length = stack[size - 1] as bigint;
          frame.gas = gas;
          const cost = this.#memory(frame, offset, length);
          if (cost < 0) return this.#fail(frame, 'out of gas');
          gas -= cost + price.keccakWord * Math.ceil(Number(length) / 32);
          if (gas < 0) return this.#fail(frame, 'out of gas');
          const start = Number(offset);
          stack[size - 1] = keccak256Word(
            length === 0n ? emptyBytes : frame.memory.subarray(start, start + Number(length)),
          );
          continue;
        }
        case 0x30:
          stack[size++] = frame.account.word;
          continue;
        case 0x31: {
          const account = state.accountOfWord((stack[size - 1] as bigint) & mask160);
          if (rules.berlin) {
            gas -= this.#accessCost(account);
            if (gas < 0) return this.#fail(frame, 'out of gas');
          }
          stack[size - 1] = account.balance;
          continue;
        }
        case 0x32:
          stack[size++] = this.around.origin;
          continue;
        case 0x33:
          stack[size++] = frame.caller.word;
          continue;
        case 0x34:
          stack[size++] = frame.value;
          continue;
        case 0x35: {
          const offset = stack[size - 1] as bigint;
          stack[size - 1] =
            offset >= frame.input.length ? 0n : inputWord(frame.input, Number(offset));
          continue;
        }
        case 0x36:
          stack[size++] = BigInt(frame.input.length);
          continue;
        case 0x37:
        case 0x39: {
          size -= 3;
          frame.gas = gas;
          const length = stack[size] as bigint;
          const to = stack[size + 2] as bigint;
          const cost = this.#memory(frame, to, length);
          if (cost < 0) return this.#fail(frame, 'out of gas');
          gas -= cost + price.copyWord * Math.ceil(Number(length) / 32);
          if (gas < 0) return this.#fail(frame, 'out of gas');
          const source = operation === 0x37 ? frame.input : code.content;
          copyPadded(frame.memory, Number(to), source, stack[size + 1] as bigint, Number(length));
          continue;
        }
        case 0x38:
          stack[size++] = BigInt(codeLength);
          continue;
        case 0x3a:
          stack[size++] = this.around.gasPrice;
          continue;
        case 0x3b: {
          const account = state.accountOfWord((stack[size - 1] as bigint) & mask160);
          if (rules.berlin) {
            gas -= this.#accessCost(account);
            if (gas < 0) return this.#fail(frame, 'out of gas');
          }
          stack[size - 1] = BigInt(state.code(account).length);
          continue;
        }
        case 0x3c: {
          size -= 4;
          const account = state.accountOfWord((stack[size + 3] as bigint) & mask160);
          frame.gas = gas;
          const length = stack[size] as bigint;
          const to = stack[size + 2] as bigint;
          const cost = this.#memory(frame, to, length);
          if (cost < 0) return this.#fail(frame, 'out of gas');
          gas -= cost + price.copyWord * Math.ceil(Number(length) / 32);
          if (rules.berlin) gas -= this.#accessCost(account);
          if (gas < 0) return this.#fail(frame, 'out of gas');
          const source = state.code(account).content;
          copyPadded(frame.memory, Number(to), source, stack[size + 1] as bigint, Number(length));
          continue;
        }
        case 0x3d:
          stack[size++] = BigInt(frame.returnData.length);
          continue;
        case 0x3e: {
          size -= 3;
          frame.gas = gas;
          const length = stack[size] as bigint;
          const from = stack[size + 1] as bigint;
          const to = stack[size + 2] as bigint;
          if (from + length > frame.returnData.length) return this.#fail(frame, 'out of gas');
          const cost = this.#memory(frame, to, length);
          if (cost < 0) return this.#fail(frame, 'out of gas');
          gas -= cost + price.copyWord * Math.ceil(Number(length) / 32);
          if (gas < 0) return this.#fail(frame, 'out of gas');
          copyPadded(frame.memory, Number(to), frame.returnData, from, Number(length));
          continue;
        }
        case 0x3f: {
          const account = state.accountOfWord((stack[size - 1] as bigint) & mask160);
          if (rules.berlin) {
            gas -= this.#accessCost(account);
            if (gas < 0) return this.#fail(frame, 'out of gas');
          }
          stack[size - 1] = account.isAlive
            ? BigInt(`0x${Buffer.from(account.codeKey, 'latin1').hexSlice(0, 32)}`)
            : 0n;
          continue;
        }
        case 0x40: {
          const distance = this.around.number - (stack[size - 1] as bigint);
          stack[size - 1] =
            distance > 256n || distance <= 0n
              ? 0n
              : this.around.blockHash(stack[size - 1] as bigint);
          continue;
        }
        case 0x41:
          stack[size++] = this.around.coinbase;
          continue;
        case 0x42:
          stack[size++] = this.around.timestamp;
          continue;
        case 0x43:
          stack[size++] = this.around.number;
          continue;
        case 0x44:
          stack[size++] = rules.paris ? this.around.prevRandao : this.around.difficulty;
          continue;
        case 0x45:
          stack[size++] = this.around.gasLimit;
          continue;
        case 0x46:
          stack[size++] = fork.chainId;
          continue;
        case 0x47:
          stack[size++] = frame.account.balance;
          continue;
        case 0x48:
          stack[size++] = this.around.baseFee;
          continue;
        case 0x49: {
          const index = stack[size - 1] as bigint;
          const hashes = this.around.blobHashes;
          stack[size - 1] = index < hashes.length ? (hashes[Number(index)] as bigint) : 0n;
          continue;
        }
        case 0x4a:
          stack[size++] = this.around.blobBaseFee;
          continue;
        case 0x50:
          size--;
          continue;
        case 0x51: {
          const offset = stack[size - 1] as bigint;
          if (offset > memoryLimit) return this.#fail(frame, 'out of gas');
          const at = Number(offset);
          if (at + 32 > frame.memoryWords * 32) {
            frame.gas = gas;
            const cost = this.#expand(frame, Math.ceil((at + 32) / 32));
            if (cost < 0) return this.#fail(frame, 'out of gas');
            gas -= cost;
          }
          stack[size - 1] = fullWord(frame.memory, at);
          continue;
        }
        case 0x52: {
          size -= 2;
          const offset = stack[size + 1] as bigint;
          if (offset > memoryLimit) return this.#fail(frame, 'out of gas');
          const at = Number(offset);
          if (at + 32 > frame.memoryWords * 32) {
            frame.gas = gas;
            const cost = this.#expand(frame, Math.ceil((at + 32) / 32));
            if (cost < 0) return this.#fail(frame, 'out of gas');
            gas -= cost;
          }
          writeWord(frame.memory, at, stack[size] as bigint);
          continue;
        }
        case 0x53: {
          size -= 2;
          frame.gas = gas;
          const offset = stack[size + 1] as bigint;
          const cost = this.#memory(frame, offset, 1n);
          if (cost < 0) return this.#fail(frame, 'out of gas');
          gas -= cost;
          frame.memory[Number(offset)] = Number((stack[size] as bigint) & 0xffn);
          continue;
        }
        case 0x54: {
          const slot = stack[size - 1] as bigint;
          if (rules.berlin) {
            gas -= state.warmSlot(frame.account, slot) ? price.coldSlot : price.warm;
            if (gas < 0) return this.#fail(frame, 'out of gas');
          }
          stack[size - 1] = state.slot(frame.account, slot);
          continue;
        }
        case 0x55: {
          if (frame.isStatic) return this.#fail(frame, 'static state change');
          size -= 2;
          const slot = stack[size + 1] as bigint;
          const value = stack[size] as bigint;
          const cost = this.#storeCost(frame, gas, slot, value);
          if (cost < 0 || cost > gas) return this.#fail(frame, 'out of gas');
          gas -= cost;
          state.setSlot(frame.account, slot, value);
          continue;
        }
        case 0x56: {
          size--;
          const to = stack[size] as bigint;
          if (to >= codeLength || jumps[Number(to)] !== 1) {
            return this.#fail(frame, 'invalid JUMP');
          }
          pc = Number(to);
          continue;
        }
        case 0x57: {
          size -= 2;
          if (stack[size] === 0n) continue;
          const to = stack[size + 1] as bigint;
          if (to >= codeLength || jumps[Number(to)] !== 1) {
            return this.#fail(frame, 'invalid JUMP');
          }
          pc = Number(to);
          continue;
        }
        case 0x58:
          stack[size++] = BigInt(pc - 1);
          continue;
        case 0x59:
          stack[size++] = BigInt(frame.memoryWords * 32);
          continue;
        case 0x5a:
          stack[size++] = BigInt(gas);
          continue;
        case 0x5b:
          continue;
        case 0x5c:
          stack[size - 1] = state.transient(frame.account, stack[size - 1] as bigint);
          continue;
        case 0x5d:
          if (frame.isStatic) return this.#fail(frame, 'static state change');
          size -= 2;
          state.setTransient(frame.account, stack[size + 1] as bigint, stack[size] as bigint);
          continue;
        case 0x5e: {
          size -= 3;
          frame.gas = gas;
          const length = stack[size] as bigint;
          const from = stack[size + 1] as bigint;
          const to = stack[size + 2] as bigint;
          // biome-ignore lint/complexity/useMathMinMax: Math.max takes no bigint
          const cost = this.#memory(frame, from > to ? from : to, length);
          if (cost < 0) return this.#fail(frame, 'out of gas');
          gas -= cost + price.copyWord * Math.ceil(Number(length) / 32);
          if (gas < 0) return this.#fail(frame, 'out of gas');
          if (length > 0n) {
            const start = Number(from);
            frame.memory.copyWithin(Number(to), start, start + Number(length));
          }
          continue;
        }
        case 0x5f:
          stack[size++] = 0n;
          continue;
        case 0x60:
          stack[size++] = small[bytes[pc] as number] as bigint;
          pc++;
          continue;
        case 0x61:
          stack[size++] = small[((bytes[pc] as number) << 8) | (bytes[pc + 1] as number)] as bigint;
          pc += 2;
          continue;
        case 0x80:
          stack[size] = stack[size - 1] as bigint;
          size++;
          continue;
        case 0x81:
          stack[size] = stack[size - 2] as bigint;
          size++;
          continue;
        case 0x90: {
          const top = stack[size - 1] as bigint;
          stack[size - 1] = stack[size - 2] as bigint;
          stack[size - 2] = top;
          continue;
        }
        case 0xf3:
        case 0xfd: {
          size -= 2;
          frame.gas = gas;
          const offset = stack[size + 1] as bigint;
          const length = stack[size] as bigint;
          const cost = this.#memory(frame, offset, length);
          if (cost < 0) return this.#fail(frame, 'out of gas');
          frame.gas = gas - cost;
          frame.output =
            length === 0n ? emptyBytes : frame.copyMemory(Number(offset), Number(length));
          if (operation === 0xfd) {
            frame.halt = 'revert';
            frame.error = 'revert';
          }
          return ended;
        }
        case 0xa0:
        case 0xa1:
        case 0xa2:
        case 0xa3:
        case 0xa4: {
          if (frame.isStatic) return this.#fail(frame, 'static state change');
          const count = operation - 0xa0;
          frame.gas = gas;
          const offset = stack[size - 1] as bigint;
          const length = stack[size - 2] as bigint;
          const cost = this.#memory(frame, offset, length);
          if (cost < 0) return this.#fail(frame, 'out of gas');
          gas -= cost + price.logTopic * count + price.logByte * Number(length);
          if (gas < 0) return this.#fail(frame, 'out of gas');
          const topics: Uint8Array[] = [];
          for (let i = 0; i < count; i++) topics.push(wordBytes(stack[size - 3 - i] as bigint));
          size -= count + 2;
          state.logs.push({
            address: frame.account.address,
            topics,
            data: frame.copyMemory(Number(offset), Number(length)),
          });
          continue;
        }
        case 0xf0:
        case 0xf5:
          frame.pc = pc;
          frame.gas = gas;
          frame.stackSize = size;
          return this.#wantCreate(frame, operation);
        case 0xf1:
        case 0xf2:
        case 0xf4:
        case 0xfa:
          frame.pc = pc;
          frame.gas = gas;
          frame.stackSize = size;
          return this.#wantCall(frame, operation);
        case 0xff:
          frame.gas = gas;
          return this.#selfDestruct(
            frame,
            state.accountOfWord((stack[size - 1] as bigint) & mask160),
          );
        default:
          if (operation < 0x80) {
            const index = constantAt[pc - 1] as number;
            const width = operation - 0x5f;
            stack[size++] = index > 0 ? (constants[index - 1] as bigint) : wordAt(bytes, pc, width);
            pc += width;
          } else if (operation < 0x90) {
            stack[size] = stack[size - (operation - 0x7f)] as bigint;
            size++;
          } else if (operation < 0xa0) {
            const other = size - (operation - 0x8f) - 1;
            const top = stack[size - 1] as bigint;
            stack[size - 1] = stack[other] as bigint;
            stack[other] = top;
          } else {
            return this.#fail(frame, 'invalid opcode');
          }
      }
    }
  }

  /** EIP-2929 price of reading an account, which it marks warm. */
  #accessCost(account: Account): number {
    const { coldAccount, warm } = this.fork.gas;
    return this.state.warmAddress(account) ? coldAccount : warm;
  }

  /** Price of a storage write, with its refunds; -1 when too little gas is left to try. */
  #storeCost(frame: Frame, gas: number, slot: bigint, value: bigint): number {
    const { state } = this;
    const { gas: price, rules } = this.fork;
    const { account } = frame;
    const current = state.slot(account, slot);
    if (!rules.istanbul && !rules.netGasMetering1283) {
      if (current !== 0n && value === 0n) state.refund += price.sstoreClearRefund;
      return current === 0n && value !== 0n ? price.sstoreSet : price.sstoreReset;
    }
    // EIP-2200: leaves a stipend's worth, so that a plain transfer can never write.
    if (rules.istanbul && gas <= price.sstoreSentry) return -1;
    const cold = rules.berlin && state.warmSlot(account, slot) ? price.coldSlot : 0;
    if (current === value) return cold + price.sstoreNoop;
    const original = state.originalSlot(account, slot);
    if (original === current) {
      if (original === 0n) return cold + price.sstoreInit;
      if (value === 0n) state.refund += price.sstoreNetClearRefund;
      return cold + price.sstoreClean;
    }
    if (original !== 0n) {
      if (current === 0n) state.refund -= price.sstoreNetClearRefund;
      else if (value === 0n) state.refund += price.sstoreNetClearRefund;
    }
    if (original === value) {
      state.refund += original === 0n ? price.sstoreInitRefund : price.sstoreCleanRefund;
    }
    return cold + price.sstoreDirty;
  }

  /** Charges for a call and fills the request (Yellow Paper, appendix H; EIP-150, 2929, 7702). */
  #wantCall(frame: Frame, operation: number): number {
    const { state } = this;
    const { gas: price, rules } = this.fork;
    const { stack } = frame;
    const withValue = operation <= 0xf2;
    let at = frame.stackSize - 1;
    const gasWanted = stack[at--] as bigint;
    const target = state.accountOfWord((stack[at--] as bigint) & mask160);
    const value = withValue ? (stack[at--] as bigint) : 0n;
    const inputOffset = stack[at--] as bigint;
    const inputLength = stack[at--] as bigint;
    const outputOffset = stack[at--] as bigint;
    const outputLength = stack[at--] as bigint;
    frame.stackSize = at + 1;
    if (operation === 0xf1 && frame.isStatic && value !== 0n) {
      return this.#fail(frame, 'static state change');
    }
    const inputCost = this.#memory(frame, inputOffset, inputLength);
    if (inputCost < 0) return this.#fail(frame, 'out of gas');
    frame.gas -= inputCost;
    const outputCost = this.#memory(frame, outputOffset, outputLength);
    if (outputCost < 0) return this.#fail(frame, 'out of gas');
    let cost = outputCost;
    if (rules.berlin) cost += this.#accessCost(target);
    if (value !== 0n) cost += price.callValue;
    if (operation === 0xf1 && this.#makesAccount(target, value)) cost += price.callNewAccount;
    if (rules.prague) cost += this.#delegationCost(target);
    if (cost > frame.gas) return this.#fail(frame, 'out of gas');
    const available = frame.gas - cost;
    const most = rules.tangerineWhistle ? available - Math.floor(available / 64) : available;
    if (!rules.tangerineWhistle && gasWanted > most) return this.#fail(frame, 'out of gas');
    const given = gasWanted > most ? most : Number(gasWanted);
    frame.gas = available - given;
    frame.outputOffset = Number(outputOffset);
    frame.outputLength = Number(outputLength);
    const { request } = this;
    request.operation = operation;
    request.target = target;
    request.value = value;
    request.gas = value === 0n ? given : given + price.callStipend;
    request.inputOffset = Number(inputOffset);
    request.inputLength = Number(inputLength);
    return wantsCall;
  }

  #makesAccount(target: Account, value: bigint): boolean {
    if (this.fork.rules.spuriousDragon) return value !== 0n && !target.isAlive;
    return !target.exists;
  }

  /** EIP-7702: access to the account whose code a delegating one runs. */
  #delegationCost(target: Account): number {
    const delegate = this.delegateOf(target);
    return delegate === undefined ? 0 : this.#accessCost(delegate);
  }

  /** The account that a delegating account names (EIP-7702), if it delegates. */
  delegateOf(account: Account): Account | undefined {
    const code = this.state.code(account);
    if (code.length !== 23 || !isDelegation(code.bytes)) return undefined;
    return this.state.account(code.bytes.subarray(3, 23));
  }

  /** Charges for a creation and fills the request (EIP-150, 1014, 3860). */
  #wantCreate(frame: Frame, operation: number): number {
    const { gas: price, rules } = this.fork;
    const { stack } = frame;
    if (frame.isStatic) return this.#fail(frame, 'static state change');
    let at = frame.stackSize - 1;
    const value = stack[at--] as bigint;
    const offset = stack[at--] as bigint;
    const length = stack[at--] as bigint;
    const salt = operation === 0xf5 ? (stack[at--] as bigint) : 0n;
    frame.stackSize = at + 1;
    const memoryCost = this.#memory(frame, offset, length);
    if (memoryCost < 0) return this.#fail(frame, 'out of gas');
    const words = Math.ceil(Number(length) / 32);
    let cost = memoryCost + price.initCodeWord * words;
    if (operation === 0xf5) cost += price.keccakWord * words;
    if (cost > frame.gas) return this.#fail(frame, 'out of gas');
    if (Number(length) > price.maxInitCodeBytes) {
      return this.#fail(frame, 'initcode exceeds max initcode size');
    }
    const available = frame.gas - cost;
    const given = rules.tangerineWhistle ? available - Math.floor(available / 64) : available;
    frame.gas = available - given;
    // What a creation returns stays out of the creator's memory.
    frame.outputLength = 0;
    const { request } = this;
    request.operation = operation;
    request.value = value;
    request.gas = given;
    request.inputOffset = Number(offset);
    request.inputLength = Number(length);
    request.salt = salt;
    return wantsCreate;
  }

  /** SELFDESTRUCT (EIP-150, 161, 2929, 6780). */
  #selfDestruct(frame: Frame, heir: Account): number {
    const { state } = this;
    const { gas: price, rules } = this.fork;
    const { account } = frame;
    if (frame.isStatic) return this.#fail(frame, 'static state change');
    const { balance } = account;
    let cost = 0;
    if (rules.berlin && state.warmAddress(heir)) cost += price.coldAccount;
    if (rules.spuriousDragon) {
      if (balance > 0n && !heir.isAlive) cost += price.callNewAccount;
    } else if (rules.tangerineWhistle && !heir.exists) {
      cost += price.callNewAccount;
    }
    if (cost > frame.gas) return this.#fail(frame, 'out of gas');
    frame.gas -= cost;
    if (!account.destroyed) state.refund += price.selfdestructRefund;
    const toSelf = heir === account;
    if (!toSelf) {
      state.touch(heir);
      state.setBalance(heir, heir.balance + balance);
    }
    if (!rules.cancun || account.created || !toSelf) state.setBalance(account, 0n);
    state.markDestroyed(account);
    return ended;
  }
}

/** Whether code begins with the EIP-7702 designator. */
export const isDelegation = (code: Uint8Array): boolean =>
  code[0] === 0xef && code[1] === 0x01 && code[2] === 0x00;

function byteLength(value: bigint): number {
  return Math.ceil(value.toString(16).length / 2);
}

function power(base: bigint, exponent: bigint): bigint {
  if (base === 2n) return exponent > 255n ? 0n : 1n << exponent;
  let result = 1n;
  let square = base;
  let left = exponent;
  while (left > 0n) {
    if ((left & 1n) === 1n) result = (result * square) & mask256;
    left >>= 1n;
    if (left > 0n) square = (square * square) & mask256;
  }
  return result;
}

/** 32 bytes of call data as a number, zero-padded at the end. */
function inputWord(input: Buffer, at: number): bigint {
  const length = input.length - at;
  if (length >= 32) return fullWord(input, at);
  return wordAt(input, at, length) << BigInt(8 * (32 - length));
}

/** 32 bytes as a number; most words are small, so the leading bytes are looked at first. */
function fullWord(bytes: Buffer, at: number): bigint {
  if (bytes.readUInt32BE(at) === 0 && bytes.readUInt32BE(at + 4) === 0) {
    if (bytes.readUInt32BE(at + 8) === 0 && bytes.readUInt32BE(at + 12) === 0) {
      if (bytes.readUInt32BE(at + 16) === 0 && bytes.readUInt32BE(at + 20) === 0) {
        const low = bytes.readUInt32BE(at + 28);
        const high = bytes.readUInt32BE(at + 24);
        if (high === 0) return low < 65_536 ? (small[low] as bigint) : BigInt(low);
        if (high < 0x20_0000) return BigInt(high * 0x1_0000_0000 + low);
        return bytes.readBigUInt64BE(at + 24);
      }
    }
  }
  return BigInt(`0x${bytes.hexSlice(at, at + 32)}`);
}

function writeWord(memory: Buffer, at: number, value: bigint): void {
  if (value <= 0xffff_ffffn) {
    memory.fill(0, at, at + 28);
    memory.writeUInt32BE(Number(value), at + 28);
    return;
  }
  memory.hexWrite(value.toString(16).padStart(64, '0'), at, 32);
}

/** 32-byte big-endian form of a word. */
export function wordBytes(value: bigint): Buffer {
  const bytes = Buffer.allocUnsafeSlow(32);
  writeWord(bytes, 0, value);
  return bytes;
}

function copyPadded(
  memory: Buffer,
  to: number,
  source: Uint8Array,
  from: bigint,
  length: number,
): void {
  if (length === 0) return;
  const start = from > source.length ? source.length : Number(from);
  const copied = viewOf(source).copy(memory, to, start, start + length);
  if (copied < length) memory.fill(0, to + copied, to + length);
}
