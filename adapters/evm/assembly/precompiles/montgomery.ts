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
