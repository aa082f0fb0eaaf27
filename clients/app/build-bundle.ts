import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { utf8 } from '@concordat/std';
import { type BuildFailure, build, type Message, type Plugin } from 'esbuild';
import { BuildError, type SourcePlace, sourceError } from './build-error.ts';
import { evaluateDefinition } from './evaluate-definition.ts';
import { type Description, moduleName } from './runtime/describe.ts';
import type { OpenApiDocument } from './runtime/open-api.ts';
import { placesIn, wrapperName } from './source-places.ts';

/** An application as it is deployed. */
export interface BuiltBundle {
  /** `{"metadata": {"endpoints"}, "modules": [{"name", "module"}]}`, as JSON in UTF-8. */
  readonly bytes: Uint8Array;
  readonly metadata: Description['metadata'];
  readonly openApi: OpenApiDocument;
  readonly entry: string;
  /** The files it was made of, absolute: what to watch. */
  readonly sources: readonly string[];
}

/** How a bundle is built. */
export interface BuildOptions {
  /** How long evaluating the definition may take, milliseconds; default 10,000. */
  readonly definitionTimeoutMs?: number;
}

/** Files an application's directory may begin with, the first that is there. */
export const entryNames = ['app.ts', 'src/app.ts', 'index.ts', 'src/index.ts', 'app.js'] as const;

const maxBundleBytes = 8 * 1024 * 1024;
const packageName = '@concordat/app';
const entrySpecifier = 'concordat:bundle-entry';
const runtimeDirectory = fileURLToPath(new URL('runtime/', import.meta.url));

/**
 * Bundles an application: its entry's default export is what `defineApp` returned. The definition
 * is evaluated in a process of its own, which has no files, no environment and limited time. The same
 * sources give the same bytes, wherever they lie.
 * @param from a directory with one of {@link entryNames}, or the entry itself
 * @throws BuildError
 */
export async function buildBundle(
  from: string,
  { definitionTimeoutMs = 10_000 }: BuildOptions = {},
): Promise<BuiltBundle> {
  const entry = entryOf(resolve(from));
  const program = await bundled(entry, programText(entry), asScript);
  const { description, openApi } = await evaluateDefinition(program, definitionTimeoutMs);
  const { code, sources } = await bundled(entry, moduleText(entry, description.names));
  const { metadata } = description;
  const modules = [{ name: moduleName, module: code }];
  const bytes = utf8(JSON.stringify({ metadata, modules }));
  if (bytes.length > maxBundleBytes) {
    const why = `the bundle has ${bytes.length} bytes; it may have ${maxBundleBytes}`;
    throw new BuildError('BUNDLE_TOO_LARGE', why);
  }
  return { bytes, metadata, openApi, entry, sources };
}

function entryOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile()) return path;
  const entry = entryNames.map((name) => join(path, name)).find((file) => existsSync(file));
  if (entry !== undefined) return entry;
  throw new BuildError('NO_ENTRY', `${path} has none of ${entryNames.join(', ')}`);
}

const importOf = (entry: string): string =>
  `import app from ${JSON.stringify(`./${relative(dirname(entry), entry)}`)};\n`;

/** What a definition says of itself. */
const programText = (entry: string): string =>
  `${importOf(entry)}import { describeApp, openApiOf } from '${entrySpecifier}';
export default JSON.stringify({ description: describeApp(app), openApi: openApiOf(app) });
`;

/** Exports each endpoint under its name. */
const moduleText = (entry: string, names: readonly string[]): string =>
  `${importOf(entry)}import { serveInRealm } from '${entrySpecifier}';
const served = serveInRealm(app);
${names.map((name, at) => `const e${at} = served[${JSON.stringify(name)}];`).join('\n')}
export { ${names.map((name, at) => `e${at} as ${name}`).join(', ')} };
`;

/** One module with everything that it imports, and how its lines came about. */
export interface BundledModule {
  readonly code: string;
  readonly map: string;
  readonly sources: readonly string[];
}

