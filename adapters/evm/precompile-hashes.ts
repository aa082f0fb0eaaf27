import { hash } from 'node:crypto';
import { type Precompile, wordsOf } from './precompile.ts';

/** SHA-256 (Yellow Paper, E.1). */
export const sha256: Precompile = {
  gas: (input) => 60 + 12 * wordsOf(input.length),
  run: (input) => hash('sha256', input, 'buffer'),
};

/** RIPEMD-160, right aligned in 32 bytes (Yellow Paper, E.1). */
export const ripemd160: Precompile = {
  gas: (input) => 600 + 120 * wordsOf(input.length),
  run(input) {
    const answer = new Uint8Array(32);
    answer.set(hash('ripemd160', input, 'buffer'), 12);
    return answer;
  },
};

/** The input itself. The engine does this without leaving WebAssembly; here for completeness. */
export const identity: Precompile = {
  gas: (input) => 15 + 3 * wordsOf(input.length),
  run: (input) => Uint8Array.from(input),
};
