import { viewOf } from '@concordat/std';
import { arithmetic, arithmeticRoom } from './arithmetic.ts';
import type { Precompile } from './precompile.ts';

const inputBytes = 213;
const blockBytes = 212;

/** BLAKE2b's compression with a chosen number of rounds (EIP-152). */
export const blake2f: Precompile = {
  gas: (input) => (input.length === inputBytes ? viewOf(input).readUInt32BE(0) : 0),
  run(input) {
    const final = input[inputBytes - 1];
    if (input.length !== inputBytes || (final !== 0 && final !== 1)) return undefined;
    const { at, memory } = arithmeticRoom(blockBytes);
    memory.set(input.subarray(4, inputBytes - 1), at);
    memory.writeUInt32LE(final, at + 208);
    arithmetic.blake2Compress(at, viewOf(input).readUInt32BE(0));
    return new Uint8Array(memory.subarray(at, at + 64));
  },
};
