// Words of 256 bits: 32 bytes in memory, four limbs of 64 bits, the least significant limb first.
// Everywhere the result `r` may be one of the operands; words never overlap partly.

/** r = a. */
export function copyWord(r: usize, a: usize): void {
  const a0 = load<u64>(a);
  const a1 = load<u64>(a, 8);
  const a2 = load<u64>(a, 16);
  const a3 = load<u64>(a, 24);
  setLimbs(r, a0, a1, a2, a3);
}

/** r = 0. */
export function zeroWord(r: usize): void {
  setLimbs(r, 0, 0, 0, 0);
}

/** r = v. */
export function setU64(r: usize, v: u64): void {
  setLimbs(r, v, 0, 0, 0);
}

/** r = the four limbs, the least significant first. */
export function setLimbs(r: usize, r0: u64, r1: u64, r2: u64, r3: u64): void {
  store<u64>(r, r0);
  store<u64>(r, r1, 8);
  store<u64>(r, r2, 16);
  store<u64>(r, r3, 24);
}

/** a = 0? */
export function isZero(a: usize): bool {
  return (load<u64>(a) | load<u64>(a, 8) | load<u64>(a, 16) | load<u64>(a, 24)) == 0;
}

/** a = b? */
export function equal(a: usize, b: usize): bool {
  return (
    ((load<u64>(a) ^ load<u64>(b)) |
      (load<u64>(a, 8) ^ load<u64>(b, 8)) |
      (load<u64>(a, 16) ^ load<u64>(b, 16)) |
      (load<u64>(a, 24) ^ load<u64>(b, 24))) ==
    0
  );
}

/** a < b, both as numbers from 0 to 2^256 - 1? */
export function below(a: usize, b: usize): bool {
  const a3 = load<u64>(a, 24);
  const b3 = load<u64>(b, 24);
  if (a3 != b3) return a3 < b3;
  return belowLower(a, b);
}

/** a < b, both in two's complement? */
export function signedBelow(a: usize, b: usize): bool {
  const a3 = load<i64>(a, 24);
  const b3 = load<i64>(b, 24);
  if (a3 != b3) return a3 < b3;
  return belowLower(a, b);
}

/** Compares the lower three limbs. */
function belowLower(a: usize, b: usize): bool {
  const a2 = load<u64>(a, 16);
  const b2 = load<u64>(b, 16);
  if (a2 != b2) return a2 < b2;
  const a1 = load<u64>(a, 8);
  const b1 = load<u64>(b, 8);
  if (a1 != b1) return a1 < b1;
  return load<u64>(a) < load<u64>(b);
}

/** a < 2^64? */
export function fitsU64(a: usize): bool {
  return (load<u64>(a, 8) | load<u64>(a, 16) | load<u64>(a, 24)) == 0;
}

/** a mod 2^64. */
export function lowU64(a: usize): u64 {
  return load<u64>(a);
}

/** Bits that a takes, 0 to 256. */
export function bitLength(a: usize): i32 {
  const a3 = load<u64>(a, 24);
  if (a3 != 0) return 256 - <i32>clz(a3);
  const a2 = load<u64>(a, 16);
  if (a2 != 0) return 192 - <i32>clz(a2);
  const a1 = load<u64>(a, 8);
  if (a1 != 0) return 128 - <i32>clz(a1);
  return 64 - <i32>clz(load<u64>(a));
}

/** Bytes that a takes, 0 to 32. */
export function byteLength(a: usize): i32 {
  return (bitLength(a) + 7) >> 3;
}

/** r = a + b mod 2^256. */
export function add(r: usize, a: usize, b: usize): void {
  const a0 = load<u64>(a);
  const a1 = load<u64>(a, 8);
  const a2 = load<u64>(a, 16);
  const r0 = a0 + load<u64>(b);
  const s1 = a1 + load<u64>(b, 8);
  const s2 = a2 + load<u64>(b, 16);
  const s3 = load<u64>(a, 24) + load<u64>(b, 24);
  const r1 = s1 + u64(r0 < a0);
  const carry1 = u64(s1 < a1) | u64(r1 < s1);
  const r2 = s2 + carry1;
  const carry2 = u64(s2 < a2) | u64(r2 < s2);
  setLimbs(r, r0, r1, r2, s3 + carry2);
}

/** r = a - b mod 2^256. */
export function sub(r: usize, a: usize, b: usize): void {
  const a0 = load<u64>(a);
  const a1 = load<u64>(a, 8);
  const a2 = load<u64>(a, 16);
  const b0 = load<u64>(b);
  const b1 = load<u64>(b, 8);
  const b2 = load<u64>(b, 16);
  const borrow0 = u64(a0 < b0);
  const d1 = a1 - b1;
  const borrow1 = u64(a1 < b1) | u64(d1 < borrow0);
  const d2 = a2 - b2;
  const borrow2 = u64(a2 < b2) | u64(d2 < borrow1);
  setLimbs(r, a0 - b0, d1 - borrow0, d2 - borrow1, load<u64>(a, 24) - load<u64>(b, 24) - borrow2);
}

/** r = -a mod 2^256. */
export function negate(r: usize, a: usize): void {
  const a0 = load<u64>(a);
  const a1 = load<u64>(a, 8);
  const a2 = load<u64>(a, 16);
  // -a = ~a + 1, and the 1 goes as far up as the limbs below are zero.
  const carry1 = u64(a0 == 0);
  const carry2 = carry1 & u64(a1 == 0);
  const carry3 = carry2 & u64(a2 == 0);
  setLimbs(r, 0 - a0, ~a1 + carry1, ~a2 + carry2, ~load<u64>(a, 24) + carry3);
}

/** r = the bits of a turned over. */
export function not(r: usize, a: usize): void {
  setLimbs(r, ~load<u64>(a), ~load<u64>(a, 8), ~load<u64>(a, 16), ~load<u64>(a, 24));
}

/** r = a and b, bit by bit. */
export function and(r: usize, a: usize, b: usize): void {
  const r0 = load<u64>(a) & load<u64>(b);
  const r1 = load<u64>(a, 8) & load<u64>(b, 8);
  const r2 = load<u64>(a, 16) & load<u64>(b, 16);
  const r3 = load<u64>(a, 24) & load<u64>(b, 24);
  setLimbs(r, r0, r1, r2, r3);
}

/** r = a or b, bit by bit. */
export function or(r: usize, a: usize, b: usize): void {
  const r0 = load<u64>(a) | load<u64>(b);
  const r1 = load<u64>(a, 8) | load<u64>(b, 8);
  const r2 = load<u64>(a, 16) | load<u64>(b, 16);
  const r3 = load<u64>(a, 24) | load<u64>(b, 24);
  setLimbs(r, r0, r1, r2, r3);
}

/** r = either a or b, bit by bit. */
export function xor(r: usize, a: usize, b: usize): void {
  const r0 = load<u64>(a) ^ load<u64>(b);
  const r1 = load<u64>(a, 8) ^ load<u64>(b, 8);
  const r2 = load<u64>(a, 16) ^ load<u64>(b, 16);
  const r3 = load<u64>(a, 24) ^ load<u64>(b, 24);
  setLimbs(r, r0, r1, r2, r3);
}
