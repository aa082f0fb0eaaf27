import type { Entry } from '@concordat/consensus';
import type { LedgerReader } from './ledger-duties.ts';
import { entryOf } from './log-entry.ts';

const maxFetchBytes = 8 * 1024 * 1024;
const maxFetchBlocks = 4096;

/** Which blocks a peer lacks; both heights inclusive. */
export interface Lacking {
  readonly from: number;
  readonly to: number;
  readonly maxBytes: number;
}

/**
 * Entries for a peer that lacks some consensus no longer holds in memory: from the host's ledger,
 * each checked.
 * @throws ManagerError LEDGER_CORRUPT, HOST_FAULT, SESSION_KEY_MISSING
 */
export async function entriesFor(
  stored: LedgerReader,
  { from, to, maxBytes }: Lacking,
): Promise<Entry[]> {
  const last = Math.min(to, from + maxFetchBlocks - 1);
  const blocks = await stored.read(from, last, Math.min(maxBytes, maxFetchBytes));
  return blocks.map(entryOf);
}
