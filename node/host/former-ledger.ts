import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ChunkName, formatChunkName, parseChunkName } from './chunk-format.ts';
import { diskError, HostError } from './errors.ts';
import { type Chunk, scanFile } from './ledger-directory.ts';
import { readBlocks } from './ledger-reader.ts';

/**
 * Chunk files of a network whose nodes are all lost, wherever the operator has them. They are read
 * and never written, so that whatever a recovery comes to, they are left for the next one.
 */
export class FormerLedger {
  readonly #chunks: readonly Chunk[];

  private constructor(chunks: readonly Chunk[]) {
    this.#chunks = chunks;
  }

  /**
   * Finds the chunks of a directory. What is wrong inside them shows when they are read.
   * @throws HostError NOT_STORED when there are none, LEDGER_OVERLAP, LEDGER_DAMAGED, DISK_ERROR
   */
  static async open(directory: string): Promise<FormerLedger> {
    const names = await chunkNames(directory);
    const chunks: Chunk[] = [];
    for (const [at, name] of names.entries()) {
      const before = chunks.at(-1);
      if (before && name.first <= before.last) {
        throw new HostError('LEDGER_OVERLAP', `two chunks claim height ${name.first}`, {
          height: name.first,
        });
      }
      const chunk = await chunkOf(directory, name, at === names.length - 1);
      if (chunk) chunks.push(chunk);
    }
    if (chunks.length > 0) return new FormerLedger(chunks);
    throw new HostError('NOT_STORED', `${directory} holds no chunk of a ledger`);
  }

  /** Height of the newest whole block. */
  get lastHeight(): number {
    return this.#chunks.at(-1)?.last ?? 0;
  }

  /**
   * Blocks of a range, both heights inclusive, step by step; at least the first.
   * @throws HostError NOT_STORED, LEDGER_DAMAGED, DISK_ERROR
   */
  async *read(from: number, to: number, maxBytes: number): AsyncGenerator<readonly Uint8Array[]> {
    const source = {
      chunks: () => this.#chunks,
      unwritten: new Map<number, Uint8Array>(),
      last: () => this.lastHeight,
    };
    try {
      yield* readBlocks(source, { from, to, maxBytes });
    } catch (error) {
      if (!(error instanceof HostError) || error.code !== 'CHUNK_DAMAGED') throw error;
      // Nobody else is left to have these blocks from.
      throw new HostError('LEDGER_DAMAGED', error.message, error.details);
    }
  }
}

async function chunkNames(directory: string): Promise<ChunkName[]> {
  try {
    const found = await readdir(directory);
    return found
      .flatMap((name) => parseChunkName(name) ?? [])
      .sort((a, b) => a.first - b.first || (a.last ?? a.first) - (b.last ?? b.first));
  } catch (error) {
    throw diskError(error, 'read the former ledger');
  }
}

/** Undefined when it holds no whole block. */
async function chunkOf(
  directory: string,
  name: ChunkName,
  isNewest: boolean,
): Promise<Chunk | undefined> {
  const { first } = name;
  const path = join(directory, formatChunkName(name));
  const chunk = { first, path, complete: true };
  if (name.last !== undefined) {
    return { ...chunk, last: name.last, bytes: 0, committed: true, offsets: undefined };
  }
  const { offsets, end, tornBytes } = await scanFile(path, first);
  if (tornBytes > 0 && !isNewest) {
    const height = first + offsets.length;
    throw new HostError('LEDGER_DAMAGED', `the chunk of height ${first} ends within a block`, {
      height,
    });
  }
  const last = first + offsets.length - 1;
  return offsets.length === 0
    ? undefined
    : { ...chunk, last, bytes: end, committed: false, offsets };
}
