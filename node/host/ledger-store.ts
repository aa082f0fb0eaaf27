import type { HeightRange } from '@concordat/bridge';
import { maxBlockBytes } from './chunk-format.ts';
import { ChunkWriter, type PlacedBlock } from './chunk-writer.ts';
import { EarlierBlocks } from './earlier-blocks.ts';
import { diskError, HostError } from './errors.ts';
import { LedgerLayout } from './ledger-layout.ts';
import { readBlocks } from './ledger-reader.ts';
import { type LedgerRecovery, recoverLedger } from './ledger-recovery.ts';

/** Where and how a ledger is stored, and who is told. */
export interface LedgerStoreOptions {
  readonly directory: string;
  /** Size at which a chunk is complete, in bytes. Default 16 MiB. */
  readonly chunkBytes?: number;
  readonly onSynced: (height: number) => void;
  readonly onTruncated: (after: number) => void;
  /** Blocks below the base are durable up to this height. */
  readonly onEarlierSynced?: (height: number) => void;
  /** The disk failed: nothing more is acknowledged until the store is opened anew. Called once. */
  readonly onFault: (fault: HostError) => void;
  /** Enough queued blocks have been written after `backlogged` was true. */
  readonly onDrain?: () => void;
}

type Operation =
  | ({ readonly kind: 'append' } & PlacedBlock)
  | { readonly kind: 'truncate'; readonly after: number }
  | { readonly kind: 'base'; readonly height: number; readonly done: PromiseWithResolvers<void> }
  | {
      readonly kind: 'aside';
      readonly from: number;
      readonly to: number;
      readonly done: PromiseWithResolvers<string>;
    };

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
  /** What opening found and did. */
  readonly recovery: Pick<LedgerRecovery, 'torn' | 'unknown'>;
  readonly #options: LedgerStoreOptions;
  /**
   * Whether `synced` means "on the disk" (default), or only "given to the operating system", as a
   * constitution may have it.
   */
  durable = true;
  readonly #writer: ChunkWriter;
  readonly #earlier: EarlierBlocks;
  readonly #layout: LedgerLayout;
  #queue: Operation[] = [];
  #queuedBytes = 0;
  /** Heights of the truncations and bases under way, in order. */
  readonly #cuts: number[] = [];
  /** Bases under way. */
  readonly #asked = new Set<Pick<PromiseWithResolvers<void>, 'reject'>>();
  /** Blocks taken but not yet written, by height. */
  readonly #unwritten = new Map<number, Uint8Array>();
  #lastHeight: number;
  #committed = 0;
  #running: Promise<void> | undefined;
  #fault: HostError | undefined;

  private constructor(options: LedgerStoreOptions, recovery: LedgerRecovery) {
    this.#options = options;
    this.recovery = recovery;
    const { directory } = options;
    this.#layout = new LedgerLayout(directory, recovery.chunks, recovery.bases);
    this.#lastHeight = this.#layout.last;
    const chunkBytes = chunkBytesOf(options);
    this.#writer = new ChunkWriter({ directory, chunkBytes, isDurable: () => this.durable });
    this.#earlier = new EarlierBlocks({ directory, chunkBytes });
  }

  /**
   * Opens a ledger directory, creating it when it is not there.
   * @throws HostError LEDGER_HOLE, LEDGER_OVERLAP, LEDGER_DAMAGED, DISK_FULL, DISK_ERROR
   */
  static async open(options: LedgerStoreOptions): Promise<LedgerStore> {
    try {
      const recovery = await recoverLedger(options.directory, chunkBytesOf(options));
      return new LedgerStore(options, recovery);
    } catch (error) {
      throw diskError(error, 'open the ledger');
    }
  }

  /** Height of the newest block taken, synced or not, or of the base above it; 0 for no ledger. */
  get lastHeight(): number {
    return this.#lastHeight;
  }

  /** The ledger is whole from here to `lastHeight`; one more than that when only a base is there. */
  get firstHeight(): number {
    return this.#layout.first;
  }

  /**
   * Heights below the bases of which there is no block, lowest first: as they are on the disk, but
   * for what a truncation or base under way takes along.
   */
  get missing(): readonly HeightRange[] {
    const { missing } = this.#layout;
    if (this.#cuts.length === 0) return missing;
    const end = Math.min(...this.#cuts);
    return missing.flatMap(({ from, to }) => (from > end ? [] : { from, to: Math.min(to, end) }));
  }

  /** Whether so much is queued that the sender should be held back. */
  get backlogged(): boolean {
    return this.#queuedBytes + this.#earlier.queuedBytes > highWaterBytes;
  }

  /** The failure that stopped this store, if any. */
  get fault(): HostError | undefined {
    return this.#fault;
  }

  /**
   * Takes the block of the next height. Call {@link kick} once after a burst.
   * After a fault nothing is taken, nor judged: it was sent before the sender could know.
   * @throws HostError OUT_OF_ORDER
   */
  append(height: number, block: Uint8Array): void {
    if (this.#fault) return;
    if (height !== this.#lastHeight + 1 && this.#lastHeight > 0) {
      throw new HostError('OUT_OF_ORDER', `append of ${height} after ${this.#lastHeight}`, {
        height,
      });
    }
    requireBlock(height, block);
    this.#lastHeight = height;
    this.#queuedBytes += block.length;
    this.#unwritten.set(height, block);
    this.#queue.push({ kind: 'append', height, block });
  }

  /**
   * Takes the first block missing below the bases, or the one after those taken already. It is
   * written when nothing of the newer part waits. Call {@link kick} once after a burst.
   * @throws HostError OUT_OF_ORDER
   */
  appendEarlier(height: number, block: Uint8Array): void {
    requireBlock(height, block);
    if (this.#fault) return;
    this.#earlier.take(height, block, this.missing);
    this.#unwritten.set(height, block);
  }

  /** Drops every block above a height, after what was appended before. */
  truncate(after: number): void {
    if (this.#fault) return;
    this.#cutAt(after);
    this.#queue.push({ kind: 'truncate', after });
    this.kick();
  }

  /**
   * Lets the ledger go on after a height, whatever blocks it has; settles once it would outlive a
   * crash. @throws HostError DISK_FULL, DISK_ERROR
   */
  base(height: number): Promise<void> {
    if (this.#fault) return Promise.reject(this.#fault);
    this.#cutAt(height);
    this.#lastHeight = height;
    const done = Promise.withResolvers<void>();
    this.#asked.add(done);
    this.#queue.push({ kind: 'base', height, done });
    this.kick();
    return done.promise;
  }

  /** First and last height of the committed chunk a height is in. @throws HostError NOT_STORED */
  chunkAt(height: number): HeightRange {
    const { first, last } = this.#layout.committedChunkAt(height);
    return { from: first, to: last };
  }

  /**
   * Keeps the damaged file of a committed chunk under another name: its blocks are missing from then
   * on, and come by {@link appendEarlier}. Settles, with that name, once it would outlive a crash.
   * @throws HostError CHUNK_NEEDED when the ledger could not do without it for a while; DISK_FULL,
   *   DISK_ERROR
   */
  setAside({ from, to }: HeightRange): Promise<string> {
    if (this.#fault) return Promise.reject(this.#fault);
    const done = Promise.withResolvers<string>();
    this.#asked.add(done);
    this.#queue.push({ kind: 'aside', from, to, done });
    this.kick();
    return done.promise;
  }

  /** Nothing above a height will be left. What waits to be written of it below bases is forgotten. */
  #cutAt(after: number): void {
    this.#cuts.push(after);
    this.#lastHeight = Math.min(this.#lastHeight, after);
    for (const height of this.#earlier.dropAbove(after)) this.#unwritten.delete(height);
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
    if (this.#queue.length > 0 || this.#earlier.waiting) return true;
    const oldest = this.#layout.oldestUncommitted;
    return oldest?.complete === true && oldest.last <= this.#committed;
  }

  /**
   * Blocks from `from` on, in order, in steps of about `stepBytes`; ends early at `maxBytes` (but
   * not before one block), at a gap or where the ledger ends.
   * @throws HostError NOT_STORED, CHUNK_DAMAGED, LEDGER_DAMAGED, DISK_ERROR
   */
  read(from: number, to: number, maxBytes: number): AsyncGenerator<readonly Uint8Array[]> {
    return readBlocks(
      {
        chunks: () => this.#layout.chunks,
        unwritten: this.#unwritten,
        last: () => this.#lastHeight,
      },
      { from, to, maxBytes },
    );
  }

  /** Waits for what is queued, then closes the files. */
  async close(): Promise<void> {
    this.kick();
    while (this.#running) await this.#running;
    await this.#writer.close();
    await this.#earlier.close();
    this.#fault ??= new HostError('DISK_ERROR', 'the ledger store is closed');
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        if (this.#queue.length > 0) {
          const taken = this.#queue;
          this.#queue = [];
          await this.#carryOut(taken);
        } else if (this.#earlier.waiting) {
          await this.#writeEarlier();
        } else break;
      }
      await this.#layout.nameCommitted(this.#committed);
    } catch (error) {
      this.#fail(diskError(error, 'write the ledger'));
    }
  }

  /** Carries out operations in order, appends between two others as one round. */
  async #carryOut(operations: readonly Operation[]): Promise<void> {
    let burst: PlacedBlock[] = [];
    for (const operation of operations) {
      if (operation.kind === 'append') {
        burst.push(operation);
        continue;
      }
      await this.#writeBurst(burst);
      burst = [];
      if (operation.kind === 'truncate') {
        await this.#cutNow(operation.after, () => this.#layout.truncate(operation.after));
        this.#options.onTruncated(operation.after);
      } else if (operation.kind === 'aside') {
        await this.#setAside(operation);
      } else {
        await this.#cutNow(operation.height, () => this.#layout.goOnAfter(operation.height));
        this.#asked.delete(operation.done);
        operation.done.resolve();
      }
    }
    await this.#writeBurst(burst);
  }

  async #setAside({ from, to, done }: Extract<Operation, { kind: 'aside' }>): Promise<void> {
    try {
      // Blocks on their way to another gap would no longer be the next ones missing.
      if (this.#earlier.waiting)
        throw new HostError('CHUNK_NEEDED', 'earlier blocks are on their way');
      await this.#earlier.close();
      done.resolve(await this.#layout.setAside(from, to));
    } catch (error) {
      if (!(error instanceof HostError) || error.code !== 'CHUNK_NEEDED') throw error;
      done.reject(error);
    }
    this.#asked.delete(done);
  }

  async #writeBurst(burst: readonly PlacedBlock[]): Promise<void> {
    for (let at = 0; at < burst.length; ) {
      const chunk = await this.#writer.write(
        this.#layout.chunks,
        at === 0 ? burst : burst.slice(at),
      );
      const written = burst.slice(at, at + chunk.last - burst[at]!.height + 1);
      at += written.length;
      this.#took(written, () => {
        for (const { block } of written) this.#queuedBytes -= block.length;
      });
      this.#options.onSynced(chunk.last);
    }
  }

  async #writeEarlier(): Promise<void> {
    const written = await this.#earlier.writeSome(this.#layout.chunks);
    this.#took(written, () => this.#earlier.wrote(written));
    const { height } = written.at(-1)!;
    await this.#layout.join(height);
    this.#options.onEarlierSynced?.(height);
  }

  #took(written: readonly PlacedBlock[], account: () => void): void {
    this.#layout.changed();
    const wasBacklogged = this.backlogged;
    account();
    for (const { height, block } of written) {
      this.stats.blocks++;
      this.stats.bytes += block.length;
      if (this.#unwritten.get(height) === block) this.#unwritten.delete(height);
    }
    this.stats.syncs++;
    if (wasBacklogged && !this.backlogged) this.#options.onDrain?.();
  }

  /** Changes the files so that the ledger goes on after a height. */
  async #cutNow(after: number, change: () => Promise<void>): Promise<void> {
    await this.#writer.close();
    await this.#earlier.close();
    await change();
    this.#cuts.shift();
    for (const height of this.#unwritten.keys()) {
      if (height > this.#lastHeight) this.#unwritten.delete(height);
    }
    this.#committed = Math.min(this.#committed, after);
  }

  #fail(fault: HostError): void {
    if (this.#fault) return;
    this.#fault = fault;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#earlier.dropAbove(0);
    this.#unwritten.clear();
    this.#options.onFault(fault);
    for (const asked of this.#asked) asked.reject(fault);
    this.#asked.clear();
  }
}

const chunkBytesOf = ({ chunkBytes }: LedgerStoreOptions): number => chunkBytes ?? 16 * 1024 * 1024;

/** @throws HostError OUT_OF_ORDER */
function requireBlock(height: number, block: Uint8Array): void {
  if (height >= 1 && block.length > 0 && block.length <= maxBlockBytes) return;
  throw new HostError('OUT_OF_ORDER', `append of ${block.length} bytes at ${height}`, { height });
}
