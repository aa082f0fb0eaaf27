import type { EnclaveRole } from '@concordat/attestation';
import { isHex64 } from '@concordat/std';
import { SdkError } from './errors.ts';

/** Code and platforms that a client accepts, whatever the network's own manifests say. */
export interface PinnedCode {
  /** Measurements by role; what else stands beside them in a manifest is not looked at. */
  readonly code: readonly { readonly measurement: string; readonly role: EnclaveRole }[];
  /** Names of platforms, strongest or not: `virtual` among them proves nothing against a host's owner. */
  readonly platforms: readonly string[];
}

const maxEntries = 1_000;

/**
 * Reads pinned code from a JSON text: `{"code": [{"measurement", "role"}], "platforms": ["sev-snp"]}`.
 * Entries may hold more, as those of a code manifest do. Platforms must be named.
 * @throws SdkError INVALID_PINNED_CODE
 */
export function parsePinnedCode(text: string): PinnedCode {
  let value: Partial<Record<keyof PinnedCode, unknown>> | null;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('it is not JSON');
  }
  return checkPinnedCode(value);
}

/** @throws SdkError INVALID_PINNED_CODE */
export function checkPinnedCode(value: unknown): PinnedCode {
  const { code, platforms } = (value ?? {}) as Partial<Record<keyof PinnedCode, unknown>>;
  const entries = listOf(code, 'code').map((entry, at) => {
    const { measurement, role } = (entry ?? {}) as { measurement?: unknown; role?: unknown };
    if (!isHex64(measurement)) throw invalid(`code[${at}].measurement is not 64 hex digits`);
    if (role !== 'manager' && role !== 'worker') {
      throw invalid(`code[${at}].role is neither manager nor worker`);
    }
    return { measurement, role } as const;
  });
  const names = listOf(platforms, 'platforms').map((name, at) => {
    if (typeof name === 'string' && /^[a-z][a-z0-9-]{0,31}$/.test(name)) return name;
    throw invalid(`platforms[${at}] is no name of a platform`);
  });
  if (!entries.some(({ role }) => role === 'manager')) throw invalid('it lists no manager');
  return { code: entries, platforms: names };
}

function listOf(value: unknown, name: string): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0 && value.length <= maxEntries) return value;
  throw invalid(`${name} is not a list of 1 to ${maxEntries} entries`);
}

const invalid = (why: string): SdkError =>
  new SdkError('INVALID_PINNED_CODE', `pinned code: ${why}`);
