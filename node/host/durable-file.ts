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

const rewriteBytes = 1024 * 1024;

/**
 * Makes what a file reads as durable, by writing it once more. A sync alone would not do: after one
 * that failed, Linux takes the pages that never reached the disk for clean.
 */
export async function rewriteFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const buffer = Buffer.allocUnsafe(rewriteBytes);
    for (let at = 0; ; ) {
      const { bytesRead } = await file.read(buffer, 0, rewriteBytes, at);
      if (bytesRead === 0) break;
      for (let written = 0; written < bytesRead; ) {
        const rest = bytesRead - written;
        written += (await file.write(buffer, written, rest, at + written)).bytesWritten;
      }
      at += bytesRead;
    }
    await file.sync();
  } finally {
    await file.close();
  }
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
