import { createHash } from 'node:crypto';

/** Entropy of a test: the same for the same name, different at every call. */
export function entropyOf(name: string): (bytes: number) => Uint8Array {
  let calls = 0;
  return (bytes) => {
    calls += 1;
    const parts: Buffer[] = [];
    for (let at = 0; at * 64 < bytes; at++) {
      parts.push(createHash('sha512').update(`${name}/${calls}/${at}`).digest());
    }
    return new Uint8Array(Buffer.concat(parts).subarray(0, bytes));
  };
}
