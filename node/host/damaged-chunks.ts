import { readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from './durable-file.ts';
import type { Chunk } from './ledger-directory.ts';

// A committed chunk that turned out to be damaged is kept, out of the ledger's way, for whoever
// wants to know what happened to it (docs/format/chunk.md).

/** Files kept; before one more comes, the oldest goes. */
export const maxKeptAside = 8;

const pattern = /^damaged_([1-9]\d{0,8})_[1-9]\d{0,14}-[1-9]\d{0,14}\.bin$/;

/** Whether a file is a chunk that was set aside. */
export const isAsideName = (name: string): boolean => pattern.test(name);

/**
 * Renames the file of a damaged chunk, durably; answers its new name,
 * `damaged_<number>_<first>-<last>.bin`, numbers rising.
 */
export async function setChunkAside(
  directory: string,
  { first, last, path }: Chunk,
): Promise<string> {
  const kept = (await readdir(directory))
    .flatMap((name) => {
      const number = Number(pattern.exec(name)?.[1]);
      return number > 0 ? { name, number } : [];
    })
    .sort((a, b) => a.number - b.number);
  const tooMany = kept.slice(0, Math.max(0, kept.length - maxKeptAside + 1));
  for (const { name } of tooMany) await unlink(join(directory, name));
  const keptAs = `damaged_${(kept.at(-1)?.number ?? 0) + 1}_${first}-${last}.bin`;
  await rename(path, join(directory, keptAs));
  await syncDirectory(directory);
  return keptAs;
}
