/** Draws from a seed: the same seed, the same draws, on every machine (sfc32). */
export class Random {
  #a = 0x9e3779b9;
  #b = 0x243f6a88;
  #c: number;
  #count: number;

  constructor(seed: number) {
    this.#c = seed | 0;
    this.#count = (Math.floor(seed / 2 ** 32) << 1) | 1;
    for (let i = 0; i < 12; i++) this.bits();
  }

  /** 32 bits, from 0 to 2^32 - 1. */
  bits(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    return Math.floor((this.bits() / 2 ** 32) * end);
  }

  /** Whether a thing of this probability happens. */
  chance(probability: number): boolean {
    return this.bits() / 2 ** 32 < probability;
  }

  /** One of the items, each as likely. */
  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }

  /** One of the items by weights. */
  weighted<Item>(items: readonly (readonly [weight: number, item: Item])[]): Item {
    let total = 0;
    for (const [weight] of items) total += weight;
    let left = this.below(total);
    for (const [weight, item] of items) {
      left -= weight;
      if (left < 0) return item;
    }
    throw new Error('weights are whole numbers above 0');
  }

  /** So many bytes. */
  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.bits() & 255;
    return bytes;
  }

  /** A word: corner values, small ones, powers of two and their neighbours, any. */
  word(): bigint {
    switch (this.below(8)) {
      case 0:
        return this.pick(corners);
      case 1:
      case 2:
      case 3:
        return BigInt(this.below(300));
      case 4:
        return 1n << BigInt(this.below(256));
      case 5:
        return (1n << BigInt(this.below(257))) - 1n;
      case 6:
        return BigInt(`0x${Buffer.from(this.bytes(1 + this.below(32))).toString('hex')}`);
      default:
        return ((1n << 256n) - 1n) ^ BigInt(this.below(300));
    }
  }
}

const corners: readonly bigint[] = [
  0n,
  1n,
  2n,
  31n,
  32n,
  33n,
  255n,
  256n,
  0xffff_ffffn,
  1n << 32n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
  1n << 64n,
  1n << 128n,
  1n << 255n,
  (1n << 255n) - 1n,
  (1n << 256n) - 1n,
];
