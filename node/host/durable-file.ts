import { open, rename, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes creations, renames and deletions in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** How a file is replaced. */
export interface ReplaceOptions {
  readonly mode?: number;
  /** False: atomic for readers, but not yet durable. Default true. */
  readonly sync?: boolean;
}

/** Replaces a file atomically: its old or new content is there after a crash, never a mixture. */
export async function replaceFile(
  path: string,
  content: Uint8Array | string,
  { mode = 0o600, sync = true }: ReplaceOptions = {},
): Promise<void> {
  const temporary = `${path}.tmp`;
  const handle = await open(temporary, 'w', mode);
  try {
    await handle.writeFile(content);
    if (sync) await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  if (sync) await syncDirectory(dirname(path));
}

/** Cuts a file durably to its first bytes. */
export async function cutFile(path: string, bytes: number): Promise<void> {
  await truncate(path, bytes);
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
