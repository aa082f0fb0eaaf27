/**
 * Builds the measured enclave images into `build/images/<name>/`: one reproducible program file,
 * the native libraries it loads beside it, and `image.json`. Writes `measurements.json` for the
 * code manifest. Two builds of the same sources with the same runtime are equal byte for byte.
 *
 *   node scripts/build-images.ts [--output build/images] [--image manager]... [--profile directory]
 *
 * Enclaves of images built with `--profile` write a V8 profile to that directory when they end. V8
 * takes none under the permission model, so these images are without it: other ones by their
 * measurement, for measuring and nothing else.
 */
import { cp, mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import {
  bundleName,
  type ImageManifest,
  imageManifestName,
  imagePlaceholder,
  measureImage,
} from '@concordat/host';
import { build, type Plugin } from 'esbuild';

/** What one image is made of. */
interface ImageSource {
  readonly name: string;
  readonly role: ImageManifest['role'];
  /** Entry file, relative to the repository. */
  readonly entry: string;
  readonly flags: readonly string[];
  readonly adapters?: readonly string[];
}

const repository = dirname(dirname(fileURLToPath(import.meta.url)));

const confinement = [
  '--permission',
  `--allow-fs-read=${imagePlaceholder}`,
  '--disable-proto=delete',
  '--disallow-code-generation-from-strings',
];

const sources: readonly ImageSource[] = [
  {
    name: 'manager',
    role: 'manager',
    entry: 'node/manager-enclave/main.ts',
    // With a small limit on old objects and this much space for young ones the collector marks the
    // whole heap without pause: a fifth of the manager's processor time under load.
    flags: [...confinement, '--max-semi-space-size=32', '--initial-old-space-size=128'],
  },
  {
    name: 'worker',
    role: 'worker',
    entry: 'scripts/images/worker.ts',
    // Threads are this program once more, and nothing else: see thread-start.ts of worker-enclave.
    flags: [
      ...confinement,
      '--allow-addons',
      '--allow-worker',
      '--max-semi-space-size=64',
      '--initial-old-space-size=256',
    ],
    adapters: ['keyvalue', 'ethereum'],
  },
  {
    name: 'application',
    role: 'worker',
    entry: 'scripts/images/application.ts',
    // Each application runs in a child process, which is allowed nothing (adapters/javascript). Room
    // for old objects keeps the collector from marking without pause, as in the manager.
    flags: [
      ...confinement,
      '--allow-child-process',
      '--max-semi-space-size=64',
      '--initial-old-space-size=256',
    ],
    adapters: ['javascript'],
  },
];

/** CommonJS packages inside the bundle reach the runtime's own modules through `require`. */
const banner =
  "import { createRequire as createImageRequire } from 'node:module';\n" +
  'const require = createImageRequire(import.meta.url);';

/** Native accelerators of `ws` that an image does not carry; `ws` has its own code for them. */
const leftOut = /^(bufferutil|utf-8-validate)$/;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      output: { type: 'string', default: join(repository, 'build/images') },
      image: { type: 'string', multiple: true, default: sources.map(({ name }) => name) },
      profile: { type: 'string' },
    },
  });
  const unknown = values.image.filter((name) => !sources.some((source) => source.name === name));
  if (unknown.length > 0) throw new Error(`no image is called ${unknown.join(', ')}`);
  const output = resolve(values.output);
  const runtime = await realpath(process.execPath);
  const measurements = [];
  for (const source of sources.filter(({ name }) => values.image.includes(name))) {
    const directory = join(output, source.name);
    const flags = values.profile === undefined ? source.flags : profiled(source, values.profile);
    const fresh = join(output, `.${source.name}-${process.pid}`);
    await buildImage({ ...source, flags }, fresh);
    const image = await measureImage(fresh, runtime);
    await putInPlace(fresh, directory, { runtime, measurement: image.measurement });
    measurements.push({
      name: image.name,
      role: image.role,
      measurement: image.measurement,
      bundle: image.bundleSha256,
      runtime: image.runtimeSha256,
      flags: image.flags,
      libraries: image.librarySha256,
      ...(image.adapters && { adapters: image.adapters }),
    });
    process.stdout.write(`${image.measurement} ${image.role} ${directory}\n`);
  }
  await writeFile(
    join(output, 'measurements.json'),
    `${JSON.stringify(measurements, undefined, 2)}\n`,
  );
}

