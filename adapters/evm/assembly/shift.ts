import { bitLength, copyWord, fitsU64, setLimbs, setU64, zeroWord } from './limbs';

/** r = x shifted left by the word `shift`; 0 from 256 on (EIP-145). */
export function shl(r: usize, shift: usize, x: usize): void {
  const bits = load<u64>(shift);
  if (!fitsU64(shift) || bits > 255) zeroWord(r);
  else shiftLeft(r, <u32>bits, x);
}

/** r = x shifted left by 0 to 255 bits. */
export function shiftLeft(r: usize, bits: u32, x: usize): void {
  let x0 = load<u64>(x);
  let x1 = load<u64>(x, 8);
  let x2 = load<u64>(x, 16);
  let x3 = load<u64>(x, 24);
  if ((bits & 128) != 0) {
    x3 = x1;
    x2 = x0;
    x1 = 0;
    x0 = 0;
  }
  if ((bits & 64) != 0) {
    x3 = x2;
    x2 = x1;
    x1 = x0;
    x0 = 0;
  }
  const up: u64 = bits & 63;
  // What comes in from below, shifted in two steps: a shift by 64 would be one by 0.
  const down: u64 = 63 - up;
  const r3 = (x3 << up) | ((x2 >> 1) >> down);
  const r2 = (x2 << up) | ((x1 >> 1) >> down);
  setLimbs(r, x0 << up, (x1 << up) | ((x0 >> 1) >> down), r2, r3);
}

/** r = x shifted right by the word `shift`; 0 from 256 on (EIP-145). */
export function shr(r: usize, shift: usize, x: usize): void {
  const bits = load<u64>(shift);
  if (!fitsU64(shift) || bits > 255) zeroWord(r);
  else shiftRight(r, <u32>bits, x, 0);
}

/** r = x shifted right by the word `shift`, the sign repeated (EIP-145). */
export function sar(r: usize, shift: usize, x: usize): void {
  const sign = <u64>(load<i64>(x, 24) >> 63);
  const bits = load<u64>(shift);
  if (!fitsU64(shift) || bits > 255) setLimbs(r, sign, sign, sign, sign);
  else shiftRight(r, <u32>bits, x, sign);
}

/** r = x shifted right by 0 to 255 bits; `sign` (64 equal bits) comes in from above. */
function shiftRight(r: usize, bits: u32, x: usize, sign: u64): void {
  let x0 = load<u64>(x);
  let x1 = load<u64>(x, 8);
  let x2 = load<u64>(x, 16);
  let x3 = load<u64>(x, 24);
  if ((bits & 128) != 0) {
    x0 = x2;
    x1 = x3;
    x2 = sign;
    x3 = sign;
  }
  if ((bits & 64) != 0) {
    x0 = x1;
    x1 = x2;
    x2 = x3;
    x3 = sign;
  }
  const down: u64 = bits & 63;
  const up: u64 = 63 - down;
  const r0 = (x0 >> down) | ((x1 << 1) << up);
  const r1 = (x1 >> down) | ((x2 << 1) << up);
  setLimbs(r, r0, r1, (x2 >> down) | ((x3 << 1) << up), (x3 >> down) | ((sign << 1) << up));
}

/** r = byte i of x, counted from the most significant; 0 from 32 on. */
export function byteAt(r: usize, i: usize, x: usize): void {
  const at = load<u64>(i);
  if (!fitsU64(i) || at > 31) zeroWord(r);
  else setU64(r, <u64>load<u8>(x + 31 - <usize>at));
}

/** r = x with the sign of its byte k, counted from the least significant, repeated above it. */
export function signextend(r: usize, k: usize, x: usize): void {
  const at = load<u64>(k);
  if (!fitsU64(k) || at > 30) {
    copyWord(r, x);
    return;
  }
  const limb = (<usize>at >> 3) << 3;
  const above: i64 = 56 - ((<i64>at & 7) << 3);
  const extended = (load<i64>(x + limb) << above) >> above;
  const sign = <u64>(extended >> 63);
  copyWord(r, x);
  store<i64>(r + limb, extended);
  if (limb < 8) store<u64>(r, sign, 8);
  if (limb < 16) store<u64>(r, sign, 16);
  if (limb < 24) store<u64>(r, sign, 24);
}

/** r = zero bits above the highest one bit of a; 256 for 0 (EIP-7939). */
export function clz(r: usize, a: usize): void {
  setU64(r, <u64>(256 - bitLength(a)));
}
