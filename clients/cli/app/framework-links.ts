import { lstat, mkdir, realpath, rm, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository this command runs from. */
export const repository = join(dirname(fileURLToPath(import.meta.url)), '../../..');

/** What an application's `node_modules` holds of the framework, by the place it lies at there. */
const linked: Readonly<Record<string, string>> = {
  '@concordat/app': 'clients/app',
  '@concordat/sdk': 'clients/sdk',
  '@types/node': 'node_modules/@types/node',
  '.bin/concordat': 'clients/cli/concordat.mjs',
  '.bin/node': 'node_modules/.bin/node',
  '.bin/tsc': 'node_modules/.bin/tsc',
};

/**
 * Links the framework into an application's `node_modules`, so that its tests, its editor and
 * `npx concordat` find the packages and the runtime of this very repository without installing
 * anything. What is there and is no link stays. Does nothing inside of the repository.
 */
export async function linkFramework(directory: string): Promise<void> {
  const inside = relative(await realpath(repository), await realpath(directory));
  if (!inside.startsWith('..')) return;
  for (const [place, target] of Object.entries(linked)) {
    const path = join(directory, 'node_modules', place);
    const there = await lstat(path).catch(() => undefined);
    if (there && !there.isSymbolicLink()) continue;
    await mkdir(dirname(path), { recursive: true });
    await rm(path, { force: true });
    await symlink(join(repository, target), path);
  }
}
