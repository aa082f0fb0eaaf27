import { emptyBytes } from '@concordat/std';
import { keccak256Word } from './crypto.ts';
import type { Frame } from './frame.ts';
import { goesOn, type Operation, outOfGas, pay, payMemory } from './operation.ts';
import { byteLength, mask256, power, wordsOf } from './words.ts';

const signed = (word: bigint): bigint => BigInt.asIntN(256, word);
const unsigned = (number: bigint): bigint => BigInt.asUintN(256, number);
const truth = (condition: boolean): bigint => (condition ? 1n : 0n);

/** Replaces the top word. */
function unary(compute: (a: bigint) => bigint): Operation {
  return ({ stack, stackSize }) => {
    stack[stackSize - 1] = compute(stack[stackSize - 1] as bigint);
    return goesOn;
  };
}

/** Replaces the two top words; `a` is the top one. */
function binary(compute: (a: bigint, b: bigint) => bigint): Operation {
  return (frame) => {
    const { stack } = frame;
    const top = --frame.stackSize;
    stack[top - 1] = compute(stack[top] as bigint, stack[top - 1] as bigint);
    return goesOn;
  };
}

/** Replaces the three top words. */
function ternary(compute: (a: bigint, b: bigint, c: bigint) => bigint): Operation {
  return (frame) => {
    const { stack } = frame;
    frame.stackSize -= 2;
    const top = frame.stackSize;
    stack[top - 1] = compute(
      stack[top + 1] as bigint,
      stack[top] as bigint,
      stack[top - 1] as bigint,
    );
    return goesOn;
  };
}

// The most frequent ones are written out: a call through `compute` is not inlined here.

function add(frame: Frame): number {
  const { stack } = frame;
  const top = --frame.stackSize;
  stack[top - 1] = ((stack[top] as bigint) + (stack[top - 1] as bigint)) & mask256;
  return goesOn;
}

function sub(frame: Frame): number {
  const { stack } = frame;
  const top = --frame.stackSize;
  const a = stack[top] as bigint;
  const b = stack[top - 1] as bigint;
  stack[top - 1] = a >= b ? a - b : unsigned(a - b);
  return goesOn;
}

function and(frame: Frame): number {
  const { stack } = frame;
  const top = --frame.stackSize;
  stack[top - 1] = (stack[top] as bigint) & (stack[top - 1] as bigint);
  return goesOn;
}

function lessThan(frame: Frame): number {
  const { stack } = frame;
  const top = --frame.stackSize;
  stack[top - 1] = (stack[top] as bigint) < (stack[top - 1] as bigint) ? 1n : 0n;
  return goesOn;
}

function equal(frame: Frame): number {
  const { stack } = frame;
  const top = --frame.stackSize;
  stack[top - 1] = stack[top] === stack[top - 1] ? 1n : 0n;
  return goesOn;
}

function isZero({ stack, stackSize }: Frame): number {
  stack[stackSize - 1] = stack[stackSize - 1] === 0n ? 1n : 0n;
  return goesOn;
}

const exp: Operation = (frame, { fork }) => {
  const { stack } = frame;
  const top = --frame.stackSize;
  const exponent = stack[top - 1] as bigint;
  if (!pay(frame, fork.gas.expByte * byteLength(exponent))) return outOfGas(frame);
  stack[top - 1] = power(stack[top] as bigint, exponent);
  return goesOn;
};

function signExtend(at: bigint, value: bigint): bigint {
  if (at > 30n) return value;
  return unsigned(BigInt.asIntN(Number(at) * 8 + 8, value));
}

const keccak: Operation = (frame, environment) => {
  const { stack } = frame;
  const top = --frame.stackSize;
  const offset = stack[top] as bigint;
  const length = stack[top - 1] as bigint;
  if (!payMemory(frame, environment, offset, length)) return outOfGas(frame);
  const size = Number(length);
  if (!pay(frame, environment.fork.gas.keccakWord * wordsOf(size))) return outOfGas(frame);
  const start = Number(offset);
  const input = size === 0 ? emptyBytes : frame.memory.subarray(start, start + size);
  stack[top - 1] = keccak256Word(input);
  return goesOn;
};

const leadingZeros = (word: bigint): bigint =>
  BigInt(256 - (word === 0n ? 0 : word.toString(2).length));

/** 0x01 to 0x20: what depends on the stack alone, and KECCAK256 (Yellow Paper, appendix H). */
export const arithmetic: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  [0x01, add],
  [0x02, binary((a, b) => (a * b) & mask256)],
  [0x03, sub],
  [0x04, binary((a, b) => (b === 0n ? 0n : a / b))],
  [0x05, binary((a, b) => (b === 0n ? 0n : unsigned(signed(a) / signed(b))))],
  [0x06, binary((a, b) => (b === 0n ? 0n : a % b))],
  [0x07, binary((a, b) => (b === 0n ? 0n : unsigned(signed(a) % signed(b))))],
  [0x08, ternary((a, b, n) => (n === 0n ? 0n : (a + b) % n))],
  [0x09, ternary((a, b, n) => (n === 0n ? 0n : (a * b) % n))],
  [0x0a, exp],
  [0x0b, binary(signExtend)],
  [0x10, lessThan],
  [0x11, binary((a, b) => truth(a > b))],
  [0x12, binary((a, b) => truth(signed(a) < signed(b)))],
  [0x13, binary((a, b) => truth(signed(a) > signed(b)))],
  [0x14, equal],
  [0x15, isZero],
  [0x16, and],
  [0x17, binary((a, b) => a | b)],
  [0x18, binary((a, b) => a ^ b)],
  [0x19, unary((a) => mask256 ^ a)],
  [0x1a, binary((at, word) => (at > 31n ? 0n : (word >> ((31n - at) * 8n)) & 0xffn))],
  [0x1b, binary((shift, word) => (shift > 255n ? 0n : (word << shift) & mask256))],
  [0x1c, binary((shift, word) => (shift > 255n ? 0n : word >> shift))],
  [0x1d, binary((shift, word) => unsigned(signed(word) >> (shift > 255n ? 255n : shift)))],
  [0x1e, unary(leadingZeros)],
  [0x20, keccak],
]);
