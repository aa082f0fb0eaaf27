import { type FileHandle, open } from 'node:fs/promises';
import { encodeChunkHeader, frameHeaderBytes, maxBlockBytes } from './chunk-format.ts';
import { syncDirectory } from './durable-file.ts';
import { diskError, HostError } from './errors.ts';
import {
  type Chunk,
  markCommitted,
  newChunk,
  recoverLedger,
  truncateChunks,
} from './ledger-directory.ts';
import { readBlocks } from './ledger-reader.ts';

/** Where and how a ledger is stored, and who is told. */
export interface LedgerStoreOptions {
  readonly directory: string;
  /** Size at which a chunk is complete, in bytes. Default 16 MiB. */
  readonly chunkBytes?: number;
  readonly onSynced: (height: number) => void;
  readonly onTruncated: (after: number) => void;
  /** The disk failed: nothing more is acknowledged until the store is opened anew. Called once. */
  readonly onFault: (fault: HostError) => void;
  /** Enough queued blocks have been written after `backlogged` was true. */
  readonly onDrain?: () => void;
}

type Operation =
  | { readonly kind: 'append'; readonly height: number; readonly block: Uint8Array }
  | { readonly kind: 'truncate'; readonly after: number };

/** Counters of a store since it was opened. */
export interface LedgerStats {
  blocks: number;
  bytes: number;
  syncs: number;
}

const highWaterBytes = 64 * 1024 * 1024;

/**
 * The append-only chunk files of one ledger. Appends are collected while a round of write and
 * fdatasync runs, and go out together in the next one. Blocks are opaque.
 */
export class LedgerStore {
  readonly stats: LedgerStats = { blocks: 0, bytes: 0, syncs: 0 };
  /** What opening cut off, if anything. */
  readonly torn:
    | { readonly height: number; readonly bytes: number; readonly keptAs: string }
    | undefined;
  readonly #options: LedgerStoreOptions;
  readonly #chunkBytes: number;
  /**
   * Whether `synced` means "on the disk" (default), or only "given to the operating system", as a
   * constitution may have it.
   */
  durable = true;
  #chunks: Chunk[];
  #file: FileHandle | undefined;
  #queue: Operation[] = [];
  #queuedBytes = 0;
  /** Blocks taken but not yet written, by height. */
  readonly #unwritten = new Map<number, Uint8Array>();
  #lastHeight: number;
  #committed = 0;
  #running: Promise<void> | undefined;
  #fault: HostError | undefined;

  private constructor(options: LedgerStoreOptions, chunks: Chunk[], torn: LedgerStore['torn']) {
    this.#options = options;
    this.#chunkBytes = options.chunkBytes ?? 16 * 1024 * 1024;
    this.#chunks = chunks;
    this.#lastHeight = chunks.at(-1)?.last ?? 0;
    this.torn = torn;
  }

  /**
   * Opens a ledger directory, creating it when it is not there.
   * @throws HostError LEDGER_HOLE, LEDGER_OVERLAP, LEDGER_DAMAGED, DISK_FULL, DISK_ERROR
   */
  static async open(options: LedgerStoreOptions): Promise<LedgerStore> {
    try {
      const chunkBytes = options.chunkBytes ?? 16 * 1024 * 1024;
      const { chunks, torn } = await recoverLedger(options.directory, chunkBytes);
      return new LedgerStore(options, chunks, torn);
    } catch (error) {
      throw diskError(error, 'open the ledger');
    }
  }

  /** Height of the newest block taken, synced or not; 0 when there is none. */
  get lastHeight(): number {
    return this.#lastHeight;
  }

  /** Height of the oldest block stored; 0 when there is none. */
  get firstHeight(): number {
    return this.#chunks[0]?.first ?? (this.#lastHeight > 0 ? 1 : 0);
  }

  /** Whether so much is queued that the sender should be held back. */
  get backlogged(): boolean {
    return this.#queuedBytes > highWaterBytes;
  }

  /** The failure that stopped this store, if any. */
  get fault(): HostError | undefined {
    return this.#fault;
  }

