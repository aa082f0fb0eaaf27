import { AdapterError } from '@concordat/worker-enclave';
import type { ApplicationLimits } from './frames.ts';

/** Bounds of each limit: least, greatest, and what is in force unless the constitution says so. */
const bounds: Readonly<Record<keyof ApplicationLimits, readonly [number, number, number]>> = {
  // A batch that takes 5 s is given up by the worker.
  maxRequestMs: [10, 4_000, 1_000],
  maxMemoryMebibytes: [128, 65_536, 1_024],
  maxAnswerBytes: [1_024, 16 * 1024 * 1024, 1024 * 1024],
  maxWriteBytes: [1_024, 4 * 1024 * 1024, 1024 * 1024],
  maxBatchMs: [10, 4_000, 1_000],
};

/**
 * Reads the adapter's part of the constitution.
 * @throws AdapterError INVALID_CONFIGURATION
 */
export function readLimits(config: unknown): ApplicationLimits {
  if (config !== undefined && (typeof config !== 'object' || Array.isArray(config))) {
    throw invalid('it is not an object');
  }
  const given = new Map(Object.entries((config ?? {}) as Record<string, unknown>));
  const limits: Record<string, number> = {};
  for (const [name, [least, greatest, usual]] of Object.entries(bounds)) {
    const value = given.get(name) ?? usual;
    given.delete(name);
    if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > greatest) {
      throw invalid(`${name} is a whole number from ${least} to ${greatest}`);
    }
    limits[name] = value as number;
  }
  const [unknown] = given.keys();
  if (unknown !== undefined) throw invalid(`unknown ${unknown}`);
  return limits as unknown as ApplicationLimits;
}

const invalid = (why: string): AdapterError =>
  new AdapterError('INVALID_CONFIGURATION', `configuration of the JavaScript adapter: ${why}`);
