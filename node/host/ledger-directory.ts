import { open, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { chunkHeaderBytes, formatChunkName } from './chunk-format.ts';
import { type ChunkScan, scanChunk } from './chunk-scan.ts';
import { cutFile, syncDirectory } from './durable-file.ts';
import { HostError } from './errors.ts';

/** One chunk file as the store keeps track of it. */
export interface Chunk {
  readonly first: number;
  /** Height of the last block in it; `first - 1` while empty. */
  last: number;
  /** Bytes of whole frames and header. */
  bytes: number;
  path: string;
  committed: boolean;
  /** Grows no more. */
  complete: boolean;
  /** Offset of each frame; absent where it has not been needed. */
  offsets: number[] | undefined;
}

/** Finds the blocks of a chunk file. @throws HostError LEDGER_DAMAGED */
export async function scanFile(path: string, first: number): Promise<ChunkScan> {
  const file = await open(path, 'r');
  try {
    return await scanChunk(file, first);
  } finally {
    await file.close();
  }
}

/**
 * Drops every block above a height, newest first, so that a crash on the way leaves no hole.
 * Returns the chunks that remain.
 */
export async function truncateChunks(
  directory: string,
  chunks: readonly Chunk[],
  after: number,
): Promise<Chunk[]> {
  const kept = [...chunks];
  for (let newest = kept.at(-1); newest && newest.last > after; newest = kept.at(-1)) {
    if (newest.first > after) {
      await unlink(newest.path);
      await syncDirectory(directory);
      kept.pop();
      continue;
    }
    const offsets = await chunkOffsets(newest);
    const keep = after - newest.first + 1;
    const path = join(directory, formatChunkName({ first: newest.first }));
    if (path !== newest.path) await rename(newest.path, path);
    const bytes = offsets[keep] as number;
    await cutFile(path, bytes);
    await syncDirectory(directory);
    Object.assign(newest, { last: after, bytes, path, committed: false, complete: false });
    newest.offsets = offsets.slice(0, keep);
  }
  return kept;
}

/** Gives a complete chunk its committed name. */
export async function markCommitted(directory: string, chunk: Chunk): Promise<void> {
  const path = join(directory, formatChunkName({ first: chunk.first, last: chunk.last }));
  await rename(chunk.path, path);
  chunk.path = path;
  chunk.committed = true;
  chunk.offsets = undefined;
  await syncDirectory(directory);
}

/** A chunk file that is about to be written; its header goes out with its first blocks. */
export const newChunk = (directory: string, first: number): Chunk => ({
  first,
  last: first - 1,
  bytes: chunkHeaderBytes,
  path: join(directory, formatChunkName({ first })),
  committed: false,
  complete: false,
  offsets: [],
});

/** Offsets of a chunk's frames, from memory or by walking the file once. */
export async function chunkOffsets(chunk: Chunk): Promise<readonly number[]> {
  if (chunk.offsets) return chunk.offsets;
  const scan = await scanFile(chunk.path, chunk.first);
  if (scan.tornBytes > 0 || scan.offsets.length !== chunk.last - chunk.first + 1) {
    throw new HostError(
      'LEDGER_DAMAGED',
      `chunk ${chunk.first}-${chunk.last} does not hold what its name says`,
      {
        height: chunk.first + scan.offsets.length,
      },
    );
  }
  chunk.bytes = scan.end;
  chunk.offsets = scan.offsets;
  return scan.offsets;
}
