import { DecodeError, fromUtf8 } from '@concordat/std';
import { ManagerError } from './errors.ts';

/**
 * Reads a JSON object another node sent. Nothing of the input is quoted.
 * @throws ManagerError CHANNEL_FAILED
 */
export function readForeignObject(bytes: Uint8Array, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(bytes));
  } catch {
    throw malformed(`${what} is not JSON`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed(`${what} is not an object`);
  }
  return value as Record<string, unknown>;
}

/**
 * Runs a decoder of another node's bytes.
 * @throws ManagerError CHANNEL_FAILED in place of a DecodeError
 */
export function readForeign<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw malformed(`${what}: ${error.message}`);
  }
}

const malformed = (why: string): ManagerError =>
  new ManagerError('CHANNEL_FAILED', `the other node sent what has not the declared form: ${why}`);

/** Whether a value is a text of at most so many characters. */
export const isText = (value: unknown, max: number): value is string =>
  typeof value === 'string' && value.length <= max;

/** Throws what {@link readForeignObject} throws when a field does not hold. */
export function requireField(condition: boolean, what: string): asserts condition {
  if (!condition) throw malformed(what);
}
