// The operations that most of a program consists of, on the words at the top of the stack. They are
// written into the loop: a call from there costs more than what they do.

/** Makes a small number of the word at `sp`. */
export function putU64(sp: usize, value: u64): void {
  v128.store(sp, i64x2.replace_lane(i64x2.splat(0), 0, value));
  v128.store(sp, i64x2.splat(0), 16);
}

/** Makes 2^160 - 1 of the word at `sp`. */
export function putMask(sp: usize): void {
  store<u64>(sp, u64.MAX_VALUE);
  store<u64>(sp, u64.MAX_VALUE, 8);
  store<u64>(sp, 0xffff_ffff, 16);
  store<u64>(sp, 0, 24);
}

/** Whether the word at `sp` is below 2^32, as all that addresses memory must be. */
export function isShort(sp: usize): bool {
  return (load<u64>(sp, 8) | load<u64>(sp, 16) | load<u64>(sp, 24) | (load<u64>(sp) >> 32)) == 0;
}

/** Second = first + second, modulo 2^256. */
export function addTop(sp: usize): void {
  const a0 = load<u64>(sp);
  const a1 = load<u64>(sp, 8);
  const a2 = load<u64>(sp, 16);
  const r0 = a0 + load<u64>(sp, 32);
  const s1 = a1 + load<u64>(sp, 40);
  const s2 = a2 + load<u64>(sp, 48);
  const s3 = load<u64>(sp, 24) + load<u64>(sp, 56);
  const r1 = s1 + u64(r0 < a0);
  const r2 = s2 + (u64(s1 < a1) | u64(r1 < s1));
  const r3 = s3 + (u64(s2 < a2) | u64(r2 < s2));
  store<u64>(sp, r0, 32);
  store<u64>(sp, r1, 40);
  store<u64>(sp, r2, 48);
  store<u64>(sp, r3, 56);
}

/** Second = first - second, modulo 2^256. */
export function subTop(sp: usize): void {
  const a0 = load<u64>(sp);
  const a1 = load<u64>(sp, 8);
  const a2 = load<u64>(sp, 16);
  const b0 = load<u64>(sp, 32);
  const b1 = load<u64>(sp, 40);
  const b2 = load<u64>(sp, 48);
  const borrow0 = u64(a0 < b0);
  const d1 = a1 - b1;
  const borrow1 = u64(a1 < b1) | u64(d1 < borrow0);
  const d2 = a2 - b2;
  const borrow2 = u64(a2 < b2) | u64(d2 < borrow1);
  const r3 = load<u64>(sp, 24) - load<u64>(sp, 56) - borrow2;
  store<u64>(sp, a0 - b0, 32);
  store<u64>(sp, d1 - borrow0, 40);
  store<u64>(sp, d2 - borrow1, 48);
  store<u64>(sp, r3, 56);
}

/** Whether the word at `a` is below that at `b`, without a branch. */
export function isBelow(a: usize, b: usize): u64 {
  const a1 = load<u64>(a, 8);
  const b1 = load<u64>(b, 8);
  const a2 = load<u64>(a, 16);
  const b2 = load<u64>(b, 16);
  const a3 = load<u64>(a, 24);
  const b3 = load<u64>(b, 24);
  const below0 = u32(load<u64>(a) < load<u64>(b));
  const below1 = u32(a1 < b1) | (u32(a1 == b1) & below0);
  const below2 = u32(a2 < b2) | (u32(a2 == b2) & below1);
  return <u64>(u32(a3 < b3) | (u32(a3 == b3) & below2));
}

/** Whether the two words on top are equal. */
export function areEqual(sp: usize): u64 {
  const difference =
    (load<u64>(sp) ^ load<u64>(sp, 32)) |
    (load<u64>(sp, 8) ^ load<u64>(sp, 40)) |
    (load<u64>(sp, 16) ^ load<u64>(sp, 48)) |
    (load<u64>(sp, 24) ^ load<u64>(sp, 56));
  return u64(difference == 0);
}

/** Whether the word at `sp` is zero. */
export function isNothing(sp: usize): bool {
  return (load<u64>(sp) | load<u64>(sp, 8) | load<u64>(sp, 16) | load<u64>(sp, 24)) == 0;
}

/** Second = first and second, bit by bit. */
export function andTop(sp: usize): void {
  store<u64>(sp, load<u64>(sp) & load<u64>(sp, 32), 32);
  store<u64>(sp, load<u64>(sp, 8) & load<u64>(sp, 40), 40);
  store<u64>(sp, load<u64>(sp, 16) & load<u64>(sp, 48), 48);
  store<u64>(sp, load<u64>(sp, 24) & load<u64>(sp, 56), 56);
}

/** Second = first or second, bit by bit. */
export function orTop(sp: usize): void {
  store<u64>(sp, load<u64>(sp) | load<u64>(sp, 32), 32);
  store<u64>(sp, load<u64>(sp, 8) | load<u64>(sp, 40), 40);
  store<u64>(sp, load<u64>(sp, 16) | load<u64>(sp, 48), 48);
  store<u64>(sp, load<u64>(sp, 24) | load<u64>(sp, 56), 56);
}

/** First = not first, bit by bit. */
export function notTop(sp: usize): void {
  store<u64>(sp, ~load<u64>(sp));
  store<u64>(sp, ~load<u64>(sp, 8), 8);
  store<u64>(sp, ~load<u64>(sp, 16), 16);
  store<u64>(sp, ~load<u64>(sp, 24), 24);
}

/** Copies a word. */
export function duplicate(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
  v128.store(to, v128.load(from, 16), 16);
}

/** Exchanges two words. */
export function exchange(a: usize, b: usize): void {
  const low = v128.load(a);
  const high = v128.load(a, 16);
  duplicate(a, b);
  v128.store(b, low);
  v128.store(b, high, 16);
}

/** Makes a word of 32 big-endian bytes, or the other way round; the two do not overlap. */
export function turn(to: usize, from: usize): void {
  const high = v128.load(from);
  const low = v128.load(from, 16);
  v128.store(to, v128.shuffle<u8>(low, low, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
  v128.store(
    to,
    v128.shuffle<u8>(high, high, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
    16,
  );
}