/** Replaces an image by a fresh one, unless it is that very one: others may be copying it just now. */
async function putInPlace(
  fresh: string,
  directory: string,
  { runtime, measurement }: { readonly runtime: string; readonly measurement: string },
): Promise<void> {
  const before = await measureImage(directory, runtime).catch(() => undefined);
  if (before?.measurement !== measurement) {
    await rm(directory, { recursive: true, force: true });
    await rename(fresh, directory).catch(async (error: NodeJS.ErrnoException) => {
      // Another build was faster.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  }
  await rm(fresh, { recursive: true, force: true });
}

const profiled = ({ flags }: ImageSource, directory: string): string[] => [
  ...flags.filter((flag) => !/^--(permission$|allow-)/.test(flag)),
  '--cpu-prof',
  `--cpu-prof-dir=${resolve(directory)}`,
];

async function buildImage(source: ImageSource, directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const libraries = new Map<string, string>();
  await build({
    entryPoints: [join(repository, source.entry)],
    outfile: join(directory, bundleName),
    // Names of modules in the output are relative to here, wherever the build is started.
    absWorkingDir: repository,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    charset: 'utf8',
    legalComments: 'none',
    banner: { js: banner },
    plugins: [nativeSecp256k1(libraries), embeddedEngine, withoutOptionalPackages],
    loader: { '.wasm': 'binary' },
    logLevel: 'warning',
  });
  await refuseAbsolutePaths(join(directory, bundleName));
  for (const [name, path] of libraries) await cp(path, join(directory, name));
  const manifest: ImageManifest = {
    name: source.name,
    role: source.role,
    flags: source.flags,
    libraries: [...libraries.keys()].sort(),
    ...(source.adapters && { adapters: source.adapters }),
  };
  await writeFile(
    join(directory, imageManifestName),
    `${JSON.stringify(manifest, undefined, 2)}\n`,
  );
}

/**
 * Loads the prebuilt libsecp256k1 from beside the bundle. The package itself searches directories
 * for it and silently falls back to slow code, neither of which an image may do.
 */
const nativeSecp256k1 = (libraries: Map<string, string>): Plugin => ({
  name: 'native-secp256k1',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]secp256k1[\\/]index\.js$/ }, ({ path }) => {
      const name = 'secp256k1.node';
      libraries.set(name, join(dirname(path), 'prebuilds', prebuildName(), prebuildFile()));
      const contents = [
        "import { createRequire } from 'node:module';",
        "import bind from './lib/index.js';",
        `const { Secp256k1 } = createRequire(import.meta.url)('./${name}');`,
        'export default bind(new Secp256k1());',
      ].join('\n');
      return { contents, loader: 'js', resolveDir: dirname(path) };
    });
  },
});

const prebuildName = (): string => `${process.platform}-${process.arch}`;

function prebuildFile(): string {
  if (process.platform !== 'linux') return 'secp256k1.node';
  const { header } = process.report.getReport() as unknown as { header: Record<string, unknown> };
  return header.glibcVersionRuntime === undefined ? 'secp256k1.musl.node' : 'secp256k1.glibc.node';
}

/**
 * Puts the bytes of the EVM into the bundle. From source they are read from files beside their room,
 * which an image has not; within the bundle they are measured like all code.
 */
const embeddedEngine: Plugin = {
  name: 'embedded-engine',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]adapters[\\/]evm[\\/]engine-bytes\.ts$/ }, ({ path }) => ({
      contents: [
        "export { default as engineBytes } from './evm.wasm';",
        "export { default as precompileBytes } from './precompiles.wasm';",
      ].join('\n'),
      loader: 'js',
      resolveDir: dirname(path),
    }));
  },
};

const withoutOptionalPackages: Plugin = {
  name: 'without-optional-packages',
  setup({ onLoad, onResolve }) {
    const namespace = 'left-out';
    onResolve({ filter: leftOut }, ({ path }) => ({ path, namespace }));
    onLoad({ filter: /.*/, namespace }, ({ path }) => ({
      contents: `throw new Error('${basename(path)} is not part of this image');`,
    }));
  },
};

/** A path of the machine that built an image would make its measurement a local one. */
async function refuseAbsolutePaths(bundle: string): Promise<void> {
  const text = await readFile(bundle, 'utf8');
  for (const path of [repository, pathToFileURL(repository).href]) {
    if (text.includes(path)) throw new Error(`${bundle} contains the path ${path}`);
  }
}

await main();
