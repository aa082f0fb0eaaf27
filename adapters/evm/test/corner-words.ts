/** 2^256 - 1. */
export const mask256 = 2n ** 256n - 1n;

const near = (power: bigint): bigint[] => [power - 1n, power, power + 1n];

/** Where carries, signs, limbs and digits begin and end. */
export const cornerWords: readonly bigint[] = [
  0n,
  1n,
  2n,
  3n,
  7n,
  10n,
  31n,
  32n,
  ...[8n, 32n, 63n, 64n, 96n, 127n, 128n, 160n, 192n, 224n, 255n].flatMap((bits) =>
    near(2n ** bits),
  ),
  mask256 - 1n,
  mask256,
  10n ** 18n,
  10n ** 70n,
  0xffff_ffff_0000_0000n,
  0xffff_ffff_ffff_ffff_0000_0000_0000_0000n,
  // Every second limb, every second digit, every second bit.
  BigInt(`0x${'ffffffffffffffff0000000000000000'.repeat(2)}`),
  BigInt(`0x${'ffffffff00000000'.repeat(4)}`),
  BigInt(`0x${'55'.repeat(32)}`),
  // The prime of secp256k1, that of alt_bn128.
  2n ** 256n - 2n ** 32n - 977n,
  21888242871839275222246405745257275088696311157297823662689037894645226208583n,
];

/** Small deterministic generator (mulberry32), so that a failure can be repeated; 0 to 1. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A word of random length whose digits are random, all zero or all one: long division's hard cases. */
export function randomWord(random: () => number): bigint {
  let word = 0n;
  for (let i = 0; i < 8; i++) {
    const kind = random();
    const digit = kind < 0.2 ? 0 : kind < 0.4 ? 0xffff_ffff : Math.floor(random() * 2 ** 32);
    word = (word << 32n) | BigInt(digit);
  }
  return word >> BigInt(Math.floor(random() * 8) * 32 + Math.floor(random() * 32));
}
