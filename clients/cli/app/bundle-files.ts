import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { canonicalJson } from '@concordat/governance';
import { utf8 } from '@concordat/std';
import { CliError } from '../errors.ts';

/** An application in CCF's bundle form, as far as this side looks into it. */
export interface BundleJson {
  readonly metadata: { readonly endpoints: Readonly<Record<string, unknown>> };
  readonly modules: readonly { readonly name: string; readonly module: string }[];
}

/**
 * The program an adapter runs for a bundle: its canonical JSON (RFC 8785) with the modules in the
 * order of their names, so that whoever builds the same bundle gets the same digest.
 */
export function programOfBundle({ metadata, modules }: BundleJson): Uint8Array {
  const sorted = [...modules].sort((a, b) => (a.name < b.name ? -1 : 1));
  return utf8(canonicalJson({ metadata, modules: sorted }));
}

/**
 * Reads a bundle: a directory with `app.json` and `src/`, a JSON file of one, or of a CCF proposal
 * with `set_js_app`. Whether it can be run is for the network to say.
 * @throws CliError NOT_AN_APPLICATION
 */
export async function readBundle(path: string): Promise<BundleJson> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return readDirectory(path);
  if (found?.isFile()) return bundleIn(await readJson(path), path);
  throw new CliError('NOT_AN_APPLICATION', `there is no bundle at ${path}`);
}

async function readDirectory(path: string): Promise<BundleJson> {
  const metadata = await readJson(join(path, 'app.json'));
  const source = join(path, 'src');
  const entries = await readdir(source, { recursive: true, withFileTypes: true }).catch(() => {
    throw new CliError('NOT_AN_APPLICATION', `${path} has no directory src beside app.json`);
  });
  const files = entries.filter((entry) => entry.isFile()).map((e) => join(e.parentPath, e.name));
  const modules = await Promise.all(
    files.map(async (file) => ({
      name: relative(source, file).split(sep).join('/'),
      module: await readFile(file, 'utf8'),
    })),
  );
  return bundleIn({ metadata, modules }, path);
}

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch(() => {
    throw new CliError('NOT_AN_APPLICATION', `there is no ${path}`);
  });
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CliError('NOT_AN_APPLICATION', `${path} is not JSON: ${(error as Error).message}`);
  }
}

type Json = Readonly<Record<string, unknown>>;

function bundleIn(value: unknown, path: string): BundleJson {
  const given = (value ?? {}) as Json & { readonly actions?: readonly Json[] };
  const [action] = Array.isArray(given.actions) ? given.actions : [];
  const isProposal = action?.name === 'set_js_app';
  const bundle = (
    isProposal ? ((action?.args ?? {}) as Json).bundle : given
  ) as Partial<BundleJson>;
  const isList = Array.isArray(bundle?.modules) && bundle.modules.every(isModule);
  if (isList && typeof bundle.metadata === 'object' && bundle.metadata !== null) {
    return bundle as BundleJson;
  }
  const form = '{"metadata": {"endpoints"}, "modules": [{"name", "module"}]}';
  throw new CliError('NOT_AN_APPLICATION', `${path} holds no bundle ${form}`);
}

const isModule = (value: unknown): boolean =>
  typeof (value as Json | null)?.name === 'string' && typeof (value as Json).module === 'string';

/** What people look at in a bundle before they vote: rows of its endpoints and of its modules. */
export function bundleTables(bundle: BundleJson): {
  readonly endpoints: readonly (readonly string[])[];
  readonly modules: readonly (readonly string[])[];
} {
  const endpoints = Object.entries(bundle.metadata.endpoints ?? {}).flatMap(([path, methods]) =>
    Object.entries((methods ?? {}) as Json).map(([method, declared]) => {
      const { mode, js_module, js_function, authn_policies } = (declared ?? {}) as Json;
      return [
        method.toUpperCase(),
        path,
        String(mode ?? 'readwrite'),
        `${js_module} ${js_function}`,
        policiesOf(authn_policies),
      ];
    }),
  );
  const modules = bundle.modules.map(({ name, module }) => [name, String(utf8(module).length)]);
  return { endpoints, modules };
}

const policiesOf = (value: unknown): string =>
  Array.isArray(value)
    ? value.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join(', ')
    : '';
