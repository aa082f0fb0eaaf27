import { setLimbs } from './limbs';

/** r = the number that 32 big-endian bytes are. */
export function loadBytes(r: usize, bytes: usize): void {
  const r0 = bswap(load<u64>(bytes, 24));
  const r1 = bswap(load<u64>(bytes, 16));
  const r2 = bswap(load<u64>(bytes, 8));
  setLimbs(r, r0, r1, r2, bswap(load<u64>(bytes)));
}

/** Writes a as 32 big-endian bytes; `bytes` may be a itself. */
export function storeBytes(bytes: usize, a: usize): void {
  loadBytes(bytes, a);
}

/** r = the number that n big-endian bytes are, n from 0 to 32; at least 8 readable bytes lie before. */
export function loadPart(r: usize, bytes: usize, n: i32): void {
  const end = bytes + <usize>n;
  const r0 = partLimb(end, n);
  const r1 = n > 8 ? partLimb(end - 8, n - 8) : 0;
  const r2 = n > 16 ? partLimb(end - 16, n - 16) : 0;
  const r3 = n > 24 ? partLimb(end - 24, n - 24) : 0;
  setLimbs(r, r0, r1, r2, r3);
}

/** The limb whose last byte is before `end`; only n bytes of it belong to the number. */
function partLimb(end: usize, n: i32): u64 {
  if (n <= 0) return 0;
  const limb = bswap(load<u64>(end - 8));
  return n >= 8 ? limb : limb & (((<u64>1) << (<u64>(n << 3))) - 1);
}

/** r = the number that 20 big-endian bytes are. */
export function loadAddress(r: usize, bytes: usize): void {
  const r0 = bswap(load<u64>(bytes, 12));
  const r1 = bswap(load<u64>(bytes, 4));
  setLimbs(r, r0, r1, <u64>bswap(load<u32>(bytes)), 0);
}

/** Writes the low 160 bits of a as 20 big-endian bytes; `bytes` may be a itself. */
export function storeAddress(bytes: usize, a: usize): void {
  const a0 = load<u64>(a);
  const a1 = load<u64>(a, 8);
  store<u32>(bytes, bswap(load<u32>(a, 16)));
  store<u64>(bytes, bswap(a1), 4);
  store<u64>(bytes, bswap(a0), 12);
}
