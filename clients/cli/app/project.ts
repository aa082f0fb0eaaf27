import { readFile, realpath, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { CliError } from '../errors.ts';

/** Someone who calls the application in a development network. */
export interface ProjectActor {
  readonly name: string;
  /** Names the application gives meaning to. */
  readonly roles: readonly string[];
}

/** An application in its directory, as its package.json describes it under `concordat`. */
export interface Project {
  readonly directory: string;
  readonly name: string;
  /** Path of the module that exports what `defineApp` returned. */
  readonly entry: string;
  readonly actors: readonly ProjectActor[];
}

const manifestName = 'package.json';
const defaultEntry = 'app.ts';
const maxActors = 50;

/**
 * Reads the application in a directory.
 * @throws CliError NOT_AN_APPLICATION when there is none, or its description is wrong
 */
export async function readProject(directory: string): Promise<Project> {
  const given = resolve(directory);
  // Tools name files by their real paths, and these are compared with theirs.
  const root = await realpath(given).catch(() => given);
  const manifest = await readManifest(root);
  const section = manifest.concordat;
  if (!isRecord(section)) {
    throw new CliError(
      'NOT_AN_APPLICATION',
      `${join(root, manifestName)} describes no application: it has no "concordat". Go to the directory of one, or make one with "npx concordat app new <directory>"`,
    );
  }
  for (const name of Object.keys(section)) {
    if (name !== 'application' && name !== 'actors') {
      throw wrong(root, `knows application and actors, not ${JSON.stringify(name)}`);
    }
  }
  const { application = defaultEntry, actors = {} } = section;
  if (typeof application !== 'string') throw wrong(root, 'has an application that is no path');
  const entry = resolve(root, application);
  const found = await stat(entry).catch(() => undefined);
  if (!found?.isFile()) throw wrong(root, `names ${application}, and there is no such file`);
  if (relative(root, entry).startsWith('..')) throw wrong(root, `names a file outside: ${entry}`);
  const { name } = manifest;
  return {
    directory: root,
    name: typeof name === 'string' && name !== '' ? name : 'application',
    entry,
    actors: readActors(actors, root),
  };
}

async function readManifest(root: string): Promise<Readonly<Record<string, unknown>>> {
  const path = join(root, manifestName);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    throw new CliError(
      'NOT_AN_APPLICATION',
      `there is no application in ${root} (no ${manifestName}): name its directory, or make one with "npx concordat app new <directory>"`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CliError('NOT_AN_APPLICATION', `${path} is not JSON: ${(error as Error).message}`);
  }
  return isRecord(value) ? value : {};
}

function readActors(value: unknown, root: string): ProjectActor[] {
  if (!isRecord(value)) throw wrong(root, 'has actors that are no {"name": ["role"]}');
  const entries = Object.entries(value);
  if (entries.length > maxActors) throw wrong(root, `has more than ${maxActors} actors`);
  return entries.map(([name, roles]) => {
    if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(name)) {
      throw wrong(root, `has an actor ${JSON.stringify(name)}: lower case letters, digits, . - _`);
    }
    const isRole = (role: unknown): role is string =>
      typeof role === 'string' && /^[a-z][a-z0-9_-]{0,63}$/.test(role);
    if (!Array.isArray(roles) || roles.length > 32 || !roles.every(isRole)) {
      throw wrong(root, `gives ${name} no list of role names: lower case letters, digits, - _`);
    }
    return { name, roles };
  });
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const wrong = (root: string, why: string): CliError =>
  new CliError('NOT_AN_APPLICATION', `"concordat" in ${join(root, manifestName)} ${why}`);
