import { mkdir, open, readdir, rename, truncate, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { chunkHeaderBytes, formatChunkName, parseChunkName } from './chunk-format.ts';
import { type ChunkScan, scanChunk } from './chunk-scan.ts';
import { syncDirectory } from './durable-file.ts';
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

/** What opening a ledger directory found. */
export interface LedgerRecovery {
  readonly chunks: Chunk[];
  /** Set when a torn tail was cut off. */
  readonly torn?: { readonly height: number; readonly bytes: number; readonly keptAs: string };
}

/**
 * Opens a ledger directory after an orderly end or a crash: checks that the chunks join, cuts off
 * a torn tail of the newest one.
 * @throws HostError LEDGER_HOLE, LEDGER_OVERLAP, LEDGER_DAMAGED
 */
export async function recoverLedger(
  directory: string,
  chunkBytes: number,
): Promise<LedgerRecovery> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const names = (await readdir(directory)).flatMap((name) => parseChunkName(name) ?? []);
  names.sort((a, b) => a.first - b.first || (a.last ?? a.first) - (b.last ?? b.first));
  const chunks: Chunk[] = [];
  let torn: LedgerRecovery['torn'];
  for (const [index, name] of names.entries()) {
    checkJoin(chunks.at(-1), name.first);
    const path = join(directory, formatChunkName(name));
    if (name.last !== undefined) {
      chunks.push(committedChunk(name.first, name.last, path));
      continue;
    }
    const scan = await scanFile(path, name.first);
    if (scan.tornBytes > 0 || scan.offsets.length === 0) {
      if (index < names.length - 1) throw hole(name.first + scan.offsets.length);
      torn = await cutTail(directory, name.first, path, scan);
    }
    if (scan.offsets.length === 0) continue;
    // An older chunk is complete whatever chunkBytes was when it was written.
    const complete = index < names.length - 1 || scan.end >= chunkBytes;
    chunks.push(openChunk(name.first, path, scan, complete));
  }
  return torn === undefined ? { chunks } : { chunks, torn };
}

function checkJoin(before: Chunk | undefined, first: number): void {
  if (before === undefined || first === before.last + 1) return;
  if (first > before.last) throw hole(before.last + 1);
  throw new HostError('LEDGER_OVERLAP', `two chunks claim height ${first}`, { height: first });
}

const hole = (height: number): HostError =>
  new HostError('LEDGER_HOLE', `the ledger has later blocks but lacks height ${height}`, {
    height,
  });

async function scanFile(path: string, first: number): Promise<ChunkScan> {
  const file = await open(path, 'r');
  try {
    return await scanChunk(file, first);
  } finally {
    await file.close();
  }
}

const committedChunk = (first: number, last: number, path: string): Chunk => ({
  first,
  last,
  bytes: 0,
  path,
  committed: true,
  complete: true,
  offsets: undefined,
});

const openChunk = (first: number, path: string, scan: ChunkScan, complete: boolean): Chunk => ({
  first,
  last: first + scan.offsets.length - 1,
  bytes: scan.end,
  path,
  committed: false,
  complete,
  offsets: scan.offsets,
});

/** Cuts a torn tail off, keeping the bytes for whoever wants to know what happened. */
async function cutTail(
  directory: string,
  first: number,
  path: string,
  scan: ChunkScan,
): Promise<LedgerRecovery['torn']> {
  const keptAs = `torn_${first}_${scan.end}.bin`;
  const file = await open(path, 'r');
  try {
    const tail = Buffer.alloc(scan.tornBytes);
    await file.read(tail, 0, tail.length, scan.end);
    const kept = await open(join(directory, keptAs), 'w', 0o600);
    await kept.writeFile(tail);
    await kept.sync();
    await kept.close();
  } finally {
    await file.close();
  }
  if (scan.offsets.length === 0) {
    await unlink(path);
  } else {
    await cutFile(path, scan.end);
  }
  await syncDirectory(directory);
  return { height: first + scan.offsets.length, bytes: scan.tornBytes, keptAs };
}

async function cutFile(path: string, bytes: number): Promise<void> {
  await truncate(path, bytes);
  const file = await open(path, 'r+');
  try {
    await file.sync();
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
