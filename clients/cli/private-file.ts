import { existsSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, extname } from 'node:path';
import { CliError } from './errors.ts';

/** Refuses a name that is taken, before long work is done for it. @throws CliError USAGE */
export function requireFree(file: string): void {
  if (existsSync(file)) throw taken(file);
}

const taken = (file: string): CliError =>
  new CliError('USAGE', `${file} exists already and is left as it is: name another file`);

/** Names tried before a writer gives up. */
const maxNames = 100;

/**
 * Writes a new file that only its owner reads, and waits until it would outlive a power cut. Nothing
 * is ever overwritten.
 * @throws CliError USAGE when there is one already
 */
export async function writeNewPrivateFile(
  file: string,
  contents: string | Uint8Array,
): Promise<void> {
  if (await tryToWrite(file, contents)) return;
  throw taken(file);
}

/**
 * The same, under another name where there is a file already: for what cannot be had a second time.
 * @returns the name it has now
 */
export async function writeSomePrivateFile(file: string, text: string): Promise<string> {
  const ending = extname(file);
  const stem = file.slice(0, file.length - ending.length);
  for (let count = 1; count <= maxNames; count++) {
    const name = count === 1 ? file : `${stem}-${count}${ending}`;
    if (await tryToWrite(name, text)) return name;
  }
  throw new CliError('NOT_WRITABLE', `${file} and ${maxNames} names like it are taken`);
}

/** A file outlives a power cut with the name in its directory. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function tryToWrite(file: string, contents: string | Uint8Array): Promise<boolean> {
  const made = await mkdir(dirname(file), { recursive: true });
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      await handle.writeFile(contents);
      await handle.sync();
    } finally {
      await handle.close();
    }
    for (let at = dirname(file); ; at = dirname(at)) {
      await syncDirectory(at);
      if (made === undefined || at === dirname(made)) break;
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
