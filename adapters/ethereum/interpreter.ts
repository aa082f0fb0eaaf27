import type { Fork } from './fork.ts';
import type { Frame } from './frame.ts';
import {
  type Environment,
  fail,
  goesOn,
  type Operation,
  outOfGas,
  type Request,
  type Surroundings,
} from './operation.ts';
import { arithmetic } from './operations-arithmetic.ts';
import { callOperations } from './operations-calls.ts';
import { surroundings } from './operations-environment.ts';
import { stateOperations } from './operations-state.ts';
import { stackGrown, stackTaken } from './stack-use.ts';
import type { Account, ChainState } from './state.ts';
import { smallWords, wordAt } from './words.ts';

const stackLimit = 1024;

/** Invalid as long as nothing takes its place; the fee table of the fork refuses it before. */
const operations: Operation[] = new Array(256).fill((frame: Frame) =>
  fail(frame, 'invalid opcode'),
);
for (const group of [arithmetic, surroundings, stateOperations, callOperations]) {
  for (const [code, operation] of group) operations[code] = operation;
}
operations[0x50] = (frame) => {
  frame.stackSize--;
  return goesOn;
};
operations[0x58] = (frame) => push(frame, BigInt(frame.pc - 1));
operations[0x59] = (frame) => push(frame, BigInt(frame.memoryWords * 32));
operations[0x5a] = (frame) => push(frame, BigInt(frame.gas));
operations[0x5b] = () => goesOn;
operations[0x5f] = (frame) => push(frame, 0n);

function push(frame: Frame, word: bigint): number {
  frame.stack[frame.stackSize++] = word;
  return goesOn;
}

operations[0x56] = (frame) => jump(frame, frame.stack[--frame.stackSize] as bigint);
operations[0x57] = (frame) => {
  frame.stackSize -= 2;
  if (frame.stack[frame.stackSize] === 0n) return goesOn;
  return jump(frame, frame.stack[frame.stackSize + 1] as bigint);
};

function jump(frame: Frame, to: bigint): number {
  const { code } = frame;
  if (to >= code.length || code.jumps[Number(to)] !== 1) return fail(frame, 'invalid JUMP');
  frame.pc = Number(to);
  return goesOn;
}

/**
 * Runs bytecode of one frame until it ends or wants a child frame. Synchronous: opcode by opcode
 * promises are the second largest cost of the library's interpreter. Gas is a number, exact below
 * 2^53, which is above every block gas limit this room accepts.
 */
export class Interpreter implements Environment {
  readonly fork: Fork;
  readonly state: ChainState;
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

  /** Answers `ended`, `wantsCall` or `wantsCreate`. */
  run(frame: Frame): number {
    const { fees } = this.fork;
    const { stack, code } = frame;
    const { bytes, length } = code;
    // Analysed at the first look at its jumps, which come before its constants.
    void code.jumps;
    const { constantAt, constants } = code;
    for (;;) {
      const { pc, stackSize: size } = frame;
      const operation = pc < length ? (bytes[pc] as number) : 0;
      const fee = fees[operation] as number;
      if (fee < 0) return fail(frame, 'invalid opcode');
      frame.gas -= fee;
      if (frame.gas < 0) return outOfGas(frame);
      if (size < (stackTaken[operation] as number)) return fail(frame, 'stack underflow');
      if (size + (stackGrown[operation] as number) > stackLimit) {
        return fail(frame, 'stack overflow');
      }
      frame.pc = pc + 1;
      // Pushes, duplicates and swaps are half of what runs: no call for them.
      if (operation >= 0x60 && operation < 0xa0) {
        if (operation < 0x80) {
          const width = operation - 0x5f;
          const constant = constantAt[pc] as number;
          frame.pc = pc + 1 + width;
          stack[size] =
            constant > 0
              ? (constants[constant - 1] as bigint)
              : width === 1
                ? (smallWords[bytes[pc + 1] as number] as bigint)
                : wordAt(bytes, pc + 1, width);
          frame.stackSize = size + 1;
        } else if (operation < 0x90) {
          stack[size] = stack[size - (operation - 0x7f)] as bigint;
          frame.stackSize = size + 1;
        } else {
          const other = size - (operation - 0x8f) - 1;
          const top = stack[size - 1] as bigint;
          stack[size - 1] = stack[other] as bigint;
          stack[other] = top;
        }
        continue;
      }
      const asked = (operations[operation] as Operation)(frame, this);
      if (asked !== goesOn) return asked;
    }
  }
}
