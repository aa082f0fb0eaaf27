import { type FileHandle, open } from 'node:fs/promises';
import { encodeChunkHeader, frameHeaderBytes } from './chunk-format.ts';
import { syncDirectory } from './durable-file.ts';
import { HostError } from './errors.ts';
import { type Chunk, newChunk } from './ledger-directory.ts';

/** A block at its height. */
export interface PlacedBlock {
  readonly height: number;
  readonly block: Uint8Array;
}

/** Where a writer's chunks are and what counts as full. */
export interface ChunkWriterOptions {
  readonly directory: string;
  /** Size at which a chunk is complete, in bytes. */
  readonly chunkBytes: number;
  /** Whether what is written must be on the disk before it counts. */
  readonly isDurable: () => boolean;
}

/** Adds blocks behind the newest one of a gapless run of chunks, which may be empty. */
export class ChunkWriter {
  readonly #options: ChunkWriterOptions;
  #file: FileHandle | undefined;
  /** The chunk `#file` is open for. */
  #open: Chunk | undefined;

  constructor(options: ChunkWriterOptions) {
    this.#options = options;
  }

  /**
   * Writes as many of the blocks as one chunk takes, at least one, with one sync.
   * @param chunks all chunks of the ledger in height order; a new one is added in its place
   * @param blocks of consecutive heights, at least one
   * @returns the chunk that took them; its `last` says how far
   */
  async write(chunks: Chunk[], blocks: readonly PlacedBlock[]): Promise<Chunk> {
    const chunk = await this.#growingChunk(chunks, (blocks[0] as PlacedBlock).height);
    const isNew = chunk.last < chunk.first;
    const parts: Uint8Array[] = isNew ? [encodeChunkHeader(chunk.first)] : [];
    const offsets: number[] = [];
    let end = chunk.bytes;
    for (const { block } of blocks) {
      if (end >= this.#options.chunkBytes && offsets.length > 0) break;
      const length = Buffer.allocUnsafe(frameHeaderBytes);
      length.writeUInt32BE(block.length);
      parts.push(length, block);
      offsets.push(end);
      end += frameHeaderBytes + block.length;
    }
    await this.#writeAll(parts, isNew ? 0 : chunk.bytes, end);
    for (const offset of offsets) chunk.offsets!.push(offset);
    chunk.last += offsets.length;
    chunk.bytes = end;
    chunk.complete = end >= this.#options.chunkBytes;
    if (isNew) chunks.splice(placeOf(chunks, chunk.first), 0, chunk);
    return chunk;
  }

  /** Closes its file: the chunks are about to be changed by another way. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#open = undefined;
    await file?.close();
  }

  /** The chunk before this height when it can grow, else a new one, with its file open. */
  async #growingChunk(chunks: readonly Chunk[], height: number): Promise<Chunk> {
    const before = chunks[placeOf(chunks, height) - 1];
    if (before && !before.complete && before.last === height - 1) {
      if (this.#open !== before) {
        await this.close();
        this.#file = await open(before.path, 'r+');
        this.#open = before;
      }
      return before;
    }
    await this.close();
    const { directory, isDurable } = this.#options;
    const chunk = newChunk(directory, height);
    this.#file = await open(chunk.path, 'wx', 0o600);
    this.#open = chunk;
    if (isDurable()) await syncDirectory(directory);
    return chunk;
  }

  async #writeAll(parts: Uint8Array[], start: number, end: number): Promise<void> {
    const file = this.#file!;
    let position = start;
    let rest = parts;
    while (position < end) {
      const { bytesWritten } = await file.writev(rest, position);
      if (bytesWritten === 0) throw new HostError('DISK_ERROR', 'the disk took no bytes');
      position += bytesWritten;
      if (position < end) rest = dropBytes(rest, bytesWritten);
    }
    if (this.#options.isDurable()) await file.datasync();
  }
}

/** Where a chunk that begins at this height stands among the others. */
function placeOf(chunks: readonly Chunk[], height: number): number {
  // Nearly always at the end.
  let place = chunks.length;
  while (place > 0 && chunks[place - 1]!.first > height) place--;
  return place;
}

/** What is left of a list of parts after its first bytes have been written. */
export function dropBytes(parts: readonly Uint8Array[], bytes: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let drop = bytes;
  for (const part of parts) {
    if (drop >= part.length) drop -= part.length;
    else {
      rest.push(drop > 0 ? part.subarray(drop) : part);
      drop = 0;
    }
  }
  return rest;
}
