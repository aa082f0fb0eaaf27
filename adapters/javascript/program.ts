import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { BundleError, type BundleErrorCode, bundleError } from './errors.ts';
import { readLimits } from './limits.ts';

/** The program that application processes run. */
export interface ApplicationProgram {
  /** The file; where it is an image's own, it tells its roles apart by the arguments. */
  readonly file: string;
  readonly args: readonly string[];
  /** Files and directories that it may read: itself, and what it imports. */
  readonly readable: readonly string[];
  /** In place of the permission model, under which V8 takes no profile: flags for taking one. */
  readonly profiling?: readonly string[];
}

/** Argument by which a program that has several roles knows that it holds an application. */
export const applicationArgument = '--application';

/** The program as it lies in the sources, for tests and development. */
export const sourceProgram = (): ApplicationProgram => ({
  file: fileURLToPath(new URL('process/main.ts', import.meta.url)),
  args: [applicationArgument],
  readable: [fileURLToPath(new URL('../../', import.meta.url))],
});

const defaultLimits: CheckLimits = readLimits(undefined);
const checkTimeoutMs = 30_000;
const maxVerdictBytes = 64 * 1024;

/** Flags of the runtime: nothing but the program can be read, nothing be started but threads. */
function flags({ readable, profiling }: ApplicationProgram, maxMemoryMebibytes: number): string[] {
  const confinement = [
    '--permission',
    ...readable.map((path) => `--allow-fs-read=${path}`),
    // For the thread that watches over time and memory.
    '--allow-worker',
  ];
  return [
    ...(profiling ?? confinement),
    '--frozen-intrinsics',
    '--disable-proto=delete',
    '--disallow-code-generation-from-strings',
    '--experimental-vm-modules',
    '--no-warnings',
    `--max-old-space-size=${heapMebibytes(maxMemoryMebibytes)}`,
    '--max-semi-space-size=16',
    // Without room for old objects the collector marks the heap of a busy application without pause.
    `--initial-old-space-size=${heapMebibytes(maxMemoryMebibytes) >> 2}`,
  ];
}

/** What the runtime, its code and the space of young objects occupy, mebibytes. */
const besideHeapMebibytes = 144;

/** The heap's share of a process: the engine collects before the process is too large. */
const heapMebibytes = (maxMemoryMebibytes: number): number =>
  Math.max(maxMemoryMebibytes >> 2, maxMemoryMebibytes - besideHeapMebibytes);

/** Starts an application's process; descriptor 3 is the pipe to it. */
export function startProcess(
  program: ApplicationProgram,
  { maxMemoryMebibytes }: { readonly maxMemoryMebibytes: number },
): ChildProcess {
  const { file, args } = program;
  return spawn(process.execPath, [...flags(program, maxMemoryMebibytes), file, ...args], {
    env: {},
    cwd: '/',
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
}

/** Where a bundle is checked: as it will be run. */
export interface CheckLimits {
  /** What its process may occupy. */
  readonly maxMemoryMebibytes: number;
}

const checkArguments = (program: ApplicationProgram, limits: CheckLimits): string[] => [
  ...flags(program, limits.maxMemoryMebibytes),
  program.file,
  ...program.args,
  '--check',
];

/**
 * Lets the engine parse and link a bundle, in a process of its own, without running any of it. Waits
 * for it, and nothing else is done meanwhile: for the genesis.
 * @throws BundleError
 */
export function checkWithEngine(
  program: ApplicationProgram,
  bundle: Uint8Array,
  limits: CheckLimits = defaultLimits,
): void {
  const { stdout, stderr, status } = spawnSync(process.execPath, checkArguments(program, limits), {
    env: {},
    cwd: '/',
    input: bundle,
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: checkTimeoutMs,
    maxBuffer: maxVerdictBytes,
  });
  judge({ status, stdout: stdout.toString(), stderr: stderr.toString() }, limits);
}

/**
 * Checks a bundle all over in a process of its own, while this one goes on with its work.
 * @throws BundleError
 */
export async function checkBeside(
  program: ApplicationProgram,
  bundle: Uint8Array,
  limits: CheckLimits = defaultLimits,
): Promise<void> {
  const child = spawn(process.execPath, checkArguments(program, limits), {
    env: {},
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: checkTimeoutMs,
    killSignal: 'SIGKILL',
  });
  const texts = Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
    child.once('error', () => resolve(null));
  });
  // It may end before it has read all of it.
  child.stdin.on('error', () => {});
  child.stdin.end(bundle);
  const [status, [stdout, stderr]] = await Promise.all([ended, texts]);
  judge({ status, stdout, stderr }, limits);
}

/** What a stream says, as far as a verdict can be long. */
async function textOf(stream: Readable): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of stream as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes <= maxVerdictBytes) parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

interface CheckEnd {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** @throws BundleError */
function judge({ status, stdout, stderr }: CheckEnd, limits: CheckLimits): void {
  const verdict = status === 0 ? verdictIn(stdout) : undefined;
  // No verdict is none in its favour.
  if (verdict === undefined) throw syntaxError(stderr, limits);
  const { code, message, details } = verdict;
  if (typeof code !== 'string') return;
  throw new BundleError(code as BundleErrorCode, String(message), { ...(details as object) });
}

function verdictIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** What the engine says of a syntax error that nobody caught: `file:line`, the line, the error. */
function syntaxError(text: string, { maxMemoryMebibytes }: CheckLimits): BundleError {
  const [, file, line] = /^(.+):(\d+)$/m.exec(text) ?? [];
  const [, why] = /^SyntaxError: (.+)$/m.exec(text) ?? [];
  if (file === undefined || why === undefined) {
    const inWhich = `in the ${maxMemoryMebibytes} MiB that are in force`;
    return bundleError('SYNTAX_ERROR', `the engine did not survive parsing the bundle ${inWhich}`);
  }
  return bundleError('SYNTAX_ERROR', why, { file, line: Number(line) });
}
