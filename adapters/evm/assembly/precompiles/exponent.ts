// Exponents are big-endian bytes. Long ones are gone through four bits at a time, so that one of
// nothing but ones costs a quarter of a multiplication a bit and not a whole one.

/** Up to so many significant bytes go bit by bit: the table of powers would cost more. */
export const shortBytes: i32 = 4;

/** Leading zero bytes of an exponent. */
export function leadingZeros(exponent: usize, length: i32): i32 {
  let zeros = 0;
  while (zeros < length && load<u8>(exponent + <usize>zeros) == 0) zeros++;
  return zeros;
}
