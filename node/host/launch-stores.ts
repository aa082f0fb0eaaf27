import type { HostConfig } from './config.ts';
import { HostError } from './errors.ts';
import { FormerLedger } from './former-ledger.ts';
import { LedgerStore, type LedgerStoreOptions } from './ledger-store.ts';
import type { Log } from './log.ts';
import { PageStore } from './page-store.ts';
import { SnapshotStore } from './snapshot-store.ts';

/** What one launch of the enclaves stores beside its sealed records. */
export interface LaunchStores {
  readonly ledger: LedgerStore;
  readonly snapshots: SnapshotStore;
  readonly pages: PageStore;
  /** The ledger of a network that is recovered. */
  readonly former?: FormerLedger;
}

/** Who is told what becomes of the ledger. */
export type LedgerEvents = Omit<LedgerStoreOptions, 'directory' | 'chunkBytes'>;

/**
 * Opens the directories of a node's data and says what was found in them.
 * @throws HostError LEDGER_HOLE, LEDGER_OVERLAP, LEDGER_DAMAGED, NOT_STORED, DISK_FULL, DISK_ERROR
 */
export async function openStores(
  config: Pick<HostConfig, 'dataDirectory' | 'ledger'> &
    Partial<Pick<HostConfig, 'mode' | 'formerLedgerDirectory'>>,
  log: Log,
  events: LedgerEvents,
): Promise<LaunchStores> {
  const {
    dataDirectory,
    ledger: { chunkBytes },
    mode,
    formerLedgerDirectory,
  } = config;
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
  const directoryOfFormer = mode === 'recover' ? formerLedgerDirectory : undefined;
  const former = directoryOfFormer && (await openFormer(directoryOfFormer, log, lastHeight > 0));
  return { ledger, snapshots, pages, ...(former && { former }) };
}

/** Once there is a ledger of the new network, the former one may have been put away. */
async function openFormer(
  directory: string,
  log: Log,
  isRecovered: boolean,
): Promise<FormerLedger | undefined> {
  try {
    const former = await FormerLedger.open(directory);
    log.info('former-ledger.opened', { lastHeight: former.lastHeight });
    return former;
  } catch (error) {
    if (!(error instanceof HostError) || !isRecovered) throw error;
    log.warn('former-ledger.missing', { code: error.code, message: error.message });
    return undefined;
  }
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
