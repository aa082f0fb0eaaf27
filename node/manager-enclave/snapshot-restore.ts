import { networkInfo } from '@concordat/governance';
import type { SnapshotManifest } from '@concordat/ledger';
import { CodedError, concatBytes } from '@concordat/std';
import type { Administration } from './administration.ts';
import { ManagerError } from './errors.ts';
import type { NodeContext } from './node-context.ts';
import { firstChunkOf, type StoredSnapshot, snapshotCorrupt } from './stored-snapshot.ts';

/**
 * Makes the state of a snapshot on the host the one of this node: governance, every worker, and
 * what is known of all blocks before. Each chunk is checked as it is read. A failure leaves a node
 * that has no state and cannot go on.
 * @throws ManagerError SNAPSHOT_CORRUPT with height and reason; HOST_FAULT
 */
export async function restoreState(node: NodeContext, stored: StoredSnapshot): Promise<void> {
  const { manifest } = stored;
  try {
    requireSameWorkers(node, manifest);
    for (const { source, chunks } of manifest.sections) {
      const first = firstChunkOf(manifest, source);
      const read = (index: number): Promise<Uint8Array> => stored.chunk(first + index);
      if (source === 0) await restoreAdministration(node.administration, stored);
      else await node.states.restore(source, chunks.length, read);
    }
    node.log.restore({ ...manifest, summary: await summaryOf(stored) });
    requireSameNetwork(node, manifest);
    node.sessionKeys.align(node.administration.committedState);
  } catch (error) {
    if (error instanceof ManagerError) throw error;
    if (error instanceof CodedError) {
      throw snapshotCorrupt(manifest.height, error.code, error.message);
    }
    // Those who read the state trust what a node wrote, so whatever they stumble over is its fault:
    // an end without a name would begin the next launch from the same snapshot, and end it so again.
    throw snapshotCorrupt(manifest.height, 'MALFORMED', 'its state is not what a node writes');
  }
}

async function restoreAdministration(
  administration: Administration,
  stored: StoredSnapshot,
): Promise<void> {
  await restorePublic(administration, stored);
  const { manifest } = stored;
  const first = firstChunkOf(manifest, 0);
  const chunks = manifest.sections[0]?.chunks.length ?? 0;
  await administration.restorePrivate(chunks, (index) => stored.chunk(first + index));
}

/**
 * Brings the public governance of a snapshot, which a stopped node can read alone.
 * @throws KvError MALFORMED, UNKNOWN_TABLE; ManagerError SNAPSHOT_CORRUPT, HOST_FAULT
 */
export function restorePublic(
  administration: Administration,
  stored: StoredSnapshot,
): Promise<void> {
  const { manifest } = stored;
  const first = firstChunkOf(manifest, 'public');
  const read = (index: number): Promise<Uint8Array> => stored.chunk(first + index);
  return administration.restorePublic(manifest.public.length, read);
}

/**
 * The history summary of a snapshot.
 * @throws ManagerError SNAPSHOT_CORRUPT, HOST_FAULT
 */
export async function summaryOf(stored: StoredSnapshot): Promise<Uint8Array> {
  const { manifest } = stored;
  const first = firstChunkOf(manifest, 'history');
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < manifest.history.length; at++) chunks.push(await stored.chunk(first + at));
  return concatBytes(...chunks);
}

/** A state of a worker that is not there would be lost, one that is missing be empty. */
function requireSameWorkers({ start }: NodeContext, { height, sections }: SnapshotManifest): void {
  const here = start.workers.map(({ index }) => index).sort((a, b) => a - b);
  const there = sections.map(({ source }) => source).filter((source) => source > 0);
  if (here.join() === there.join()) return;
  const why = `it is of the workers ${there.join(', ')}; here are ${here.join(', ')}`;
  throw snapshotCorrupt(height, 'WRONG_WORKERS', why);
}

function requireSameNetwork(node: NodeContext, { height }: SnapshotManifest): void {
  const { administration, network } = node;
  const named = administration.isCommitted && networkInfo(administration.committedState).networkId;
  if (named === network.id) return;
  throw snapshotCorrupt(height, 'WRONG_NETWORK', 'its state is of another network');
}
