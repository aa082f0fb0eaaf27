import {
  below,
  bitLength,
  copyWord,
  fitsU64,
  isZero,
  negate,
  setU64,
  sub,
  zeroWord,
} from './limbs';
import { mulFull } from './multiply';

// Long division works on digits of 32 bits, so that a quotient digit is one 64-bit division. Digits
// lie in memory as limbs do, the least significant first.

/** What is divided, at most 512 bits, and one digit more that the normalisation fills. */
const dividend: usize = memory.data(72, 16);
/** The divisor, shifted until its highest bit is set. */
const divisor: usize = memory.data(32, 16);
/** The quotient; 17 digits at most. */
const quotient: usize = memory.data(72, 16);
const left: usize = memory.data(32, 16);
const right: usize = memory.data(32, 16);

/** r = a / b, rounded down; 0 when b is 0. */
export function div(r: usize, a: usize, b: usize): void {
  if (fitsU64(b) && fitsU64(a)) {
    const by = load<u64>(b);
    setU64(r, by == 0 ? 0 : load<u64>(a) / by);
  } else if (isZero(b) || below(a, b)) {
    zeroWord(r);
  } else {
    copyWord(dividend, a);
    divide(8, b);
    copyWord(r, quotient);
  }
}

/** r = a mod b; 0 when b is 0. */
export function mod(r: usize, a: usize, b: usize): void {
  if (fitsU64(b) && fitsU64(a)) {
    const by = load<u64>(b);
    setU64(r, by == 0 ? 0 : load<u64>(a) % by);
  } else if (isZero(b)) {
    zeroWord(r);
  } else if (below(a, b)) {
    copyWord(r, a);
  } else {
    copyWord(dividend, a);
    divide(8, b);
    copyWord(r, dividend);
  }
}

/** r = a / b in two's complement, rounded towards 0; 0 when b is 0. */
export function sdiv(r: usize, a: usize, b: usize): void {
  const negative = load<i64>(a, 24) < 0 != load<i64>(b, 24) < 0;
  div(r, magnitude(left, a), magnitude(right, b));
  if (negative) negate(r, r);
}

/** r = a mod b in two's complement, with the sign of a; 0 when b is 0. */
export function smod(r: usize, a: usize, b: usize): void {
  const negative = load<i64>(a, 24) < 0;
  mod(r, magnitude(left, a), magnitude(right, b));
  if (negative) negate(r, r);
}

/** Where the absolute value of a is: a itself, or `place`. */
function magnitude(place: usize, a: usize): usize {
  if (load<i64>(a, 24) >= 0) return a;
  negate(place, a);
  return place;
}

/** r = (a + b) mod n without overflow; 0 when n is 0. */
export function addmod(r: usize, a: usize, b: usize, n: usize): void {
  if (isZero(n)) {
    zeroWord(r);
    return;
  }
  const carry = sumOf(dividend, a, b);
  if (carry == 0 && below(dividend, n)) {
    copyWord(r, dividend);
  } else if (below(a, n) && below(b, n)) {
    // The sum is less than 2 n, so the carry is lost on purpose.
    sub(r, dividend, n);
  } else {
    store<u64>(dividend, carry, 32);
    divide(9, n);
    copyWord(r, dividend);
  }
}

/** r = a + b mod 2^256; answers what does not fit, 0 or 1. */
function sumOf(r: usize, a: usize, b: usize): u64 {
  let carry: u64 = 0;
  for (let i: usize = 0; i < 32; i += 8) {
    const part = load<u64>(a + i);
    const sum = part + load<u64>(b + i);
    const total = sum + carry;
    carry = u64(sum < part) | u64(total < sum);
    store<u64>(r + i, total);
  }
  return carry;
}

/** r = (a * b) mod n without overflow; 0 when n is 0. */
export function mulmod(r: usize, a: usize, b: usize, n: usize): void {
  if (isZero(n)) {
    zeroWord(r);
    return;
  }
  mulFull(dividend, a, b);
  divide(16, n);
  copyWord(r, dividend);
}

/**
 * Divides the `length` digits at `dividend` by the word b, which is not 0: the quotient's digits go to
 * `quotient` (at least 8 of them), the remainder, 8 digits, to `dividend`.
 */
