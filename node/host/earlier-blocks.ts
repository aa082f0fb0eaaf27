import type { HeightRange } from '@concordat/bridge';
import { ChunkWriter, type PlacedBlock } from './chunk-writer.ts';
import { HostError } from './errors.ts';
import { type Chunk, markCommitted } from './ledger-directory.ts';

/** Bytes of blocks written in one round, about: what a newer block may have to wait for. */
const roundBytes = 1024 * 1024;

/**
 * Blocks on their way into the gaps below a ledger's bases. They are final, so their chunks get
 * committed names as soon as they are full, and always durable, whatever the newer part is.
 */
export class EarlierBlocks {
  readonly #directory: string;
  readonly #writer: ChunkWriter;
  #queue: PlacedBlock[] = [];
  #queuedBytes = 0;
  /** Newest block taken and not yet written. */
  #newest: number | undefined;

  constructor({ directory, chunkBytes }: { directory: string; chunkBytes: number }) {
    this.#directory = directory;
    this.#writer = new ChunkWriter({ directory, chunkBytes, isDurable: () => true });
  }

  /** Whether there is something to write. */
  get waiting(): boolean {
    return this.#queue.length > 0;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * Takes the next missing block.
   * @param missing the gaps as they are on the disk
   * @throws HostError OUT_OF_ORDER
   */
  take(height: number, block: Uint8Array, missing: readonly HeightRange[]): void {
    const expected = nextMissing(missing, this.#newest);
    if (height !== expected) {
      const wanted = expected === undefined ? 'none is missing' : `${expected} is missing`;
      throw new HostError('OUT_OF_ORDER', `earlier block ${height} where ${wanted}`, { height });
    }
    this.#newest = height;
    this.#queue.push({ height, block });
    this.#queuedBytes += block.length;
  }

  /** Forgets what waits above a height; answers the heights. */
  dropAbove(after: number): readonly number[] {
    const dropped = this.#queue.filter(({ height }) => height > after);
    this.#queue = this.#queue.filter(({ height }) => height <= after);
    this.#queuedBytes -= dropped.reduce((sum, { block }) => sum + block.length, 0);
    this.#newest = this.#queue.at(-1)?.height;
    return dropped.map(({ height }) => height);
  }

  /** Writes a round of what waits; answers it. */
  async writeSome(chunks: Chunk[]): Promise<readonly PlacedBlock[]> {
    const round = this.#round();
    const first = round[0] as PlacedBlock;
    const chunk = await this.#writer.write(chunks, round);
    const written = round.slice(0, chunk.last - first.height + 1);
    const next = chunks[chunks.indexOf(chunk) + 1];
    // Whatever it is followed by now, it grows no more.
    if (next?.first === chunk.last + 1) chunk.complete = true;
    if (chunk.complete) {
      await this.#writer.close();
      await markCommitted(this.#directory, chunk);
    }
    return written;
  }

  /** What {@link writeSome} answered has been accounted for. */
  wrote(written: readonly PlacedBlock[]): void {
    const done = new Set(written);
    this.#queue = this.#queue.filter((placed) => {
      if (!done.has(placed)) return true;
      this.#queuedBytes -= placed.block.length;
      return false;
    });
    if (this.#queue.length === 0) this.#newest = undefined;
  }

  /** Closes its file: the chunks are about to be changed by another way. */
  close(): Promise<void> {
    return this.#writer.close();
  }

  /** Consecutive blocks from the front of the queue. */
  #round(): PlacedBlock[] {
    const round: PlacedBlock[] = [];
    let bytes = 0;
    for (const placed of this.#queue) {
      const before = round.at(-1);
      const joins = before === undefined || before.height + 1 === placed.height;
      if (!joins || (round.length > 0 && bytes + placed.block.length > roundBytes)) break;
      round.push(placed);
      bytes += placed.block.length;
    }
    return round;
  }
}

/** The lowest missing height, above what has been taken already. */
function nextMissing(
  missing: readonly HeightRange[],
  newest: number | undefined,
): number | undefined {
  if (newest === undefined) return missing[0]?.from;
  const gap = missing.find(({ to }) => to > newest);
  return gap && Math.max(gap.from, newest + 1);
}
