import { mask256 } from './corner-words.ts';

/** What an operation on words gives, by BigInt; operands as they lie on the stack, the top first. */
export type WordModel = (a: bigint, b: bigint, n: bigint) => bigint;

const signed = (word: bigint): bigint => BigInt.asIntN(256, word);
const wrapped = (number: bigint): bigint => BigInt.asUintN(256, number);

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = base;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = wrapped(result * square);
    square = wrapped(square * square);
  }
  return result;
}

/** By the name of the function in the assembly, with the number of operands. */
export const wordModels: Readonly<Record<string, readonly [operands: 1 | 2 | 3, WordModel]>> = {
  not: [1, (a) => a ^ mask256],
  clz: [1, (a) => BigInt(a === 0n ? 256 : 256 - a.toString(2).length)],
  add: [2, (a, b) => wrapped(a + b)],
  sub: [2, (a, b) => wrapped(a - b)],
  mul: [2, (a, b) => wrapped(a * b)],
  div: [2, (a, b) => (b === 0n ? 0n : a / b)],
  mod: [2, (a, b) => (b === 0n ? 0n : a % b)],
  sdiv: [2, (a, b) => (b === 0n ? 0n : wrapped(signed(a) / signed(b)))],
  smod: [2, (a, b) => (b === 0n ? 0n : wrapped(signed(a) % signed(b)))],
  and: [2, (a, b) => a & b],
  or: [2, (a, b) => a | b],
  xor: [2, (a, b) => a ^ b],
  exp: [2, power],
  signextend: [2, (k, x) => (k > 30n ? x : wrapped(BigInt.asIntN(Number(k) * 8 + 8, x)))],
  byteAt: [2, (i, x) => (i > 31n ? 0n : (x >> ((31n - i) * 8n)) & 0xffn)],
  shl: [2, (shift, x) => (shift > 255n ? 0n : wrapped(x << shift))],
  shr: [2, (shift, x) => (shift > 255n ? 0n : x >> shift)],
  sar: [2, (shift, x) => wrapped(signed(x) >> (shift > 255n ? 255n : shift))],
  addmod: [3, (a, b, n) => (n === 0n ? 0n : (a + b) % n)],
  mulmod: [3, (a, b, n) => (n === 0n ? 0n : (a * b) % n)],
};
