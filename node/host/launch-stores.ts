import type { HostConfig } from './config.ts';
import { LedgerStore, type LedgerStoreOptions } from './ledger-store.ts';
import type { Log } from './log.ts';
import { PageStore } from './page-store.ts';
import { SnapshotStore } from './snapshot-store.ts';

/** What one launch of the enclaves stores beside its sealed records. */
export interface LaunchStores {
  readonly ledger: LedgerStore;
  readonly snapshots: SnapshotStore;
  readonly pages: PageStore;
}

/** Who is told what becomes of the ledger. */
export type LedgerEvents = Omit<LedgerStoreOptions, 'directory' | 'chunkBytes'>;

/**
 * Opens the directories of a node's data and says what was found in them.
 * @throws HostError LEDGER_HOLE, LEDGER_OVERLAP, LEDGER_DAMAGED, DISK_FULL, DISK_ERROR
 */
export async function openStores(
  { dataDirectory, ledger: { chunkBytes } }: Pick<HostConfig, 'dataDirectory' | 'ledger'>,
  log: Log,
  events: LedgerEvents,
): Promise<LaunchStores> {
  const directory = `${dataDirectory}/ledger`;
  const ledger = await LedgerStore.open({ directory, chunkBytes, ...events });
  for (const tail of ledger.recovery.torn) log.warn('ledger.torn-tail-cut', { ...tail });
  tellUnknown(log, 'ledger', ledger.recovery.unknown);
  const { firstHeight, lastHeight, missing } = ledger;
  log.info('ledger.opened', { firstHeight, lastHeight, missing });

  const snapshots = await SnapshotStore.open(`${dataDirectory}/snapshots`);
  const { damaged, unfinished, unknown } = snapshots.recovery;
  if (damaged.length > 0) log.warn('snapshots.damaged', { heights: damaged });
  tellUnknown(log, 'snapshots', unknown);
  log.info('snapshots.opened', { finished: snapshots.finished, unfinished });

  const pages = await PageStore.open(`${dataDirectory}/history`);
  tellUnknown(log, 'history', pages.unknown);
  return { ledger, snapshots, pages };
}

/** Closes what {@link openStores} opened. */
export async function closeStores({ ledger, snapshots, pages }: LaunchStores): Promise<void> {
  await ledger.close();
  await snapshots.close();
  await pages.close();
}

function tellUnknown(log: Log, directory: string, names: readonly string[]): void {
  if (names.length === 0) return;
  log.warn(`${directory}.unknown-files`, { count: names.length, names: names.slice(0, 10) });
}
