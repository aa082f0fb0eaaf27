import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { formatEnclaveArguments } from '@concordat/bridge';
import { readLines } from './enclave-output.ts';
import { bundleName, imagePlaceholder, type MeasuredImage } from './measurement.ts';
import { bubblewrapArguments, insideBridge, insideImage, type Sandbox } from './sandbox.ts';

/** What to launch and how. */
export interface LaunchOptions {
  /** `manager` or `worker-<k>`, for log lines. */
  readonly source: string;
  readonly image: MeasuredImage;
  readonly runtime: string;
  readonly bridgeDirectory: string;
  /** Number of the worker, from 1; absent for the manager. */
  readonly worker?: number;
  readonly heapMebibytes?: number;
  readonly sandbox: Sandbox;
  /** User and group when the sandbox separates users. */
  readonly uid: number;
  readonly gid: number;
  readonly onLine: (stream: 'stdout' | 'stderr', line: string) => void;
}

/** How an enclave process ended. */
export interface EnclaveExit {
  readonly source: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
}

const infoFd = 3;

/** One enclave as a process of its own, with an empty environment. */
export class EnclaveProcess {
  readonly source: string;
  /** Settles once, when the process has ended or could not be started. */
  readonly exited: Promise<EnclaveExit>;
  /** Process id of the enclave itself, which differs from its sandbox's; known soon after launch. */
  readonly enclavePid: Promise<number | undefined>;
  readonly #child: ChildProcess;

  private constructor(source: string, child: ChildProcess, sandboxed: boolean) {
    this.source = source;
    this.#child = child;
    this.exited = new Promise((resolve) => {
      child.once('exit', (exitCode, signal) => resolve({ source, exitCode, signal }));
      child.once('error', () => {
        if (child.pid === undefined) resolve({ source, exitCode: null, signal: null });
      });
    });
    this.enclavePid = sandboxed ? readEnclavePid(child) : Promise.resolve(child.pid);
  }

  /** Starts an enclave. Sockets it creates are open to its group only. */
  static launch(options: LaunchOptions): EnclaveProcess {
    const { sandbox, image, bridgeDirectory, runtime } = options;
    const boxed = sandbox.bubblewrap !== undefined;
    const seenImage = boxed ? insideImage : image.directory;
    const program = [
      ...runtimeFlags(options, seenImage),
      join(seenImage, bundleName),
      ...formatEnclaveArguments({
        bridgeDirectory: boxed ? insideBridge : bridgeDirectory,
        ...(options.worker === undefined ? {} : { worker: options.worker }),
      }),
    ];
    const box = boxed
      ? bubblewrapArguments(
          { runtime, image: image.directory, bridge: bridgeDirectory },
          { proc: sandbox.proc, infoFd },
        )
      : [];
    const users = sandbox.separateUsers ? { uid: options.uid, gid: options.gid } : {};
    // The mask is inherited at the fork inside spawn, which is synchronous.
    const mask = process.umask(sandbox.separateUsers ? 0o007 : 0o077);
    try {
      const child = spawn(sandbox.bubblewrap ?? runtime, [...box, ...program], {
        env: {},
        cwd: '/',
        // A terminal's interrupt goes to the host alone, which ends the enclaves in order.
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe', ...(boxed ? (['pipe'] as const) : [])],
        ...users,
      });
      readLines(child.stdout as Readable, (line) => options.onLine('stdout', line));
      readLines(child.stderr as Readable, (line) => options.onLine('stderr', line));
      child.on('error', (error) => options.onLine('stderr', error.message));
      return new EnclaveProcess(options.source, child, boxed);
    } finally {
      process.umask(mask);
    }
  }

  /** Ends the process at once, by its process id. */
  kill(): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null)
      this.#child.kill('SIGKILL');
  }
}

function runtimeFlags({ image, heapMebibytes }: LaunchOptions, seenImage: string): string[] {
  const flags = image.flags.map((flag) => flag.replace(imagePlaceholder, seenImage));
  if (heapMebibytes !== undefined) flags.push(`--max-old-space-size=${heapMebibytes}`);
  return flags;
}

async function readEnclavePid(child: ChildProcess): Promise<number | undefined> {
  const info = child.stdio[infoFd] as Readable;
  let text = '';
  info.setEncoding('utf8');
  info.on('data', (part: string) => {
    text = (text + part).slice(0, 4096);
  });
  info.on('error', () => {});
  await once(info, 'close');
  const match = /"child-pid":\s*(\d+)/.exec(text);
  return match ? Number(match[1]) : undefined;
}
