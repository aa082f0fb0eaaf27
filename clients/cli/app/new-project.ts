import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { CliError } from '../errors.ts';
import { linkFramework, repository } from './framework-links.ts';

/** Applications to begin with: each is an example of the repository. */
export const templates = ['counter', 'bank', 'fraud-list', 'auction'] as const;

/** One of them. */
export type Template = (typeof templates)[number];

/** The compiler's configuration of an application: editors find the framework's types by it. */
const compilerOptions = {
  target: 'es2024',
  lib: ['es2024'],
  module: 'nodenext',
  types: ['node'],
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  erasableSyntaxOnly: true,
  verbatimModuleSyntax: true,
  allowImportingTsExtensions: true,
  skipLibCheck: true,
  noEmit: true,
};

const ignored = 'node_modules/\n.concordat/\n';
/** Of an example, what is about the repository and not about the application. */
const ofTheRepository = /(?:^|\/)(?:[^/]+\.e2e\.ts|README\.md|node_modules|\.concordat)$/;

/**
 * Makes the directory of a new application from a template, with the framework linked into it.
 * Returns its files, sorted.
 * @throws CliError USAGE, DIRECTORY_NOT_EMPTY
 */
export async function newProject(directory: string, template: string): Promise<readonly string[]> {
  if (!(templates as readonly string[]).includes(template)) {
    throw new CliError('USAGE', `--template is one of ${templates.join(', ')}`);
  }
  const root = resolve(directory);
  await requireEmpty(root);
  await mkdir(root, { recursive: true });
  const source = join(repository, 'examples', template);
  await cp(source, root, {
    recursive: true,
    filter: (path) => !ofTheRepository.test(path.slice(source.length)),
  });
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as object;
  await writeJson(join(root, 'package.json'), { ...manifest, name: packageName(root) });
  await writeJson(join(root, 'tsconfig.json'), { compilerOptions, include: ['**/*.ts'] });
  await writeFile(join(root, '.gitignore'), ignored);
  await linkFramework(root);
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .filter((path) => !path.startsWith('node_modules/'))
    .sort();
}

async function requireEmpty(root: string): Promise<void> {
  const names = await readdir(root).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    if (error.code === 'ENOTDIR') throw new CliError('USAGE', `${root} is a file`);
    throw error;
  });
  if (names.every((name) => name === '.git')) return;
  throw new CliError(
    'DIRECTORY_NOT_EMPTY',
    `${root} holds files already (${names.slice(0, 3).join(', ')}): name a new directory`,
  );
}

/** A name that npm takes. */
const packageName = (root: string): string =>
  basename(root)
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '') || 'application';

const writeJson = (path: string, value: unknown): Promise<void> =>
  writeFile(path, `${JSON.stringify(value, undefined, 2)}\n`);
