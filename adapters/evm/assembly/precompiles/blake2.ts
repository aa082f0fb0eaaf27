/** The sixteen working words of a compression. */
const work: usize = memory.data(128, 16);

/** The message in the order of each of the ten rounds, 128 bytes a round. */
const schedule: usize = memory.data(1_280, 16);

const initial: usize = memory.data<u64>([
  0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
  0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
]);

const order: usize = memory.data<u8>([
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11,
  7, 5, 3, 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4, 7, 9, 3, 1, 13, 12, 11, 14, 2, 6,
  5, 10, 4, 0, 15, 8, 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13, 2, 12, 6, 10, 0, 11, 8,
  3, 4, 13, 7, 5, 15, 14, 1, 9, 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11, 13, 11, 7, 14,
  12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10, 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5, 10,
  2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0,
]);

/**
 * BLAKE2b's compression F (RFC 7693, EIP-152) on 212 bytes: state 64, message 128, offset 16, a flag
 * in the last four. The new state takes the place of the old one.
 */
export function blake2Compress(block: usize, rounds: u32): void {
  const message = block + 64;
  for (let i: usize = 0; i < 160; i++) {
    store<u64>(schedule + i * 8, load<u64>(message + <usize>load<u8>(order + i) * 8));
  }
  memory.copy(work, block, 64);
  memory.copy(work + 64, initial, 64);
  store<u64>(work, load<u64>(work, 96) ^ load<u64>(block, 192), 96);
  store<u64>(work, load<u64>(work, 104) ^ load<u64>(block, 200), 104);
  if (load<u32>(block, 208) != 0) store<u64>(work, ~load<u64>(work, 112), 112);
  let words = schedule;
  for (let round: u32 = 0; round < rounds; round++) {
    mixColumns(words);
    mixDiagonals(words + 64);
    words += 128;
    if (words == schedule + 1_280) words = schedule;
  }
  for (let i: usize = 0; i < 64; i += 8) {
    store<u64>(block + i, load<u64>(block + i) ^ load<u64>(work + i) ^ load<u64>(work + i, 64));
  }
}

function mixColumns(words: usize): void {
  mix(work, work + 32, work + 64, work + 96, load<u64>(words), load<u64>(words, 8));
  mix(work + 8, work + 40, work + 72, work + 104, load<u64>(words, 16), load<u64>(words, 24));
  mix(work + 16, work + 48, work + 80, work + 112, load<u64>(words, 32), load<u64>(words, 40));
  mix(work + 24, work + 56, work + 88, work + 120, load<u64>(words, 48), load<u64>(words, 56));
}

function mixDiagonals(words: usize): void {
  mix(work, work + 40, work + 80, work + 120, load<u64>(words), load<u64>(words, 8));
  mix(work + 8, work + 48, work + 88, work + 96, load<u64>(words, 16), load<u64>(words, 24));
  mix(work + 16, work + 56, work + 64, work + 104, load<u64>(words, 32), load<u64>(words, 40));
  mix(work + 24, work + 32, work + 72, work + 112, load<u64>(words, 48), load<u64>(words, 56));
}

/** G of RFC 7693. */
function mix(atA: usize, atB: usize, atC: usize, atD: usize, x: u64, y: u64): void {
  let b = load<u64>(atB);
  let a = load<u64>(atA) + b + x;
  let d = rotr<u64>(load<u64>(atD) ^ a, 32);
  let c = load<u64>(atC) + d;
  b = rotr<u64>(b ^ c, 24);
  a += b + y;
  d = rotr<u64>(d ^ a, 16);
  c += d;
  store<u64>(atA, a);
  store<u64>(atB, rotr<u64>(b ^ c, 63));
  store<u64>(atC, c);
  store<u64>(atD, d);
}
