import type { LogPosition, SnapshotPosition } from '@concordat/consensus';
import { positionText } from './names.ts';
import type { StoryNode } from './story-node.ts';

/** The snapshot of a node's committed state, in so many chunks; equal on every node. */
export function snapshotOf(node: StoryNode, chunks: number): SnapshotPosition {
  const { committed } = node.machine.status;
  const view = node.disk.entry(committed)?.view ?? node.disk.base.view;
  const placed = node.disk.configurations().filter(({ height }) => height <= committed);
  const { height, configuration } = placed[placed.length - 1] as (typeof placed)[number];
  return {
    height: committed,
    view,
    configuration,
    configurationHeight: height,
    chunks,
    digest: digestOf({ height: committed, view }),
  };
}

/** A digest that people can read: the position in hex. */
export const digestOf = (position: LogPosition): string =>
  Buffer.from(positionText(position)).toString('hex').padEnd(64, '0');

/** What a snapshot is called, by its digest. */
export const snapshotName = (digest: string): string =>
  Buffer.from(digest.replace(/(00)+$/, ''), 'hex').toString('utf8');

/** The bytes of a chunk, as whoever holds it has them. */
export const chunkBytes = (digest: string, index: number): Uint8Array =>
  Buffer.from(`${snapshotName(digest)}: chunk ${index}`);

/** The bytes of a chunk on this node's disk; undefined when it is not there. */
export function readChunk(node: StoryNode, digest: string, index: number): Uint8Array | undefined {
  if (!node.disk.chunks.has(`${digest}:${index}`)) return undefined;
  if (node.spoiled.has(`${digest}:${index}`)) return Buffer.from('spoiled');
  return chunkBytes(digest, index);
}
