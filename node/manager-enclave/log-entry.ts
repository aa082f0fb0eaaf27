import type { Entry } from '@concordat/consensus';
import { blockFlags, decodeHeader, openPublicPart } from '@concordat/ledger';
import { configurationOf } from './configuration-record.ts';

/**
 * The consensus entry a stored block stands for.
 * @throws LedgerError MALFORMED, KvError MALFORMED
 */
export function entryOf(block: Uint8Array): Entry {
  const { view, height, flags } = decodeHeader(block);
  const entry = { view, height, payload: block };
  if ((flags & blockFlags.reconfiguration) === 0) return entry;
  const configuration = configurationOf(openPublicPart(block).publicWrites);
  return configuration ? { ...entry, configuration } : entry;
}
