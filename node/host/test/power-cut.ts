import fs from 'node:fs';
import { type FileHandle, mkdtemp, readdir, rm } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { HostError } from '../errors.ts';

// Lets the power fail before any one change of the disk, and forgets what was not synced.

/** System code of what a file operation meets from the cut on. */
export type CutCode = 'EIO' | 'ENOSPC';

type Operation = (...args: never[]) => Promise<unknown>;

const real = { ...fs.promises };
const probe = await real.open(process.execPath, 'r');
const handleOperations = Object.getPrototypeOf(probe) as Record<string, Operation>;
await probe.close();
const realHandle = {
  write: handleOperations.write!,
  writev: handleOperations.writev!,
  writeFile: handleOperations.writeFile!,
  sync: handleOperations.sync!,
  datasync: handleOperations.datasync!,
};

/** A change of a directory or file that is not durable yet, and how it is taken back. */
interface Undo {
  /** A directory for names, a file for a truncation. */
  readonly path: string;
  readonly run: () => void;
}

/** The changes between two syncs, and the number of changes until the power fails. */
class Disk {
  left: number;
  readonly #code: CutCode;
  readonly #handles = new Set<FileHandle>();
  readonly #paths = new Map<FileHandle, string>();
  /** Bytes of each file, by number, that would be there after a crash. */
  readonly #syncedBytes = new Map<number, number>();
  #undo: Undo[] = [];

  constructor(directory: string, changes: number, code: CutCode) {
    this.left = changes;
    this.#code = code;
    for (const file of filesBelow(directory)) this.#synced(file);
  }

  change(): void {
    if (this.left === 0) throw Object.assign(new Error('the power is off'), { code: this.#code });
    this.left--;
  }

  #synced(path: string): void {
    const { ino, size } = fs.statSync(path);
    this.#syncedBytes.set(ino, size);
    this.#undo = this.#undo.filter((undo) => undo.path !== path);
  }

  opened(handle: FileHandle, path: string, isNew: boolean): FileHandle {
    this.#handles.add(handle);
    this.#paths.set(handle, path);
    if (isNew) this.#undo.push({ path: dirname(path), run: () => fs.rmSync(path) });
    return handle;
  }

  sync(handle: FileHandle): void {
    const path = this.#paths.get(handle);
    if (path === undefined) return;
    if (fs.statSync(path).isDirectory()) this.#undo = this.#undo.filter((u) => u.path !== path);
    else this.#synced(path);
  }

  rename(from: string, to: string): void {
    const replaced = fs.existsSync(to) ? fs.readFileSync(to) : undefined;
    const run = () => {
      fs.renameSync(to, from);
      if (!replaced) return;
      fs.writeFileSync(to, replaced);
      this.#synced(to);
    };
    this.#undo.push({ path: dirname(to), run });
  }

  removed(path: string): void {
    const bytes = fs.readFileSync(path);
    const { ino } = fs.statSync(path);
    const kept = bytes.subarray(0, this.#syncedBytes.get(ino) ?? 0);
    const run = () => {
      fs.writeFileSync(path, kept);
      this.#synced(path);
    };
    this.#undo.push({ path: dirname(path), run });
  }

  truncated(path: string): void {
    const bytes = fs.readFileSync(path);
    this.#undo.push({ path, run: () => fs.writeFileSync(path, bytes) });
  }

  /** What an orderly system would have written by itself is gone. */
  lose(directory: string): void {
    for (const { run } of this.#undo.reverse()) run();
    for (const file of filesBelow(directory)) {
      const { ino, size } = fs.statSync(file);
      const synced = this.#syncedBytes.get(ino) ?? 0;
      if (size > synced) fs.truncateSync(file, synced);
    }
  }

  async close(): Promise<void> {
    for (const handle of this.#handles) await handle.close().catch(() => {});
  }
}

const filesBelow = (directory: string): string[] =>
  fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

let disk: Disk | undefined;

const patches: Record<string, (path: string, ...rest: never[]) => Promise<unknown>> = {
  open: async (path, ...rest) => {
    const isNew = /w/.test(String(rest[0] ?? 'r')) && !fs.existsSync(path);
    if (isNew) disk?.change();
    const handle = await (real.open as unknown as Operation)(path as never, ...rest);
    return disk?.opened(handle as FileHandle, path, isNew) ?? handle;
  },
  rename: async (path, ...rest) => {
    disk?.change();
    disk?.rename(path, rest[0] as unknown as string);
    return (real.rename as unknown as Operation)(path as never, ...rest);
  },
  unlink: async (path) => {
    disk?.change();
    disk?.removed(path);
    return real.unlink(path);
  },
  rm: async (path, ...rest) => {
    if (fs.existsSync(path)) {
      disk?.change();
      disk?.removed(path);
    }
    return (real.rm as unknown as Operation)(path as never, ...rest);
  },
  truncate: async (path, ...rest) => {
    disk?.change();
    disk?.truncated(path);
    return (real.truncate as unknown as Operation)(path as never, ...rest);
  },
};

for (const [name, patch] of Object.entries(patches)) {
  (fs.promises as unknown as Record<string, unknown>)[name] = patch;
}
for (const [name, operation] of Object.entries(realHandle)) {
  handleOperations[name] = async function (this: FileHandle, ...args: never[]) {
    disk?.change();
    const done = await operation.apply(this, args);
    if (name.endsWith('sync')) disk?.sync(this);
    return done;
  };
}
syncBuiltinESMExports();

/** A story that the power ends. Each function works on a directory of its own. */
export interface CutStory {
  readonly prepare: (directory: string) => Promise<void>;
  /** Must end by itself once every change of the disk fails. */
  readonly act: (directory: string) => Promise<void>;
  /** What must hold afterwards; `cut` names the case. */
  readonly check: (directory: string, cut: string) => Promise<void>;
  /** Default `EIO`. */
  readonly code?: CutCode;
}

/**
 * Runs a story once for each change of the disk it makes, ended before that change: with
 * everything kept that was written, and with everything lost that was not synced.
 * @returns how many changes it makes
 */
export async function cutEverywhere({
  prepare,
  act,
  check,
  code = 'EIO',
}: CutStory): Promise<number> {
  for (let changes = 0; ; changes++) {
    for (const outcome of ['kept', 'lost'] as const) {
      const directory = await mkdtemp(join(tmpdir(), 'cut-'));
      try {
        await prepare(directory);
        const current = new Disk(directory, changes, code);
        disk = current;
        await act(directory).catch((error: unknown) => {
          // Opening a ledger writes, too: without power it fails.
          if (current.left > 0 || systemCodeOf(error) !== code) throw error;
        });
        disk = undefined;
        await current.close();
        const finished = current.left > 0;
        if (outcome === 'lost') current.lose(directory);
        const names = (await readdir(directory)).sort().join(' ');
        await check(directory, `after ${changes} changes, ${outcome}: ${names}`);
        if (finished && outcome === 'lost') return changes;
      } finally {
        disk = undefined;
        await rm(directory, { recursive: true, force: true });
      }
    }
  }
}

const systemCodeOf = (error: unknown): unknown =>
  error instanceof HostError ? error.details.systemCode : undefined;
