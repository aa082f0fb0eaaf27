import { setU64, zeroWord } from './limbs';
import { mulHigh } from './multiply';

// Long division by limbs, each quotient limb from a product with the divisor's reciprocal: Möller and
// Granlund, "Improved division by invariant integers", IEEE Transactions on Computers 60 (2011).
// WebAssembly has no division of 128 bits by 64, and the reciprocal is one for all limbs.

/** What is divided, at most 512 bits, and one limb more that the normalisation fills. */
export const dividend: usize = memory.data(72, 16);
/** The divisor, shifted until its highest bit is set. */
const divisor: usize = memory.data(32, 16);
/** The quotient, 8 limbs at most. */
export const quotient: usize = memory.data(64, 16);

/**
 * Divides the `length` limbs (4 to 8) at `dividend` by the word b, which is not 0: the quotient goes
 * to `quotient` (at least 4 limbs), the remainder, 4 limbs, to `dividend`.
 */
export function divide(length: usize, b: usize): void {
  zeroWord(quotient);
  const count = limbCount(b);
  let used = length;
  while (used > 0 && load<u64>(dividend + ((used - 1) << 3)) == 0) used--;
  if (used < count) return;
  if (count == 1 && load<u32>(b, 4) == 0) {
    divideByDigit(used, load<u64>(b));
    return;
  }
  // Shift both until the divisor's highest bit is set.
  const shift = clz(load<u64>(b + ((count - 1) << 3)));
  shiftUp(divisor, b, count, shift);
  const beyond = shiftUp(dividend, dividend, used, shift);
  store<u64>(dividend + (used << 3), beyond);
  if (count == 1) divideByOne(used);
  else divideByMore(used, count);
  shiftDown(dividend, count, shift);
}

/** Limbs that a word other than 0 takes. */
function limbCount(a: usize): usize {
  if (load<u64>(a, 24) != 0) return 4;
  if (load<u64>(a, 16) != 0) return 3;
  return load<u64>(a, 8) != 0 ? 2 : 1;
}

/** r = the limbs at a, shifted left by 0 to 63 bits; answers what goes beyond. */
function shiftUp(r: usize, a: usize, count: usize, shift: u64): u64 {
  let before: u64 = 0;
  for (let i: usize = 0; i < count << 3; i += 8) {
    const limb = load<u64>(a + i);
    store<u64>(r + i, (limb << shift) | ((before >> 1) >> (63 - shift)));
    before = limb;
  }
  return (before >> 1) >> (63 - shift);
}

/** Shifts limbs right by 0 to 63 bits in place and clears the rest of four. */
function shiftDown(r: usize, count: usize, shift: u64): void {
  let above: u64 = 0;
  for (let i: usize = 32; i > 0; ) {
    i -= 8;
    const limb = i < count << 3 ? load<u64>(r + i) : 0;
    store<u64>(r + i, (limb >> shift) | ((above << 1) << (63 - shift)));
    above = limb;
  }
}

/** (2^128 - 1) / d - 2^64 for d of 64 bits, the highest set: algorithm 3, its table computed. */
function reciprocal(d: u64): u64 {
  const v0 = <u64>(<u32>0x7_fd00 / <u32>(d >> 55));
  const d40 = (d >> 24) + 1;
  const v1 = (v0 << 11) - ((v0 * v0 * d40) >> 40) - 1;
  const v2 = (v1 << 13) + ((v1 * (0x1000_0000_0000_0000 - v1 * d40)) >> 47);
  const error = ((v2 >> 1) & (0 - (d & 1))) - v2 * ((d >> 1) + (d & 1));
  const v3 = (v2 << 31) + (mulHigh(v2, error) >> 1);
  const low = v3 * d;
  return v3 - (mulHigh(v3, d) + u64(low + d < low)) - d;
}

/** (2^192 - 1) / (d1, d0) - 2^64 for d1 with the highest bit set: algorithm 6. */
function reciprocalOfTwo(d1: u64, d0: u64): u64 {
  let v = reciprocal(d1);
  let p = d1 * v + d0;
  if (p < d0) {
    v--;
    if (p >= d1) {
      v--;
      p -= d1;
    }
    p -= d1;
  }
  const high = mulHigh(v, d0);
  const low = v * d0;
  p += high;
  if (p < high) {
    v--;
    if (p > d1 || (p == d1 && low >= d0)) v--;
  }
  return v;
}

