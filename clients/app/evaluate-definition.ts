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

const timeoutMs = 10_000;
const maxOutputBytes = 16 * 1024 * 1024;
const maxErrorBytes = 64 * 1024;

/** No file, no process, no thread, no code from text; the program comes by the standard input. */
const flags = [
  '--permission',
  '--frozen-intrinsics',
  '--disallow-code-generation-from-strings',
  '--disable-proto=delete',
  '--no-warnings',
  '--max-old-space-size=512',
  '--input-type=module',
  '-',
];

/**
 * Evaluates a program that prints what a definition says of itself.
 * @throws BuildError DEFINITION_INVALID with the place in the sources, DEFINITION_ENDLESS
 */
export async function evaluateDefinition(program: {
  readonly code: string;
  readonly map: string;
}): Promise<Evaluated> {
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
    const why = `evaluating the definition took more than ${timeoutMs / 1_000} s`;
    throw new BuildError('DEFINITION_ENDLESS', why);
  }
  if (status !== 0) throw failure(said(), program.map);
  try {
    // Before the mark stands whatever the sources print while they are evaluated.
    const text = printed();
    return JSON.parse(text.slice(text.lastIndexOf('\0') + 1)) as Evaluated;
  } catch {
    throw new BuildError('DEFINITION_INVALID', 'the definition ended before it was described');
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

const frameForm = /\[eval1\]:(\d+):(\d+)/g;

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