const asModule = { format: 'esm' } as const;
/** A script whose value is the default export. */
const asScript = {
  format: 'iife',
  globalName: 'described',
  footer: { js: 'described.default' },
} as const;

async function bundled(
  entry: string,
  contents: string,
  form: typeof asModule | typeof asScript = asModule,
): Promise<BundledModule> {
  const directory = dirname(entry);
  try {
    const result = await build({
      stdin: { contents, resolveDir: directory, sourcefile: wrapperName, loader: 'js' },
      absWorkingDir: directory,
      outfile: join(directory, moduleName),
      bundle: true,
      write: false,
      metafile: true,
      ...form,
      platform: 'neutral',
      mainFields: ['module', 'main'],
      target: 'es2024',
      charset: 'utf8',
      legalComments: 'none',
      sourcemap: 'external',
      sourcesContent: false,
      logLevel: 'silent',
      // What a directory above the sources holds is no part of them.
      tsconfigRaw: '{}',
      supported: { 'top-level-await': false, 'dynamic-import': false },
      plugins: [ownRuntime],
    });
    const textOf = (ending: string): string =>
      result.outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? '';
    const inputs = Object.keys(result.metafile.inputs).filter((name) => !/^[\w-]{2,}:/.test(name));
    const sources = inputs.map((name) => resolve(directory, name)).filter(existsSync);
    const [code, map] = [textOf('.js'), textOf('.map')];
    checkImports(code, map);
    return { code, map, sources: sources.sort() };
  } catch (error) {
    const { errors } = error as Partial<BuildFailure>;
    if (!Array.isArray(errors)) throw error;
    throw sourceError(
      'SOURCE_INVALID',
      errors.map((message) => placeOf(message, basename(entry))),
    );
  }
}

/** Where the bundler leaves an import to be done when it runs, it writes a call of this. */
const lateImport = /__require\(/g;

/**
 * An application has all its modules in its bundle: none can be named only when it runs.
 * @throws BuildError SOURCE_INVALID
 */
function checkImports(code: string, map: string): void {
  if (!code.includes('var __require = ')) return;
  const why = 'a module that is named only when it runs is not available';
  const found = code
    .split('\n')
    .flatMap((text, at) =>
      [...text.matchAll(lateImport)].map(({ index }) => ({ line: at + 1, column: index + 1, why })),
    );
  const places = placesIn(map, found);
  if (places.length > 0) throw sourceError('SOURCE_INVALID', places);
}

/** `@concordat/app` is this room's runtime, wherever the application lies. */
const ownRuntime: Plugin = {
  name: 'concordat-runtime',
  setup(builder) {
    const namespace = 'concordat';
    builder.onResolve({ filter: /^@concordat\/app$/ }, () => ({ path: 'author.ts', namespace }));
    builder.onResolve({ filter: /^concordat:bundle-entry$/ }, () => ({
      path: 'bundle-entry.ts',
      namespace,
    }));
    builder.onResolve({ filter: /./, namespace }, ({ path }) => ({
      path: path.replace(/^\.\//, ''),
      namespace,
      sideEffects: false,
    }));
    builder.onResolve({ filter: /^node:/ }, ({ path }) => ({
      errors: [{ text: `an application has no ${path}: it runs without Node's modules` }],
    }));
    builder.onLoad({ filter: /./, namespace }, ({ path }) => ({
      contents: readFileSync(join(runtimeDirectory, path), 'utf8'),
      loader: 'ts',
    }));
  },
};

function placeOf({ text, location }: Message, entry: string): SourcePlace {
  if (location?.file === wrapperName) {
    const why = 'it has no default export: export default defineApp({ ... })';
    return { file: entry, line: 1, column: 1, why };
  }
  const why = text.replace('"concordat:author.ts"', `what an application has of ${packageName}`);
  const { file = entry, line = 1, column = 0 } = location ?? {};
  return { file, line, column: column + 1, why };
}