/** Divides by less than 2^32: two divisions a limb, which cost less than a reciprocal. */
function divideByDigit(length: usize, by: u64): void {
  let rest: u64 = 0;
  for (let at = length << 3; at > 0; ) {
    at -= 4;
    const part = (rest << 32) | <u64>load<u32>(dividend + at);
    const q = part / by;
    rest = part - q * by;
    store<u32>(quotient + at, <u32>q);
  }
  setU64(dividend, rest);
}

/** Divides by a divisor of one limb: algorithm 4 for each limb of the quotient. */
function divideByOne(length: usize): void {
  const d = load<u64>(divisor);
  const v = reciprocal(d);
  let rest = load<u64>(dividend + (length << 3));
  for (let at = length << 3; at > 0; ) {
    at -= 8;
    const limb = load<u64>(dividend + at);
    const guess = v * rest + limb;
    let q = mulHigh(v, rest) + rest + u64(guess < limb) + 1;
    rest = limb - q * d;
    if (rest > guess) {
      q--;
      rest += d;
    }
    if (rest >= d) {
      q++;
      rest -= d;
    }
    store<u64>(quotient + at, q);
  }
  store<u64>(dividend, rest);
}

/**
 * Divides by a divisor of `count` limbs, 2 to 4: algorithm 5 guesses each limb of the quotient from
 * the three highest limbs and the two of the divisor; with two limbs the guess is the answer.
 */
function divideByMore(length: usize, count: usize): void {
  const lower = (count - 2) << 3;
  const d1 = load<u64>(divisor + lower, 8);
  const d0 = load<u64>(divisor + lower);
  const v = reciprocalOfTwo(d1, d0);
  for (let at = (length - count + 1) << 3; at > 0; ) {
    at -= 8;
    const row = dividend + at;
    const top = row + lower;
    const u2 = load<u64>(top, 16);
    const u1 = load<u64>(top, 8);
    if (u2 == d1 && u1 == d0) {
      // The guess would be 2^64.
      subtractProduct(row, lower + 16, ~(<u64>0));
      store<u64>(quotient + at, ~(<u64>0));
      continue;
    }
    const u0 = load<u64>(top);
    const guess = v * u2 + u1;
    let q = mulHigh(v, u2) + u2 + u64(guess < u1);
    // (rest1, rest0) = (u1, u0) - (q + 1) * (d1, d0), of which only these two limbs matter.
    const low = q * d0;
    let rest0 = u0 - low;
    let rest1 = u1 - q * d1 - mulHigh(q, d0) - u64(u0 < low);
    rest1 -= d1 + u64(rest0 < d0);
    rest0 -= d0;
    q++;
    if (rest1 >= guess) {
      q--;
      rest0 += d0;
      rest1 += d1 + u64(rest0 < d0);
    }
    if (rest1 > d1 || (rest1 == d1 && rest0 >= d0)) {
      q++;
      rest1 -= d1 + u64(rest0 < d0);
      rest0 -= d0;
    }
    const owed = subtractProduct(row, lower, q);
    const borrow = u64(rest0 < owed);
    store<u64>(top, rest0 - owed);
    store<u64>(top, rest1 - borrow, 8);
    if (rest1 < borrow) {
      q--;
      addBack(row, lower + 16);
    }
    store<u64>(quotient + at, q);
  }
}

/** Takes q times the lowest `size` bytes of the divisor from the limbs at `row`; answers what is owed. */
function subtractProduct(row: usize, size: usize, q: u64): u64 {
  let owed: u64 = 0;
  for (let i: usize = 0; i < size; i += 8) {
    const limb = load<u64>(divisor + i);
    const low = q * limb;
    const taken = low + owed;
    const from = load<u64>(row + i);
    store<u64>(row + i, from - taken);
    owed = mulHigh(q, limb) + u64(taken < low) + u64(from < taken);
  }
  return owed;
}

/** Adds the `size` bytes of the divisor to the limbs at `row`; what goes beyond is lost on purpose. */
function addBack(row: usize, size: usize): void {
  let carry: u64 = 0;
  for (let i: usize = 0; i < size; i += 8) {
    const limb = load<u64>(row + i);
    const sum = limb + load<u64>(divisor + i);
    const total = sum + carry;
    carry = u64(sum < limb) | u64(total < sum);
    store<u64>(row + i, total);
  }
}
