import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ChunkName,
  type ChunkScan,
  LedgerError,
  parseChunkName,
  scanChunk,
} from '@concordat/ledger';
import { AuditorError } from './errors.ts';
import { LedgerDamage } from './ledger-damage.ts';

interface ChunkFile extends ChunkName {
  readonly file: string;
  readonly bytes: number;
}

/**
 * The chunk files of a ledger directory, in order (docs/format/chunk.md). Other files are ignored.
 * Reads synchronously, one chunk at a time: it feeds a verification that is pure computation.
 */
export class LedgerFiles implements Iterable<Uint8Array> {
  /** Bytes of all chunk files, as they were when they were found. */
  readonly totalBytes: number;
  readonly #directory: string;
  readonly #chunks: readonly ChunkFile[];
  #file: string | undefined;
  #height = 0;
  #tornBytes = 0;
  #bytesRead = 0;

  /** @throws AuditorError LEDGER_UNREADABLE when there is no directory, or no chunk in it */
  constructor(directory: string) {
    this.#directory = directory;
    this.#chunks = findChunks(directory);
    this.totalBytes = this.#chunks.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Base name of the file the last block came from. */
  get file(): string | undefined {
    return this.#file;
  }

  /** Height of the last block, by its position. */
  get height(): number {
    return this.#height;
  }

  /** Bytes after the last whole block, as a crash leaves them. */
  get tornBytes(): number {
    return this.#tornBytes;
  }

  /** Number of chunk files. */
  get chunkCount(): number {
    return this.#chunks.length;
  }

  /**
   * Height up to which the names of files say that blocks are committed; those after it were sealed, and
   * most likely committed too, but no file says so. Nothing proves a name.
   */
  get committedHeight(): number {
    return Math.max(0, ...this.#chunks.map(({ lastHeight }) => lastHeight ?? 0));
  }

  /** Bytes of the blocks handed out so far. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Every block in order. @throws LedgerDamage, LedgerError MALFORMED */
  *[Symbol.iterator](): Generator<Uint8Array> {
    let next = 1;
    for (const [index, chunk] of this.#chunks.entries()) {
      this.#file = chunk.file;
      this.#height = next;
      if (chunk.firstHeight > next) {
        const why = `no chunk holds block ${next}; the next one begins at ${chunk.firstHeight}`;
        const missing = `blocks ${next} to ${chunk.firstHeight - 1}`;
        const remedy = `bring ${missing} back, from an archive or the ledger of another node; no snapshot stands for them`;
        throw new LedgerDamage('MISSING_BLOCKS', next, `${why}: ${remedy}`);
      }
      if (chunk.firstHeight < next) {
        const { firstHeight } = chunk;
        const why = `two chunks claim block ${firstHeight}`;
        throw new LedgerDamage('OVERLAPPING_CHUNKS', firstHeight, why);
      }
      const scan = this.#scan(chunk);
      this.#requireWhole(chunk, scan, index === this.#chunks.length - 1);
      for (const { height, block } of scan.frames) {
        this.#height = height;
        this.#bytesRead += block.length;
        yield block;
      }
      next += scan.frames.length;
    }
  }

  #scan({ file, firstHeight }: ChunkFile): ChunkScan {
    let bytes: Buffer;
    try {
      bytes = readFileSync(join(this.#directory, file));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new LedgerDamage('UNREADABLE_FILE', firstHeight, `${file} cannot be read (${code})`);
    }
    const scan = scanChunk(bytes);
    if (scan.firstHeight === firstHeight) return scan;
    const why = `${file} says it begins at block ${scan.firstHeight}`;
    throw new LedgerError('MALFORMED', why, { height: firstHeight });
  }

  /** Only the newest, uncommitted chunk may end within a block. */
  #requireWhole(chunk: ChunkFile, scan: ChunkScan, isNewest: boolean): void {
    const behind = chunk.firstHeight + scan.frames.length;
    const isOpen = chunk.lastHeight === undefined;
    if (isOpen && isNewest) {
      this.#tornBytes = scan.tornBytes;
      return;
    }
    const ends = isOpen || behind === chunk.lastHeight + 1;
    if (ends && scan.tornBytes === 0) return;
    const why = `${chunk.file} does not hold exactly the blocks it must`;
    throw new LedgerDamage('TRUNCATED_CHUNK', behind, why);
  }
}

function findChunks(directory: string): ChunkFile[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new AuditorError('LEDGER_UNREADABLE', `${directory} cannot be read (${code})`);
  }
  const chunks = names.flatMap((file) => {
    const name = parseChunkName(file);
    return name === undefined ? [] : [{ file, ...name, bytes: sizeOf(join(directory, file)) }];
  });
  if (chunks.length > 0) return chunks.sort((a, b) => a.firstHeight - b.firstHeight);
  throw new AuditorError('LEDGER_UNREADABLE', `${directory} holds no chunk of a ledger`);
}

/** Only for showing progress: a file that is not there is missed when it is read. */
const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
