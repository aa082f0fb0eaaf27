import { leadingZeros, shortBytes } from './exponent';

let limbs: usize = 0;
let product: usize = 0;

/**
 * Raises `base` to the power of `exponent`, modulo 2^(32 * count). Numbers are limbs of 32 bits, the
 * least first. `scratch`: 17 * count limbs.
 */
export function truncatedPower(
  result: usize,
  base: usize,
  count: i32,
  exponent: usize,
  length: i32,
  scratch: usize,
): void {
  limbs = <usize>count;
  product = scratch;
  const bytes = limbs * 4;
  const table = scratch + bytes;
  memory.fill(result, 0, bytes);
  if (count <= 2) {
    // Beyond a base's one limb lies what it is not: the low limb of a product does not see it.
    const power = raiseWord(load<u64>(base), exponent, length);
    if (count == 1) store<u32>(result, <u32>power);
    else store<u64>(result, power);
    return;
  }
  store<u32>(result, 1);
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
  memory.copy(table, result, bytes);
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

/** Low limbs of a * b. `r` may be an operand. */
function multiply(r: usize, a: usize, b: usize): void {
  const t = product;
  const bytes = limbs * 4;
  memory.fill(t, 0, bytes);
  for (let i: usize = 0; i < bytes; i += 4) {
    const factor = <u64>load<u32>(a + i);
    let carry: u64 = 0;
    for (let j: usize = 0; i + j < bytes; j += 4) {
      const s = <u64>load<u32>(t + i + j) + factor * <u64>load<u32>(b + j) + carry;
      store<u32>(t + i + j, <u32>s);
      carry = s >> 32;
    }
  }
  memory.copy(r, t, bytes);
}

/** The same modulo 2^64: such exponents are long for their gas. */
function raiseWord(base: u64, exponent: usize, length: i32): u64 {
  const end = exponent + <usize>length;
  let at = exponent + <usize>leadingZeros(exponent, length);
  let result: u64 = 1;
  for (; at < end; at++) {
    const byte = load<u8>(at);
    for (let bit = 7; bit >= 0; bit--) {
      result *= result;
      if (((byte >> <u8>bit) & 1) != 0) result *= base;
    }
  }
  return result;
}
