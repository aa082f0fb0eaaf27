import { randomBytes } from 'node:crypto';

/** Entropy of the enclave. */
export const entropy = (bytes: number): Uint8Array => randomBytes(bytes);

/** Waits. */
export const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