function divide(length: i32, b: usize): void {
  memory.fill(quotient, 0, 32);
  const count = (bitLength(b) + 31) >> 5;
  let used = length;
  while (used > 0 && digit(dividend, used - 1) == 0) used--;
  if (used < count) return;
  if (count == 1) divideShort(used, load<u32>(b));
  else divideLong(used, count, b);
}

function digit(digits: usize, i: i32): u64 {
  return load<u32>(digits + ((<usize>i) << 2));
}

function setDigit(digits: usize, i: i32, value: u64): void {
  store<u32>(digits + ((<usize>i) << 2), <u32>value);
}

/** Divides by one digit. */
function divideShort(length: i32, by: u64): void {
  let rest: u64 = 0;
  for (let i = length - 1; i >= 0; i--) {
    const part = (rest << 32) | digit(dividend, i);
    const q = part / by;
    rest = part - q * by;
    setDigit(quotient, i, q);
  }
  setU64(dividend, rest);
}

/** Knuth, The Art of Computer Programming, volume 2, 4.3.1, algorithm D; `count` is 2 to 8. */
function divideLong(length: i32, count: i32, b: usize): void {
  // D1: shift both until the divisor's highest bit is set.
  const shift = <i32>clz<u32>(<u32>digit(b, count - 1));
  shiftUp(divisor, b, count, shift);
  setDigit(dividend, length, shiftUp(dividend, dividend, length, shift));
  const first = digit(divisor, count - 1);
  const second = digit(divisor, count - 2);
  for (let j = length - count; j >= 0; j--) {
    // D3: guess the digit from the two highest; the guess is never too low, at most 1 too high.
    const top = (digit(dividend, j + count) << 32) | digit(dividend, j + count - 1);
    let q = top / first;
    let rest = top - q * first;
    const next = digit(dividend, j + count - 2);
    while (q > 0xffff_ffff || q * second > ((rest << 32) | next)) {
      q--;
      rest += first;
      if (rest > 0xffff_ffff) break;
    }
    // D4 to D6.
    if (subtractProduct(j, count, q)) {
      q--;
      addBack(j, count);
    }
    setDigit(quotient, j, q);
  }
  // D8: the remainder, shifted back.
  shiftDown(dividend, count, shift);
  for (let i = count; i < 8; i++) setDigit(dividend, i, 0);
}

/** r = the digits at a, shifted left by 0 to 31 bits; answers what goes beyond. */
function shiftUp(r: usize, a: usize, count: i32, shift: i32): u64 {
  let carry: u64 = 0;
  for (let i = 0; i < count; i++) {
    const shifted = (digit(a, i) << (<u64>shift)) | carry;
    setDigit(r, i, shifted);
    carry = shifted >> 32;
  }
  return carry;
}

/** Shifts digits right by 0 to 31 bits in place. */
function shiftDown(r: usize, count: i32, shift: i32): void {
  for (let i = 0; i < count; i++) {
    const above = i + 1 < count ? digit(r, i + 1) : 0;
    setDigit(r, i, ((above << 32) | digit(r, i)) >> <u64>shift);
  }
}

/** Takes q times the divisor from the dividend at digit j; true when that went below 0. */
function subtractProduct(j: i32, count: i32, q: u64): bool {
  let carry: u64 = 0;
  let borrow: i64 = 0;
  for (let i = 0; i < count; i++) {
    const product = q * digit(divisor, i) + carry;
    carry = product >> 32;
    const rest = <i64>digit(dividend, i + j) + borrow - <i64>(product & 0xffff_ffff);
    setDigit(dividend, i + j, <u64>rest);
    borrow = rest >> 32;
  }
  const rest = <i64>digit(dividend, j + count) + borrow - <i64>carry;
  setDigit(dividend, j + count, <u64>rest);
  return rest < 0;
}

/** Adds the divisor back to the dividend at digit j. */
function addBack(j: i32, count: i32): void {
  let carry: u64 = 0;
  for (let i = 0; i < count; i++) {
    const sum = digit(dividend, i + j) + digit(divisor, i) + carry;
    setDigit(dividend, i + j, sum);
    carry = sum >> 32;
  }
  setDigit(dividend, j + count, digit(dividend, j + count) + carry);
}
