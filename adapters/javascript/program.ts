import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { BundleError, type BundleErrorCode, bundleError } from './errors.ts';

/** The program that application processes run. */
export interface ApplicationProgram {
  /** The file; where it is an image's own, it tells its roles apart by the arguments. */
  readonly file: string;
  readonly args: readonly string[];
  /** Files and directories that it may read: itself, and what it imports. */
  readonly readable: readonly string[];
}

/** Argument by which a program that has several roles knows that it holds an application. */
export const applicationArgument = '--application';

/** The program as it lies in the sources, for tests and development. */
export const sourceProgram = (): ApplicationProgram => ({
  file: fileURLToPath(new URL('process/main.ts', import.meta.url)),
  args: [applicationArgument],
  readable: [fileURLToPath(new URL('../../', import.meta.url))],
});

const checkTimeoutMs = 30_000;
const maxVerdictBytes = 64 * 1024;

/** Flags of the runtime: nothing but the program can be read, nothing be started but threads. */
function flags({ readable }: ApplicationProgram, maxMemoryMebibytes: number): string[] {
  return [
    '--permission',
    ...readable.map((path) => `--allow-fs-read=${path}`),
    // For the thread that watches over time and memory.
    '--allow-worker',
    '--frozen-intrinsics',
    '--disable-proto=delete',
    '--disallow-code-generation-from-strings',
    '--experimental-vm-modules',
    '--no-warnings',
    `--max-old-space-size=${heapMebibytes(maxMemoryMebibytes)}`,
    '--max-semi-space-size=16',
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

/**
 * Lets the engine parse and link a bundle, in a process of its own, without running any of it.
 * @throws BundleError
 */
export function checkWithEngine(program: ApplicationProgram, bundle: Uint8Array): void {
  const { file, args } = program;
  const all = [...flags(program, 1_024), file, ...args, '--check'];
  const { stdout, stderr, status } = spawnSync(process.execPath, all, {
    env: {},
    cwd: '/',
    input: bundle,
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: checkTimeoutMs,
    maxBuffer: maxVerdictBytes,
  });
  let verdict: { readonly code?: unknown; readonly message?: unknown } | undefined;
  try {
    if (status === 0) verdict = JSON.parse(stdout.toString()) as typeof verdict;
  } catch {
    // No verdict is none in its favour.
  }
  if (verdict === undefined) throw syntaxError(String(stderr));
  if (typeof verdict.code !== 'string') return;
  throw new BundleError(verdict.code as BundleErrorCode, String(verdict.message));
}

/** What the engine says of a syntax error that nobody caught: `file:line`, the line, the error. */
function syntaxError(text: string): BundleError {
  const [, file, line] = /^(.+):(\d+)$/m.exec(text) ?? [];
  const [, why] = /^SyntaxError: (.+)$/m.exec(text) ?? [];
  if (file === undefined || why === undefined) {
    return bundleError('SYNTAX_ERROR', 'the engine did not survive parsing the bundle');
  }
  return bundleError('SYNTAX_ERROR', why, { file, line: Number(line) });
}
