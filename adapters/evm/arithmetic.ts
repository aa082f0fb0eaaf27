import { precompileBytes } from './engine-bytes.ts';

/** What the module of `assembly/precompiles/` exports. Addresses are in its memory. */
interface Arithmetic {
  readonly memory: WebAssembly.Memory;
  room(bytes: number): number;
  keccak256(out: number, data: number, length: number): void;
  blake2Compress(block: number, rounds: number): void;
  montgomeryPower(
    result: number,
    base: number,
    one: number,
    modulus: number,
    count: number,
    exponent: number,
    length: number,
    scratch: number,
  ): void;
  truncatedPower(
    result: number,
    base: number,
    count: number,
    exponent: number,
    length: number,
    scratch: number,
  ): void;
}

/** The one instance of the process: nothing in it outlives a call. */
export const arithmetic = new WebAssembly.Instance(new WebAssembly.Module(precompileBytes), {})
  .exports as unknown as Arithmetic;

/** Room for so many bytes in its memory, and a view over all of it, good until the next room. */
export function arithmeticRoom(bytes: number): { readonly at: number; readonly memory: Buffer } {
  const at = arithmetic.room(bytes);
  return { at, memory: Buffer.from(arithmetic.memory.buffer) };
}
