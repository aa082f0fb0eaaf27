import { leadingZeros, shortBytes } from './exponent';

// Numbers are limbs of 32 bits, the least first: a product of two and two carries fit 64 bits.

const low: u64 = 0xffff_ffff;

let modulus: usize = 0;
let limbs: usize = 0;
/** -1 / modulus, modulo 2^32. */
let inverse: u32 = 0;
/** Product under work, a limb longer than the modulus. */
let product: usize = 0;

/**
 * Raises `base` to the power of `exponent`, modulo an odd number of `count` limbs. Base and `one` are
 * in Montgomery form, `one` being 2^(32 * count) in it; the result is not. `scratch`: 17 * count + 1
 * limbs. Base and `one` are lost.
 */
export function montgomeryPower(
  result: usize,
  base: usize,
  one: usize,
  odd: usize,
  count: i32,
  exponent: usize,
  length: i32,
  scratch: usize,
): void {
  modulus = odd;
  limbs = <usize>count;
  inverse = negativeInverse(load<u32>(odd));
  product = scratch;
  const table = scratch + (limbs + 1) * 4;
  const bytes = limbs * 4;
  if (count == 1) {
    store<u32>(result, raiseLimb(load<u32>(base), load<u32>(one), exponent, length));
    return;
  }
  if (count == 2) {
    store<u64>(result, raiseTwoLimbs(load<u64>(base), load<u64>(one), exponent, length));
    return;
  }
  memory.copy(result, one, bytes);
  raise(result, base, one, exponent, length, table);
  // A product with 1 leaves the form.
  memory.fill(one, 0, bytes);
  store<u32>(one, 1);
  multiply(result, result, one);
}

function raise(
  result: usize,
  base: usize,
  one: usize,
  exponent: usize,
  length: i32,
  table: usize,
): void {
  const bytes = limbs * 4;
  const zeros = leadingZeros(exponent, length);
  const end = exponent + <usize>length;
  let at = exponent + <usize>zeros;
  if (length - zeros <= shortBytes) {
    for (; at < end; at++) {
      const byte = load<u8>(at);
      for (let bit = 7; bit >= 0; bit--) {
        multiply(result, result, result);
        if (((byte >> <u8>bit) & 1) != 0) multiply(result, result, base);
      }
    }
    return;
  }
  memory.copy(table, one, bytes);
  for (let i: usize = 1; i < 16; i++) multiply(table + i * bytes, table + (i - 1) * bytes, base);
  for (; at < end; at++) {
    const byte = load<u8>(at);
    raiseBy(result, table + <usize>(byte >> 4) * bytes);
    raiseBy(result, table + <usize>(byte & 15) * bytes);
  }
}

/** Four squarings and a multiplication. */
function raiseBy(result: usize, factor: usize): void {
  multiply(result, result, result);
  multiply(result, result, result);
  multiply(result, result, result);
  multiply(result, result, result);
  multiply(result, result, factor);
}

/** -1 / odd, modulo 2^32: each step doubles the bits that are right. */
function negativeInverse(odd: u32): u32 {
  let x = odd;
  for (let i = 0; i < 4; i++) x *= 2 - odd * x;
  return 0 - x;
}

/** r = a * b / 2^(32 * limbs), modulo the modulus. `r` may be an operand. */
function multiply(r: usize, a: usize, b: usize): void {
  const count = limbs;
  const t = product;
  const bytes = count * 4;
  memory.fill(t, 0, bytes + 4);
  for (let i: usize = 0; i < bytes; i += 4) {
    const factor = <u64>load<u32>(a + i);
    let s = <u64>load<u32>(t) + factor * <u64>load<u32>(b);
    const quotient = <u64>(<u32>s * inverse);
    let u = (s & low) + quotient * <u64>load<u32>(modulus);
    let carry = s >> 32;
    let reduced = u >> 32;
    for (let j: usize = 4; j < bytes; j += 4) {
      s = <u64>load<u32>(t + j) + factor * <u64>load<u32>(b + j) + carry;
      carry = s >> 32;
      u = (s & low) + quotient * <u64>load<u32>(modulus + j) + reduced;
      store<u32>(t + j - 4, <u32>u);
      reduced = u >> 32;
    }
    s = <u64>load<u32>(t + bytes) + carry + reduced;
    store<u32>(t + bytes - 4, <u32>s);
    store<u32>(t + bytes, <u32>(s >> 32));
  }
  if (load<u32>(t + bytes) != 0 || !below(t, modulus, bytes)) subtract(r, t, modulus, bytes);
  else memory.copy(r, t, bytes);
}

