import type { FileHandle } from 'node:fs/promises';
import {
  checkChunkHeader,
  chunkHeaderBytes,
  frameHeaderBytes,
  maxBlockBytes,
} from './chunk-format.ts';
import { HostError } from './errors.ts';

/** What a chunk file holds. */
export interface ChunkScan {
  /** Offset of each block's frame, in height order. */
  readonly offsets: number[];
  /** Offset behind the last whole frame. */
  readonly end: number;
  /** Bytes of a torn tail behind `end`; 0 when the file ends with a whole frame. */
  readonly tornBytes: number;
}

const windowBytes = 1024 * 1024;

/**
 * Walks the frames of a chunk.
 * @throws HostError LEDGER_DAMAGED when something other than a torn tail is wrong
 */
export async function scanChunk(file: FileHandle, first: number): Promise<ChunkScan> {
  const { size } = await file.stat();
  if (size < chunkHeaderBytes) return { offsets: [], end: 0, tornBytes: size };
  const window = new FileWindow(file, size);
  // A new chunk that a crash left with its length and nothing in it.
  if (await window.isZeroFrom(0)) return { offsets: [], end: 0, tornBytes: size };
  checkChunkHeader(await window.read(0, chunkHeaderBytes), first);
  const offsets: number[] = [];
  let at = chunkHeaderBytes;
  while (at + frameHeaderBytes <= size) {
    const length = (await window.read(at, frameHeaderBytes)).readUInt32BE();
    if (length === 0 && (await window.isZeroFrom(at))) break;
    if (length === 0 || length > maxBlockBytes) {
      throw new HostError(
        'LEDGER_DAMAGED',
        `impossible block length at height ${first + offsets.length}`,
        {
          height: first + offsets.length,
          offset: at,
        },
      );
    }
    if (at + frameHeaderBytes + length > size) break;
    offsets.push(at);
    at += frameHeaderBytes + length;
  }
  return { offsets, end: at, tornBytes: size - at };
}

/** Reads a file in large steps while its user takes small ones forward. */
class FileWindow {
  readonly #file: FileHandle;
  readonly #size: number;
  readonly #buffer = Buffer.allocUnsafe(windowBytes);
  #start = 0;
  #length = 0;

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.#size = size;
  }

  async read(at: number, bytes: number): Promise<Buffer> {
    if (at < this.#start || at + bytes > this.#start + this.#length) await this.#load(at);
    const from = at - this.#start;
    return this.#buffer.subarray(from, from + bytes);
  }

  async isZeroFrom(at: number): Promise<boolean> {
    for (let position = at; position < this.#size; position += windowBytes) {
      const bytes = Math.min(windowBytes, this.#size - position);
      if ((await this.read(position, bytes)).some((byte) => byte !== 0)) return false;
    }
    return true;
  }

  async #load(at: number): Promise<void> {
    this.#start = at;
    this.#length = 0;
    const wanted = Math.min(windowBytes, this.#size - at);
    while (this.#length < wanted) {
      const { bytesRead } = await this.#file.read(
        this.#buffer,
        this.#length,
        wanted - this.#length,
        at + this.#length,
      );
      if (bytesRead === 0) throw new HostError('DISK_ERROR', 'a chunk shrank while it was read');
      this.#length += bytesRead;
    }
  }
}
