import { open } from 'node:fs/promises';
import { frameHeaderBytes } from './chunk-format.ts';
import { diskError, HostError } from './errors.ts';
import { type Chunk, chunkOffsets } from './ledger-directory.ts';

/** Bytes of blocks returned in one step of a ranged read, about. */
export const stepBytes = 1024 * 1024;
/** Committed chunks whose offsets are kept in memory after a read. */
const maxCachedOffsets = 8;

/** The live state of a store, as a reader needs it. */
export interface ReadSource {
  readonly chunks: () => readonly Chunk[];
  readonly unwritten: ReadonlyMap<number, Uint8Array>;
  readonly last: () => number;
}

/** What to read: both heights inclusive. */
export interface ReadRange {
  readonly from: number;
  readonly to: number;
  readonly maxBytes: number;
}

/**
 * Blocks of a range, in order, step by step, from files or from what is about to be written.
 * @throws HostError NOT_STORED, CHUNK_DAMAGED when the chunk is committed and LEDGER_DAMAGED when
 *   not, DISK_ERROR
 */
export async function* readBlocks(
  source: ReadSource,
  { from, to, maxBytes }: ReadRange,
): AsyncGenerator<readonly Uint8Array[]> {
  let height = from;
  let left = maxBytes;
  while (height <= Math.min(to, source.last())) {
    const limit = Math.min(stepBytes, left);
    // A range may begin below a gap and end there, as it may end before the newest block.
    if (height > from && !isStored(source, height)) return;
    const blocks = await readStep(source, { from: height, to, maxBytes: limit });
    const bytes = blocks.reduce((sum, block) => sum + block.length, 0);
    // The first block is returned whatever its size, later ones only within the limit.
    if (blocks.length === 0 || (height > from && bytes > left)) return;
    yield blocks;
    height += blocks.length;
    left -= bytes;
    if (left <= 0) return;
  }
}

async function readStep(source: ReadSource, range: ReadRange): Promise<readonly Uint8Array[]> {
  const waiting = readUnwritten(source, range);
  if (waiting.length > 0) return waiting;
  const chunk = chunkOf(source, range.from);
  if (!chunk) throw notStored(range.from);
  // It may get its committed name between looking it up and opening it.
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      return await readFromChunk(source, chunk, range);
    } catch (error) {
      const isGone = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (!isGone) throw readError(error, chunk);
    }
  }
  // A chunk that was moved to an archive meanwhile.
  throw notStored(range.from);
}

/** Damage to a committed chunk is no failure of the disk: its blocks can be had again elsewhere. */
function readError(error: unknown, chunk: Chunk): HostError {
  const failure = diskError(error, 'read the ledger');
  if (failure.code !== 'LEDGER_DAMAGED' || !chunk.committed) return failure;
  // What is known of its frames is known of another file.
  chunk.offsets = undefined;
  return new HostError('CHUNK_DAMAGED', failure.message, {
    ...failure.details,
    from: chunk.first,
    to: chunk.last,
  });
}

const notStored = (height: number): HostError =>
  new HostError('NOT_STORED', `height ${height} is not stored here`, { height });

const chunkOf = (source: ReadSource, height: number): Chunk | undefined =>
  source.chunks().find(({ first, last }) => first <= height && height <= last);

const isStored = (source: ReadSource, height: number): boolean =>
  source.unwritten.has(height) || chunkOf(source, height) !== undefined;

function readUnwritten(source: ReadSource, { from, to, maxBytes }: ReadRange): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  let bytes = 0;
  for (let height = from; height <= to; height++) {
    const block = source.unwritten.get(height);
    if (!block || (blocks.length > 0 && bytes + block.length > maxBytes)) break;
    blocks.push(block);
    bytes += block.length;
  }
  return blocks;
}

async function readFromChunk(
  source: ReadSource,
  chunk: Chunk,
  { from, to, maxBytes }: ReadRange,
): Promise<Uint8Array[]> {
  const offsets = await chunkOffsets(chunk);
  limitCache(source.chunks(), chunk);
  const first = from - chunk.first;
  const start = offsets[first];
  if (start === undefined) return [];
  const beyond = Math.min(to, chunk.last) - chunk.first + 1;
  let behind = first + 1;
  const endOf = (index: number): number => offsets[index] ?? chunk.bytes;
  while (behind < beyond && endOf(behind + 1) - start <= maxBytes) behind++;
  const bytes = Buffer.allocUnsafeSlow(endOf(behind) - start);
  const file = await open(chunk.path, 'r');
  try {
    for (let at = 0; at < bytes.length; ) {
      const { bytesRead } = await file.read(bytes, at, bytes.length - at, start + at);
      if (bytesRead === 0)
        throw new HostError('LEDGER_DAMAGED', 'a chunk ends early', { height: from });
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
  return cutBlocks(bytes, from, behind - first);
}

function cutBlocks(bytes: Buffer, from: number, count: number): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  for (let at = 0; blocks.length < count; ) {
    const isCut = at + frameHeaderBytes > bytes.length;
    const end = isCut ? at : at + frameHeaderBytes + bytes.readUInt32BE(at);
    if (isCut || end > bytes.length) {
      throw new HostError('LEDGER_DAMAGED', 'a block does not fit its place', {
        height: from + blocks.length,
      });
    }
    blocks.push(bytes.subarray(at + frameHeaderBytes, end));
    at = end;
  }
  return blocks;
}

/** Forgets the offsets of old committed chunks: they can be found again by walking the file. */
function limitCache(chunks: readonly Chunk[], used: Chunk): void {
  const cached = chunks.filter((chunk) => chunk.committed && chunk.offsets && chunk !== used);
  for (const chunk of cached.slice(0, Math.max(0, cached.length - maxCachedOffsets))) {
    chunk.offsets = undefined;
  }
}