  /**
   * Takes the block of the next height. Call {@link kick} once after a burst.
   * @throws HostError OUT_OF_ORDER
   */
  append(height: number, block: Uint8Array): void {
    if (height !== this.#lastHeight + 1 && !(this.#chunks.length === 0 && this.#lastHeight === 0)) {
      throw new HostError('OUT_OF_ORDER', `append of ${height} after ${this.#lastHeight}`, {
        height,
      });
    }
    if (height < 1 || block.length === 0 || block.length > maxBlockBytes) {
      throw new HostError('OUT_OF_ORDER', `append of ${block.length} bytes at ${height}`, {
        height,
      });
    }
    if (this.#fault) return;
    this.#lastHeight = height;
    this.#queuedBytes += block.length;
    this.#unwritten.set(height, block);
    this.#queue.push({ kind: 'append', height, block });
  }

  /** Drops every block above a height, after what was appended before. */
  truncate(after: number): void {
    if (this.#fault) return;
    this.#lastHeight = Math.min(this.#lastHeight, after);
    this.#queue.push({ kind: 'truncate', after });
    this.kick();
  }

  /** Learns that blocks up to a height are final; complete chunks below it get their last name. */
  committed(height: number): void {
    if (height <= this.#committed) return;
    this.#committed = height;
    this.kick();
  }

  /** Starts a round for what is queued, unless one is running. */
  kick(): void {
    if (this.#running || this.#fault || !this.#owesWork()) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      // Something may have come between the last look at the queue and here.
      this.kick();
    });
  }

  #owesWork(): boolean {
    if (this.#queue.length > 0) return true;
    const oldest = this.#oldestUncommitted();
    return oldest?.complete === true && oldest.last <= this.#committed;
  }

  #oldestUncommitted(): Chunk | undefined {
    let oldest: Chunk | undefined;
    for (let index = this.#chunks.length - 1; index >= 0; index--) {
      if (this.#chunks[index]!.committed) break;
      oldest = this.#chunks[index];
    }
    return oldest;
  }

  /**
   * Blocks from `from` on, in order, in steps of about `stepBytes`; ends early at `maxBytes` (but
   * not before one block) or where the ledger ends.
   * @throws HostError NOT_STORED, LEDGER_DAMAGED, DISK_ERROR
   */
  read(from: number, to: number, maxBytes: number): AsyncGenerator<readonly Uint8Array[]> {
    return readBlocks(
      { chunks: () => this.#chunks, unwritten: this.#unwritten, last: () => this.#lastHeight },
      { from, to, maxBytes },
    );
  }

  /** Waits for what is queued, then closes the files. */
  async close(): Promise<void> {
    this.kick();
    while (this.#running) await this.#running;
    await this.#file?.close();
    this.#file = undefined;
    this.#fault ??= new HostError('DISK_ERROR', 'the ledger store is closed');
  }

  async #run(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        const taken = this.#queue;
        this.#queue = [];
        await this.#carryOut(taken);
      }
      await this.#nameCommitted();
    } catch (error) {
      this.#fail(diskError(error, 'write the ledger'));
    }
  }

  /** Carries out operations in order, appends between two truncations as one round. */
  async #carryOut(operations: readonly Operation[]): Promise<void> {
    let burst: { height: number; block: Uint8Array }[] = [];
    for (const operation of operations) {
      if (operation.kind === 'append') {
        burst.push(operation);
        continue;
      }
      await this.#writeBurst(burst);
      burst = [];
      await this.#truncateNow(operation.after);
    }
    await this.#writeBurst(burst);
  }

  async #writeBurst(burst: readonly { height: number; block: Uint8Array }[]): Promise<void> {
    let at = 0;
    while (at < burst.length) {
      const chunk = await this.#growingChunk(burst[at]!.height);
      const parts: Uint8Array[] = chunk.last < chunk.first ? [encodeChunkHeader(chunk.first)] : [];
      const start = parts.length > 0 ? 0 : chunk.bytes;
      const offsets: number[] = [];
      let end = chunk.bytes;
      const begin = at;
      while (at < burst.length && (end < this.#chunkBytes || at === begin)) {
        const { block } = burst[at++]!;
        const length = Buffer.allocUnsafe(frameHeaderBytes);
        length.writeUInt32BE(block.length);
        parts.push(length, block);
        offsets.push(end);
        end += frameHeaderBytes + block.length;
      }
      await this.#writeDurably(parts, start, end);
      this.#written(chunk, offsets, end, burst.slice(begin, at));
    }
  }

  #written(
    chunk: Chunk,
    offsets: readonly number[],
    end: number,
    written: readonly { height: number; block: Uint8Array }[],
  ): void {
    const isNew = chunk.last < chunk.first;
    for (const offset of offsets) chunk.offsets!.push(offset);
    chunk.last += offsets.length;
    this.stats.blocks += offsets.length;
    this.stats.bytes += end - chunk.bytes;
    chunk.bytes = end;
    chunk.complete = end >= this.#chunkBytes;
    if (isNew) this.#chunks.push(chunk);
    const wasBacklogged = this.backlogged;
    for (const { height, block } of written) {
      this.#queuedBytes -= block.length;
      if (this.#unwritten.get(height) === block) this.#unwritten.delete(height);
    }
    this.#options.onSynced(chunk.last);
    if (wasBacklogged && !this.backlogged) this.#options.onDrain?.();
  }

  /** The newest chunk when it can grow, else a new one, with its file open. */
  async #growingChunk(height: number): Promise<Chunk> {
    const newest = this.#chunks.at(-1);
    if (newest && !newest.complete) {
      this.#file ??= await open(newest.path, 'r+');
      return newest;
    }
    await this.#file?.close();
    this.#file = undefined;
    const chunk = newChunk(this.#options.directory, height);
    this.#file = await open(chunk.path, 'wx', 0o600);
    if (this.durable) await syncDirectory(this.#options.directory);
    return chunk;
  }

  async #writeDurably(parts: Uint8Array[], start: number, end: number): Promise<void> {
    const file = this.#file!;
    let position = start;
    let rest = parts;
    while (position < end) {
      const { bytesWritten } = await file.writev(rest, position);
      if (bytesWritten === 0) throw new HostError('DISK_ERROR', 'the disk took no bytes');
      position += bytesWritten;
      if (position < end) rest = dropBytes(rest, bytesWritten);
    }
    if (this.durable) await file.datasync();
    this.stats.syncs++;
  }

  async #truncateNow(after: number): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    this.#chunks = await truncateChunks(this.#options.directory, this.#chunks, after);
    for (const height of this.#unwritten.keys()) {
      if (height > this.#lastHeight) this.#unwritten.delete(height);
    }
    this.#committed = Math.min(this.#committed, after);
    this.#options.onTruncated(after);
  }

  async #nameCommitted(): Promise<void> {
    for (;;) {
      const oldest = this.#oldestUncommitted();
      if (!oldest?.complete || oldest.last > this.#committed) return;
      await markCommitted(this.#options.directory, oldest);
    }
  }

  #fail(fault: HostError): void {
    if (this.#fault) return;
    this.#fault = fault;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#unwritten.clear();
    this.#options.onFault(fault);
  }
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
