import { type Entry, sameConfiguration } from '@concordat/consensus';
import { blockFlags, decodeHeader, type OpenedBlock, openPublicPart } from '@concordat/ledger';
import { configurationOf } from './configuration-record.ts';
import { corrupt } from './stored-blocks.ts';

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

/**
 * Checks that what consensus was told about an entry is what the sealed block says.
 * @throws ManagerError LEDGER_CORRUPT with reason CONTRADICTED; KvError MALFORMED
 */
export function requireAgreement(entry: Entry, { header, transactions }: OpenedBlock): void {
  const named =
    header.flags & blockFlags.reconfiguration
      ? configurationOf(transactions.map((t) => t.publicWrites))
      : undefined;
  const agrees =
    header.view === entry.view &&
    header.height === entry.height &&
    sameConfiguration(named, entry.configuration);
  if (agrees) return;
  const why = 'it does not say what its leader claims of it';
  throw corrupt(entry.height, why, 'CONTRADICTED');
}
