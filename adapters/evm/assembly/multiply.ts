import { setLimbs, zeroWord } from './limbs';

const low32: u64 = 0xffff_ffff;

/** The upper 64 bits of the product of two limbs, from four products of their halves. */
export function mulHigh(a: u64, b: u64): u64 {
  const aLow = a & low32;
  const aHigh = a >> 32;
  const bLow = b & low32;
  const bHigh = b >> 32;
  const upper = aHigh * bLow + ((aLow * bLow) >> 32);
  const lower = aLow * bHigh + (upper & low32);
  return aHigh * bHigh + (upper >> 32) + (lower >> 32);
}

/** r = a * b mod 2^256. */
export function mul(r: usize, a: usize, b: usize): void {
  const a0 = load<u64>(a);
  const a1 = load<u64>(a, 8);
  const a2 = load<u64>(a, 16);
  const a3 = load<u64>(a, 24);
  const b0 = load<u64>(b);
  const b1 = load<u64>(b, 8);
  const b2 = load<u64>(b, 16);
  const b3 = load<u64>(b, 24);
  const r0 = a0 * b0;
  let r1 = mulHigh(a0, b0);
  if ((a1 | a2 | a3 | b1 | b2 | b3) == 0) {
    setLimbs(r, r0, r1, 0, 0);
    return;
  }
  // Column 1.
  let term = a0 * b1;
  r1 += term;
  let r2 = u64(r1 < term);
  term = a1 * b0;
  r1 += term;
  r2 += u64(r1 < term);
  // Column 2, whose carries go to column 3.
  term = mulHigh(a0, b1);
  r2 += term;
  let r3 = u64(r2 < term);
  term = mulHigh(a1, b0);
  r2 += term;
  r3 += u64(r2 < term);
  term = a1 * b1;
  r2 += term;
  r3 += u64(r2 < term);
  r3 += mulHigh(a1, b1);
  if ((a2 | a3 | b2 | b3) != 0) {
    term = a0 * b2;
    r2 += term;
    r3 += u64(r2 < term);
    term = a2 * b0;
    r2 += term;
    r3 += u64(r2 < term);
    r3 += mulHigh(a0, b2) + mulHigh(a2, b0);
    r3 += a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0;
  }
  setLimbs(r, r0, r1, r2, r3);
}

/** Writes the 512 bits of a * b to the eight limbs at `r`, which is neither operand. */
export function mulFull(r: usize, a: usize, b: usize): void {
  const b0 = load<u64>(b);
  const b1 = load<u64>(b, 8);
  const b2 = load<u64>(b, 16);
  const b3 = load<u64>(b, 24);
  zeroWord(r);
  zeroWord(r + 32);
  for (let i: usize = 0; i < 32; i += 8) {
    const digit = load<u64>(a + i);
    if (digit == 0) continue;
    const row = r + i;
    let carry = addProduct(row, digit, b0, 0);
    carry = addProduct(row + 8, digit, b1, carry);
    carry = addProduct(row + 16, digit, b2, carry);
    store<u64>(row, addProduct(row + 24, digit, b3, carry), 32);
  }
}

/** Adds a * b + carry to the limb at `r`; answers what goes to the next limb, which never overflows. */
function addProduct(r: usize, a: u64, b: u64, carry: u64): u64 {
  const low = a * b;
  const sum = low + carry;
  const total = sum + load<u64>(r);
  store<u64>(r, total);
  return mulHigh(a, b) + u64(sum < low) + u64(total < sum);
}
