import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Writes a new file that only its owner reads. @throws Error EEXIST when there is one already */
export const writePrivateFile = (file: string, text: string): Promise<void> =>
  write(file, text, { flags: 'wx', mode: 0o600 });

/** Writes or replaces a file everyone may read. */
export const writePublicFile = (file: string, text: string): Promise<void> =>
  write(file, text, { flags: 'w', mode: 0o644 });

async function write(
  file: string,
  text: string,
  { flags, mode }: { readonly flags: string; readonly mode: number },
): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const handle = await open(file, flags, mode);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
