import type { Digest } from '@concordat/std';

/** A digest's bytes from its binary string. */
export const digestOf = (latin1: string): Digest =>
  Buffer.from(latin1, 'latin1') as Uint8Array as Digest;
