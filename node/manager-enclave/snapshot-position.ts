import type { PlacedConfiguration, SnapshotPosition } from '@concordat/consensus';
import { type SnapshotManifest, snapshotChunks } from '@concordat/ledger';
import { fromUtf8, toHeight, utf8 } from '@concordat/std';
import { readConfiguration } from './configuration-record.ts';
import { snapshotCorrupt } from './stored-snapshot.ts';

/** The configuration in force as a manifest carries it: JSON, equal on every node. */
export const manifestConfiguration = ({ height, configuration }: PlacedConfiguration): Uint8Array =>
  utf8(JSON.stringify({ height, voters: configuration.voters, quorums: configuration.quorums }));

/**
 * What consensus is told of a snapshot.
 * @param digest of the manifest, hex
 * @throws ManagerError SNAPSHOT_CORRUPT
 */
export function positionOf(manifest: SnapshotManifest, digest: string): SnapshotPosition {
  const { height, view } = manifest;
  const placed = readPlaced(manifest);
  return {
    height,
    view,
    configuration: placed.configuration,
    configurationHeight: placed.height,
    chunks: snapshotChunks(manifest),
    digest,
  };
}

function readPlaced({ height, configuration }: SnapshotManifest): PlacedConfiguration {
  try {
    const { height: at, ...named } = JSON.parse(fromUtf8(configuration)) as { height: unknown };
    const read = readConfiguration(named);
    if (read && Number.isSafeInteger(at) && (at as number) >= 0 && (at as number) <= height) {
      return { height: toHeight(at as number), configuration: read };
    }
  } catch {
    // Not JSON: refused below.
  }
  throw snapshotCorrupt(height, 'MALFORMED', 'its configuration makes no sense');
}
