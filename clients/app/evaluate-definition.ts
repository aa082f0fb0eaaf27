import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { BuildError, sourceError } from './build-error.ts';
import type { Description } from './runtime/describe.ts';
import type { OpenApiDocument } from './runtime/open-api.ts';
import { placesIn } from './source-places.ts';

/** What a definition says of itself. */
export interface Evaluated {
  readonly description: Description;
  readonly openApi: OpenApiDocument;
}

const maxOutputBytes = 16 * 1024 * 1024;
const maxErrorBytes = 64 * 1024;

/** Evaluates what comes by the standard input in a realm that has ECMAScript and nothing else. */
const bootstrap = `
const { readFileSync } = require('node:fs');
const { constants, createContext, Script } = require('node:vm');
const codeGeneration = { strings: false, wasm: false };
const context = createContext(constants.DONT_CONTEXTIFY, { codeGeneration });
const script = new Script(readFileSync(0, 'utf8'), { filename: 'definition' });
process.stdout.write(String(script.runInContext(context)));
`;

/** No file, no process, no thread, no code from text. */
const flags = [
  '--permission',
  '--frozen-intrinsics',
  '--disallow-code-generation-from-strings',
  '--disable-proto=delete',
  '--no-warnings',
  '--max-old-space-size=512',
  '--input-type=commonjs',
  '--eval',
  bootstrap,
];

/**
 * Evaluates a program whose value is the JSON of what a definition says of itself.
 * @throws BuildError DEFINITION_INVALID with the place in the sources, DEFINITION_ENDLESS
 */
export async function evaluateDefinition(
  program: { readonly code: string; readonly map: string },
  timeoutMs: number,
): Promise<Evaluated> {
  const child = spawn(process.execPath, flags, {
    env: {},
    cwd: '/',
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  const [printed, said] = [
    collect(child.stdout, maxOutputBytes),
    collect(child.stderr, maxErrorBytes),
  ];
  // A program that ends before it has read all of itself is told by its exit.
  child.stdin.on('error', () => {});
  child.stdin.end(program.code);
  const [status] = (await once(child, 'close')) as [number | null];
  if (child.killed) {
    const why = `evaluating the definition took more than ${timeoutMs} ms`;
    throw new BuildError('DEFINITION_ENDLESS', why);
  }
  if (status !== 0) throw failure(said(), program.map);
  try {
    return JSON.parse(printed()) as Evaluated;
  } catch {
    throw new BuildError('DEFINITION_INVALID', 'the definition does not describe itself');
  }
}

function collect(stream: NodeJS.ReadableStream, maxBytes: number): () => string {
  const parts: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (part: Buffer) => {
    if (bytes < maxBytes) parts.push(part);
    bytes += part.length;
  });
  return () => Buffer.concat(parts).toString('utf8');
}

const frameForm = /\bdefinition:(\d+):(\d+)/g;

/** The first frame that lies in the application's own sources is what is wrong. */
function failure(text: string, map: string): BuildError {
  const lines = text.split('\n');
  const why =
    lines.find((line) => /^\s*(?:\w*Error|Uncaught)\b.*: /.test(line))?.trim() ??
    'evaluating the definition ended its process';
  const frames = [...text.matchAll(frameForm)].map(([, line, column]) => ({
    line: Number(line),
    column: Number(column),
    why,
  }));
  const [place] = placesIn(map, frames);
  if (place !== undefined) return sourceError('DEFINITION_INVALID', [place]);
  return new BuildError('DEFINITION_INVALID', why);
}