function below(a: usize, b: usize, bytes: usize): bool {
  for (let i = bytes; i > 0; i -= 4) {
    const x = load<u32>(a + i - 4);
    const y = load<u32>(b + i - 4);
    if (x != y) return x < y;
  }
  return false;
}

function subtract(r: usize, a: usize, b: usize, bytes: usize): void {
  let borrow: u64 = 0;
  for (let i: usize = 0; i < bytes; i += 4) {
    const d = <u64>load<u32>(a + i) - <u64>load<u32>(b + i) - borrow;
    store<u32>(r + i, <u32>d);
    borrow = d >> 63;
  }
}

/** The same for one limb, whose numbers stay out of memory: such exponents are long for their gas. */
function raiseLimb(base: u32, one: u32, exponent: usize, length: i32): u32 {
  const odd = <u64>load<u32>(modulus);
  const end = exponent + <usize>length;
  let at = exponent + <usize>leadingZeros(exponent, length);
  let result = one;
  for (; at < end; at++) {
    const byte = load<u8>(at);
    for (let bit = 7; bit >= 0; bit--) {
      result = multiplyLimbs(result, result, odd);
      if (((byte >> <u8>bit) & 1) != 0) result = multiplyLimbs(result, base, odd);
    }
  }
  return multiplyLimbs(result, 1, odd);
}

function multiplyLimbs(a: u32, b: u32, odd: u64): u32 {
  const s = <u64>a * <u64>b;
  const u = <u64>(<u32>s * inverse) * odd;
  // Their low halves cancel out, with a carry unless both are zero.
  const t = (s >> 32) + (u >> 32) + <u64>(<u32>s != 0);
  return <u32>(t >= odd ? t - odd : t);
}

/** The same for two limbs. */
function raiseTwoLimbs(base: u64, one: u64, exponent: usize, length: i32): u64 {
  const odd = load<u64>(modulus);
  const end = exponent + <usize>length;
  let at = exponent + <usize>leadingZeros(exponent, length);
  let result = one;
  if (end - at <= <usize>shortBytes) {
    for (; at < end; at++) {
      const byte = load<u8>(at);
      for (let bit = 7; bit >= 0; bit--) {
        result = multiplyTwoLimbs(result, result, odd);
        if (((byte >> <u8>bit) & 1) != 0) result = multiplyTwoLimbs(result, base, odd);
      }
    }
    return multiplyTwoLimbs(result, 1, odd);
  }
  const table = product;
  store<u64>(table, one);
  for (let i: usize = 8; i < 128; i += 8) {
    store<u64>(table + i, multiplyTwoLimbs(load<u64>(table + i - 8), base, odd));
  }
  for (; at < end; at++) {
    const byte = <usize>load<u8>(at);
    for (let i = 0; i < 4; i++) result = multiplyTwoLimbs(result, result, odd);
    result = multiplyTwoLimbs(result, load<u64>(table + ((byte >> 4) << 3)), odd);
    for (let i = 0; i < 4; i++) result = multiplyTwoLimbs(result, result, odd);
    result = multiplyTwoLimbs(result, load<u64>(table + ((byte & 15) << 3)), odd);
  }
  return multiplyTwoLimbs(result, 1, odd);
}

function multiplyTwoLimbs(a: u64, b: u64, odd: u64): u64 {
  const odd0 = odd & low;
  const odd1 = odd >> 32;
  const b0 = b & low;
  const b1 = b >> 32;
  let factor = a & low;
  let s = factor * b0;
  let quotient = <u64>(<u32>s * inverse);
  let u = (s & low) + quotient * odd0;
  s = factor * b1 + (s >> 32);
  u = (s & low) + quotient * odd1 + (u >> 32);
  const t0 = u & low;
  const above = (s >> 32) + (u >> 32);
  factor = a >> 32;
  s = t0 + factor * b0;
  quotient = <u64>(<u32>s * inverse);
  u = (s & low) + quotient * odd0;
  s = (above & low) + factor * b1 + (s >> 32);
  u = (s & low) + quotient * odd1 + (u >> 32);
  const top = (above >> 32) + (s >> 32) + (u >> 32);
  const result = (u & low) | (top << 32);
  return top >> 32 != 0 || result >= odd ? result - odd : result;
}
