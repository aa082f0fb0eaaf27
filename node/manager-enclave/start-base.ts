import type { PlacedConfiguration } from '@concordat/consensus';
import type { SessionKey } from '@concordat/ledger';
import type { CodedError } from '@concordat/std';
import { Administration } from './administration.ts';
import { ManagerError } from './errors.ts';
import type { Manager } from './manager.ts';
import { type PublicLedger, type PublicReplay, replayPublic } from './public-replay.ts';
import type { KeptSnapshot } from './record-keeper.ts';
import { positionOf } from './snapshot-position.ts';
import { restorePublic, restoreState } from './snapshot-restore.ts';
import { StoredSnapshot, snapshotCorrupt } from './stored-snapshot.ts';

/** What a ledger on disk is read on from: a snapshot of this node, or nothing. */
export interface StartBase {
  readonly stored: StoredSnapshot;
  readonly height: number;
  readonly configuration: PlacedConfiguration;
}

/**
 * The newest snapshot of this node that its ledger goes on from; undefined when the ledger is to
 * be read from its first block. Whatever does not hold is named, dropped and passed over.
 * @throws ManagerError HOST_FAULT, RECORD_UNREADABLE
 */
export async function findStartBase(manager: Manager): Promise<StartBase | undefined> {
  const { start, snapshots } = manager;
  const opened: StoredSnapshot[] = [];
  for (const kept of await manager.keeper.snapshots()) {
    const stored = await openKept(manager, kept);
    if (stored) opened.push(stored);
  }
  const sound = new Set(opened.map(({ kept }) => kept.height));
  // One whose key is not known any more is of no use, and takes the place of another.
  for (const { height } of start.snapshots)
    if (!sound.has(height)) manager.control.snapshotDrop(height);
  for (const stored of opened) {
    await snapshots.adopt(stored, stored.kept.given ? 'given' : 'own');
  }
  const stored = opened.find(({ kept }) => start.firstHeight <= kept.height + 1);
  if (!stored) return undefined;
  const { height, configuration, configurationHeight } = positionOf(
    stored.manifest,
    stored.kept.digest,
  );
  return { stored, height, configuration: { configuration, height: configurationHeight } };
}

async function openKept(manager: Manager, kept: KeptSnapshot): Promise<StoredSnapshot | undefined> {
  const { start, network, control } = manager;
  const { height, chunks } = kept;
  try {
    const listed = start.snapshots.some((on) => on.height === height && on.chunks === chunks);
    if (!listed) throw snapshotCorrupt(height, 'MISSING', 'the host does not have it whole');
    if (kept.networkId !== network.id) {
      throw snapshotCorrupt(height, 'WRONG_NETWORK', 'it is of another network');
    }
    const stored = await StoredSnapshot.open(control, kept);
    positionOf(stored.manifest, kept.digest);
    return stored;
  } catch (error) {
    if (!(error instanceof ManagerError) || error.code !== 'SNAPSHOT_CORRUPT') throw error;
    refused(manager, error);
    return undefined;
  }
}

/**
 * Reads what is public of the ledger on the host, from a snapshot or from the first block. A snapshot
 * that turns out not to hold is dropped, and this launch ends, as in {@link beginFrom}.
 * @throws ManagerError LEDGER_CORRUPT, SNAPSHOT_CORRUPT, HOST_FAULT
 */
export async function publicPartOf(
  manager: Manager,
  base: StartBase | undefined,
  { upTo, progress }: Omit<PublicReplay, 'base'>,
): Promise<PublicLedger> {
  try {
    return await replayPublic(manager, { upTo, progress, base: base?.stored });
  } catch (error) {
    if (base) await dropIfCorrupt(manager, base, error);
    throw error;
  }
}

async function dropIfCorrupt(manager: Manager, { height }: StartBase, error: unknown) {
  if (!(error instanceof ManagerError) || error.code !== 'SNAPSHOT_CORRUPT') return;
  refused(manager, error);
  await manager.snapshots.drop(height);
}

/**
 * Begins with the state of a snapshot. One that turns out not to hold is dropped, and this launch
 * ends: the next one begins from another, or from the first block.
 * @throws ManagerError SNAPSHOT_CORRUPT, HOST_FAULT
 */
export async function beginFrom(manager: Manager, base: StartBase, lastHeight: number) {
  const { control, held } = manager;
  const { stored, height } = base;
  control.log('snapshot.restoring', { height, chunks: stored.kept.chunks });
  try {
    await unlock(manager, stored);
    await restoreState(manager, stored);
  } catch (error) {
    await dropIfCorrupt(manager, base, error);
    throw error;
  }
  // A crash after it was stored and before the ledger was made to go on from it.
  if (lastHeight < height) {
    await control.ledgerBase(height);
    held.goesOnAfter(height, lastHeight);
  }
}

/** Gathers the key that the closed part of a snapshot is sealed for, if it is not at hand. */
async function unlock({ sessionKeys, epochs }: Manager, stored: StoredSnapshot): Promise<void> {
  const { epoch } = stored.manifest;
  if (!sessionKeys.get(epoch)) {
    const governance = new Administration();
    await restorePublic(governance, stored);
    await epochs.obtain([epoch], governance.head);
  }
  stored.unlock(sessionKeys.get(epoch) as SessionKey);
}

function refused({ control, refusals }: Manager, { code, message, details }: CodedError): void {
  refusals.add('snapshot', String(details.reason ?? code));
  control.log('snapshot.refused', { level: 'warn', code, why: message, ...details });
}
