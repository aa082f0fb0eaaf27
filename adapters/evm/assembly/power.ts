import { bitLength, copyWord, fitsU64, isZero, setU64, zeroWord } from './limbs';
import { mul } from './multiply';
import { shiftLeft } from './shift';

const base: usize = memory.data(32, 16);
const exponent: usize = memory.data(32, 16);

/** r = a to the power of e mod 2^256; 0 to the power of 0 is 1. */
export function exp(r: usize, a: usize, e: usize): void {
  const bits = bitLength(e);
  const zeros = trailingZeros(a);
  if (bits == 0) {
    setU64(r, 1);
  } else if (zeros != 0 && (!fitsU64(e) || load<u64>(e) > 255)) {
    // An even base has at least as many factors of 2 as the exponent says.
    zeroWord(r);
  } else if (zeros != 0 && bitLength(a) == zeros + 1) {
    powerOfTwo(r, zeros * <i32>load<u64>(e));
  } else {
    copyWord(base, a);
    copyWord(exponent, e);
    copyWord(r, base);
    squareAndMultiply(r, bits - 1);
  }
}

/** Zero bits below the lowest one bit; 256 for 0. */
function trailingZeros(a: usize): i32 {
  if (load<u64>(a) != 0) return <i32>ctz(load<u64>(a));
  if (load<u64>(a, 8) != 0) return 64 + <i32>ctz(load<u64>(a, 8));
  if (load<u64>(a, 16) != 0) return 128 + <i32>ctz(load<u64>(a, 16));
  if (load<u64>(a, 24) != 0) return 192 + <i32>ctz(load<u64>(a, 24));
  return 256;
}

function powerOfTwo(r: usize, bits: i32): void {
  if (bits > 255) {
    zeroWord(r);
    return;
  }
  setU64(r, 1);
  shiftLeft(r, <u32>bits, r);
}

/** From the base in r, with `bits` bits of the exponent to go. */
function squareAndMultiply(r: usize, bits: i32): void {
  for (let i = bits - 1; i >= 0; i--) {
    mul(r, r, r);
    if ((load<u8>(exponent + (<usize>i >> 3)) >> <u8>(i & 7)) & 1) mul(r, r, base);
    if (isZero(r)) return;
  }
}
