import { add, below, copyWord, fitsU64, isZero, negate, setU64, sub, zeroWord } from './limbs';
import { divide, dividend, quotient } from './long-division';
import { mulFull } from './multiply';

const left: usize = memory.data(32, 16);
const right: usize = memory.data(32, 16);
const carryWord: usize = memory.data(32, 16);

/** r = a / b, rounded down; 0 when b is 0. */
export function div(r: usize, a: usize, b: usize): void {
  if (fitsU64(b) && fitsU64(a)) {
    const by = load<u64>(b);
    setU64(r, by == 0 ? 0 : load<u64>(a) / by);
  } else if (isZero(b) || below(a, b)) {
    zeroWord(r);
  } else {
    copyWord(dividend, a);
    divide(4, b);
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
    divide(4, b);
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
    divide(5, n);
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
  if (isAllOnes(n)) {
    foldProduct(r);
    return;
  }
  divide(8, n);
  copyWord(r, dividend);
}

function isAllOnes(a: usize): bool {
  return (load<u64>(a) & load<u64>(a, 8) & load<u64>(a, 16) & load<u64>(a, 24)) == ~(<u64>0);
}

/**
 * r = the product at `dividend` mod 2^256 - 1, which contracts ask for to get products of 512 bits:
 * 2^256 counts as 1, so the halves are added, and the carry too.
 */
function foldProduct(r: usize): void {
  setU64(carryWord, sumOf(dividend, dividend, dividend + 32));
  add(r, dividend, carryWord);
  if (isAllOnes(r)) zeroWord(r);
}
