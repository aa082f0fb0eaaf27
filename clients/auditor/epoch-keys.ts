import type { SessionKey } from '@concordat/ledger';
import { fromHex, isHex64, toEpoch, toHex } from '@concordat/std';
import { AuditorError } from './errors.ts';

/** Session keys of some epochs of one network: what opens the private parts of their blocks. */
export interface EpochKeys {
  /** 64 lowercase hex digits. */
  readonly networkId: string;
  /** Ascending by epoch, each epoch once. Secret. */
  readonly keys: readonly SessionKey[];
}

/** Most epochs of one file. */
export const maxEpochKeys = 100_000;
/** Most characters of a file. */
export const maxEpochKeysLength = 16 * 1024 * 1024;

const format = 'concordat epoch keys';

/**
 * The file that auditors and offline tools keep session keys in: JSON (docs/format/recovery-files.md).
 * Secret: whoever has it reads those epochs.
 */
export function encodeEpochKeys({ networkId, keys }: EpochKeys): string {
  const sorted = [...keys].sort((a, b) => a.epoch - b.epoch);
  const list = sorted.map(({ epoch, key }) => ({ epoch, key: toHex(key) }));
  return `${JSON.stringify({ format, version: 1, networkId, keys: list }, undefined, 2)}\n`;
}

/**
 * Reads such a file strictly; whether the keys are right shows when they open blocks.
 * @throws AuditorError INVALID_EPOCH_KEYS
 */
export function decodeEpochKeys(text: string): EpochKeys {
  if (text.length > maxEpochKeysLength) throw invalid(`more than ${maxEpochKeysLength} characters`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('not JSON');
  }
  const file = membersOf(value, ['format', 'version', 'networkId', 'keys'], 'the file');
  if (file.format !== format || file.version !== 1) throw invalid('not of version 1');
  const { networkId, keys } = file;
  if (!isHex64(networkId)) throw invalid('networkId is not 64 lowercase hex digits');
  if (!Array.isArray(keys) || keys.length === 0) throw invalid('keys is not a list, or empty');
  if (keys.length > maxEpochKeys) throw invalid(`more than ${maxEpochKeys} keys`);
  let last = 0;
  const read = keys.map((item: unknown): SessionKey => {
    const { epoch, key } = membersOf(item, ['epoch', 'key'], 'a key');
    if (!Number.isSafeInteger(epoch) || (epoch as number) <= last) {
      throw invalid('epochs are whole numbers from 1, ascending, each once');
    }
    last = epoch as number;
    if (!isHex64(key)) throw invalid(`the key of epoch ${last} is not 64 lowercase hex digits`);
    return { epoch: toEpoch(last), key: Uint8Array.from(fromHex(key) as Uint8Array) };
  });
  return { networkId, keys: read };
}

function membersOf(
  value: unknown,
  names: readonly string[],
  what: string,
): Readonly<Record<string, unknown>> {
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
  const found = isRecord ? Object.keys(value) : [];
  if (found.length === names.length && names.every((name) => found.includes(name))) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw invalid(`${what} has not exactly the members ${names.join(', ')}`);
}

const invalid = (why: string): AuditorError =>
  new AuditorError('INVALID_EPOCH_KEYS', `not a file of epoch keys: ${why}`);
