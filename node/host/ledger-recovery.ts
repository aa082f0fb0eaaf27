import { mkdir, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type ChunkName, formatChunkName, parseChunkName } from './chunk-format.ts';
import type { ChunkScan } from './chunk-scan.ts';
import { isAsideName } from './damaged-chunks.ts';
import { cutFile, rewriteFile, syncDirectory } from './durable-file.ts';
import { HostError } from './errors.ts';
import { gapBelow, parseBaseName, removeBase } from './ledger-bases.ts';
import { type Chunk, scanFile } from './ledger-directory.ts';

/** Bytes of an unfinished write that were cut off the end of a chunk. */
export interface TornTail {
  /** Of the block that was being written. */
  readonly height: number;
  readonly bytes: number;
  readonly keptAs: string;
}

/** What opening a ledger directory found. */
export interface LedgerRecovery {
  /** In height order; gaps lie only where a base explains them. */
  readonly chunks: Chunk[];
  /** Heights in order; each explains a gap, or is where an empty ledger goes on. */
  readonly bases: number[];
  readonly torn: readonly TornTail[];
  /** Names of files that have nothing to do with a ledger; they are left alone. */
  readonly unknown: readonly string[];
}

/**
 * Opens a ledger directory after an orderly end or a crash: checks that the chunks join, cuts off
 * a torn tail of the newest one and of one that blocks are added to below a base.
 * @throws HostError LEDGER_HOLE, LEDGER_OVERLAP, LEDGER_DAMAGED
 */
export async function recoverLedger(
  directory: string,
  chunkBytes: number,
): Promise<LedgerRecovery> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const found = await readdir(directory);
  const names = found.flatMap((name) => parseChunkName(name) ?? []);
  names.sort((a, b) => a.first - b.first || (a.last ?? a.first) - (b.last ?? b.first));
  const bases = found.flatMap((name) => parseBaseName(name) ?? []).sort((a, b) => a - b);
  const chunks: Chunk[] = [];
  const torn: TornTail[] = [];
  for (const [index, name] of names.entries()) {
    checkJoin(chunks.at(-1), name.first, bases);
    const path = join(directory, formatChunkName(name));
    if (name.last !== undefined) {
      chunks.push(committedChunk(name.first, name.last, path));
      continue;
    }
    const chunk = await recoverChunk({
      directory,
      path,
      name,
      next: names[index + 1],
      bases,
      torn,
    });
    if (chunk) chunks.push({ ...chunk, complete: chunk.complete || chunk.bytes >= chunkBytes });
  }
  const unknown = found.filter((name) => !isLedgerFile(name));
  return { chunks, bases: await explainingBases(directory, chunks, bases), torn, unknown };
}

const isLedgerFile = (name: string): boolean =>
  parseChunkName(name) !== undefined ||
  parseBaseName(name) !== undefined ||
  /^torn_\d+_\d+\.bin$/.test(name) ||
  isAsideName(name);

function checkJoin(before: Chunk | undefined, first: number, bases: readonly number[]): void {
  if (before === undefined || first === before.last + 1) return;
  if (first <= before.last) {
    throw new HostError('LEDGER_OVERLAP', `two chunks claim height ${first}`, { height: first });
  }
  if (!bases.includes(first - 1)) throw hole(before.last + 1);
}

const hole = (height: number): HostError =>
  new HostError('LEDGER_HOLE', `the ledger has later blocks but lacks height ${height}`, {
    height,
  });

interface OpenChunkFile {
  readonly directory: string;
  readonly path: string;
  readonly name: ChunkName;
  /** The chunk after it, if any. */
  readonly next: ChunkName | undefined;
  readonly bases: readonly number[];
  readonly torn: TornTail[];
}

/** A chunk that was still growing; undefined when it held no block and is gone now. */
async function recoverChunk(file: OpenChunkFile): Promise<Chunk | undefined> {
  const { directory, path, name, next, bases, torn } = file;
  const scan = await scanFile(path, name.first);
  if (scan.tornBytes > 0 || scan.offsets.length === 0) {
    const mayEnd = next === undefined || bases.includes(next.first - 1);
    if (!mayEnd) throw hole(name.first + scan.offsets.length);
    torn.push(await cutTail(directory, name.first, path, scan));
  }
  if (scan.offsets.length === 0) return undefined;
  // Its last blocks may only ever have been in memory: a host that was killed had not synced them,
  // or a sync had failed. Whoever is told of them takes them for durable.
  if (next === undefined) await rewriteFile(path);
  const last = name.first + scan.offsets.length - 1;
  return {
    first: name.first,
    last,
    bytes: scan.end,
    path,
    committed: false,
    // An older chunk is complete whatever chunkBytes was when it was written.
    complete: next?.first === last + 1,
    offsets: scan.offsets,
  };
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

/** Cuts a torn tail off, keeping the bytes for whoever wants to know what happened. */
async function cutTail(
  directory: string,
  first: number,
  path: string,
  scan: ChunkScan,
): Promise<TornTail> {
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

/** Removes the bases that explain nothing any more, as a crash behind a closed gap leaves them. */
async function explainingBases(
  directory: string,
  chunks: readonly Chunk[],
  bases: readonly number[],
): Promise<number[]> {
  const kept: number[] = [];
  for (const base of bases) {
    if (gapBelow(base, chunks, bases)) kept.push(base);
    else await removeBase(directory, base);
  }
  return kept;
}
