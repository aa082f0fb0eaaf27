import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { BuildError, type BuiltBundle, buildBundle } from '@concordat/app';
import { CliError } from '../errors.ts';
import { type BundleJson, readBundle } from './bundle-files.ts';
import { linkFramework } from './framework-links.ts';
import { type Project, readProject } from './project.ts';
import { describeFault, type SourceFault, typeFaults } from './type-check.ts';

/** A method and path that an application answers. */
export interface ServedEndpoint {
  readonly method: string;
  readonly path: string;
}

/** An application without faults. */
export interface BuiltApplication {
  readonly bundle: BundleJson;
  /** Of the bundle as it was built: tells versions apart. */
  readonly version: string;
  readonly endpoints: readonly ServedEndpoint[];
  /** What is wrong with files beside it, such as tests. */
  readonly beside: readonly SourceFault[];
}

/** What is wrong with an application. */
export interface FaultyApplication {
  readonly faults: readonly SourceFault[];
}

/**
 * Checks the types of an application and bundles it. Types that do not hold in what is bundled are
 * faults; elsewhere they are told and keep nothing from running.
 */
export async function buildApplication(
  project: Project,
  signal?: AbortSignal,
): Promise<BuiltApplication | FaultyApplication> {
  const [types, built] = await Promise.all([
    typeFaults(project.directory, signal),
    bundled(project),
  ]);
  // What cannot be read at all has no types: the same fault is told once.
  if ('faults' in built) return built;
  const sources = new Set(built.sources);
  const isOwn = ({ file = '' }: SourceFault): boolean => sources.has(join(project.directory, file));
  const faults = types.filter(isOwn);
  if (faults.length > 0) return { faults };
  const bundle = JSON.parse(Buffer.from(built.bytes).toString('utf8')) as BundleJson;
  return {
    bundle,
    version: createHash('sha256').update(built.bytes).digest('hex'),
    endpoints: endpointsIn(bundle),
    beside: types,
  };
}

/**
 * The bundle at a path: of an application's directory, built anew, or what {@link readBundle} reads.
 * @throws CliError NOT_AN_APPLICATION, APPLICATION_FAULTY with each fault as `file:line:column`
 */
export async function bundleAt(path: string): Promise<BundleJson> {
  const isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  if (!isDirectory || existsSync(join(path, 'app.json'))) return readBundle(path);
  const project = await readProject(path);
  await linkFramework(project.directory);
  const built = await buildApplication(project);
  if (!('faults' in built)) return built.bundle;
  const faults = built.faults.map((fault) => `  ${describeFault(fault)}`);
  throw new CliError('APPLICATION_FAULTY', `${path} cannot be deployed\n${faults.join('\n')}`);
}

async function bundled({ entry, directory }: Project): Promise<BuiltBundle | FaultyApplication> {
  if (!existsSync(entry)) {
    return {
      faults: [{ message: `${relative(directory, entry)} is gone, which package.json names` }],
    };
  }
  try {
    return await buildBundle(entry);
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    const places = error.places.map(({ file, line, column, why }) => ({
      file: withinProject(directory, entry, file),
      line,
      column,
      message: why,
    }));
    return { faults: places.length > 0 ? places : [{ message: error.message }] };
  }
}

/** Places are told from the directory of the entry; a person looks from the application's. */
function withinProject(directory: string, entry: string, file: string): string {
  const path = join(entry, '..', file);
  return path.startsWith(`${directory}/`) ? path.slice(directory.length + 1) : file;
}

function endpointsIn({ metadata }: BundleJson): ServedEndpoint[] {
  return Object.entries(metadata.endpoints).flatMap(([path, methods]) =>
    Object.keys(methods as object).map((method) => ({ method: method.toUpperCase(), path })),
  );
}
