/**
 * Compiles `assembly/` to `evm.wasm` and `assembly/precompiles/` to `precompiles.wasm`. The same
 * sources and compiler give the same bytes.
 *
 *   node adapters/evm/build.ts                             both, in their places
 *   node adapters/evm/build.ts --output file [--text file] the engine alone, elsewhere
 */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const room = dirname(fileURLToPath(import.meta.url));

/** What is compiled: the file it starts from, within this room, and where the outcome is kept. */
export const targets = {
  engine: { entry: 'assembly/index.ts', output: join(room, 'evm.wasm') },
  precompiles: {
    entry: 'assembly/precompiles/index.ts',
    output: join(room, 'precompiles.wasm'),
  },
} as const;

const options = [
  '--optimizeLevel',
  '3',
  '--shrinkLevel',
  '0',
  '--converge',
  '--noAssert',
  '--runtime',
  'stub',
  '--enable',
  'bulk-memory,sign-extension,mutable-globals,nontrapping-f2i,simd',
  // Page 0 stays unused up to here, so that a pointer of 0 means none.
  '--memoryBase',
  '1024',
  '--use',
  'abort=',
];

/** The compiler's command line as a function. */
interface Compiler {
  main(
    options: readonly string[],
    files: {
      readFile(name: string, base: string): Promise<string | null>;
      writeFile(name: string, contents: string | Uint8Array): void;
      listFiles(): null;
    },
  ): Promise<{ readonly error: Error | null; readonly stderr: { toString(): string } }>;
}

// By a name that the type checker does not follow: the compiler's own types declare its builtins
// (`assert`, `load`, `i32`) as globals of every file of the repository.
const compilerName = 'assemblyscript/asc';

/** A compiled engine. */
export interface CompiledEngine {
  readonly module: Uint8Array;
  /** The same in WebAssembly's text format, when asked for. */
  readonly text?: string;
}

/**
 * Compiles the assembly, or what one of its files exports, for tests of that file alone.
 * @throws Error with the compiler's report
 */
export async function compileEngine({
  text = false,
  entry = targets.engine.entry as string,
} = {}): Promise<CompiledEngine> {
  const written = new Map<string, string | Uint8Array>();
  const compiler = (await import(compilerName)) as Compiler;
  const { error, stderr } = await compiler.main(
    [
      entry,
      '--baseDir',
      room,
      '--outFile',
      'evm.wasm',
      ...(text ? ['--textFile', 'evm.wat'] : []),
      ...options,
    ],
    {
      readFile: (name, base) => readFile(resolve(base, name), 'utf8').catch(() => null),
      writeFile: (name, contents) => {
        written.set(name, contents);
      },
      listFiles: () => null,
    },
  );
  const module = written.get('evm.wasm');
  if (error !== null || !(module instanceof Uint8Array)) {
    throw new Error(`${entry} does not compile\n${stderr.toString()}`);
  }
  const listing = written.get('evm.wat');
  return { module, ...(typeof listing === 'string' ? { text: listing } : {}) };
}

async function put(file: string, contents: string | Uint8Array): Promise<void> {
  await writeFile(file, contents);
  process.stdout.write(`${file}: ${contents.length} bytes\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { output: { type: 'string' }, text: { type: 'string' } },
  });
  const engine = await compileEngine({ text: values.text !== undefined });
  await put(values.output ?? targets.engine.output, engine.module);
  if (values.text !== undefined) await put(values.text, engine.text as string);
  if (values.output !== undefined) return;
  const { module } = await compileEngine({ entry: targets.precompiles.entry });
  await put(targets.precompiles.output, module);
}

if (import.meta.main) await main();
