/** A contract that is part of the protocol: its price, and what it computes. */
export interface Precompile {
  /** Gas for an input; nothing is computed before it is known to be paid. May be infinite. */
  gas(input: Uint8Array): number;
  /** Output, or undefined when the input is refused, which takes all gas. */
  run(input: Uint8Array): Uint8Array | undefined;
}

/** `length` bytes of an input from `at` on, followed by zeros where it is shorter. */
export function padded(input: Uint8Array, at: number, length: number): Uint8Array {
  const end = at + length;
  if (end <= input.length) return input.subarray(at, end);
  const bytes = new Uint8Array(length);
  if (at < input.length) bytes.set(input.subarray(at));
  return bytes;
}

/** Words of 32 bytes that hold so many bytes. */
export const wordsOf = (bytes: number): number => Math.ceil(bytes / 32);
