import { type FSWatcher, watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Files of a directory by path relative to it, with what changes when they are written. */
type Fingerprint = ReadonlyMap<string, string>;

const watched = /\.(?:[cm]?[jt]s|json)$/;
const leftOut = /^(?:\.|node_modules$)/;
/** More files than an application has: a home directory, say. */
const maxFiles = 5_000;
/** Editors write in several steps; all of them within this are one save. */
const settleMs = 40;
/** Where the system does not tell of changes (network drives, full watch tables). */
const pollMs = 1_000;

/**
 * Yields the paths that changed since the last time, again and again, until the signal. Directories
 * are watched rather than files: editors replace a file by another one.
 */
export async function* changesIn(
  directory: string,
  signal: AbortSignal,
): AsyncGenerator<readonly string[]> {
  let known = await fingerprint(directory);
  const watchers = new Map<string, FSWatcher>();
  let wake = (): void => {};
  const poke = (): void => wake();
  signal.addEventListener('abort', poke);
  try {
    while (!signal.aborted) {
      watchAll(watchers, directoriesOf(directory, known), poke);
      const now = await fingerprint(directory);
      const changed = differences(known, now);
      known = now;
      if (changed.length > 0) {
        yield changed;
        continue;
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pollMs);
        wake = () => {
          clearTimeout(timer);
          setTimeout(resolve, signal.aborted ? 0 : settleMs);
        };
      });
    }
  } finally {
    signal.removeEventListener('abort', poke);
    for (const watcher of watchers.values()) watcher.close();
  }
}

function watchAll(
  watchers: Map<string, FSWatcher>,
  directories: ReadonlySet<string>,
  poke: () => void,
): void {
  for (const path of directories) {
    if (watchers.has(path)) continue;
    try {
      const watcher = watch(path, poke);
      watcher.on('error', () => {
        watcher.close();
        watchers.delete(path);
      });
      watchers.set(path, watcher);
    } catch {
      // It is gone, or the system watches no more: polling finds the change.
    }
  }
  for (const [path, watcher] of watchers) {
    if (directories.has(path)) continue;
    watcher.close();
    watchers.delete(path);
  }
}

function directoriesOf(root: string, files: Fingerprint): Set<string> {
  const directories = new Set([root]);
  for (const path of files.keys()) {
    const parts = path.split('/').slice(0, -1);
    for (let length = 1; length <= parts.length; length += 1) {
      directories.add(join(root, ...parts.slice(0, length)));
    }
  }
  return directories;
}

function differences(before: Fingerprint, after: Fingerprint): string[] {
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths].filter((path) => before.get(path) !== after.get(path)).sort();
}

async function fingerprint(root: string): Promise<Fingerprint> {
  const files = new Map<string, string>();
  const visit = async (below: string): Promise<void> => {
    const entries = await readdir(join(root, below), { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (leftOut.test(entry.name) || files.size >= maxFiles) continue;
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) await visit(path);
      else if (watched.test(entry.name)) {
        const found = await stat(join(root, path)).catch(() => undefined);
        if (found) files.set(path, `${found.mtimeMs} ${found.size} ${found.ino}`);
      }
    }
  };
  await visit('');
  return files;
}
