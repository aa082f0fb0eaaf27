import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LocalNetworkError } from './errors.ts';

const hostMain = join(dirname(fileURLToPath(import.meta.resolve('@concordat/host'))), 'main.ts');

const hasProc = existsSync('/proc/self/stat');

/** Processes that this process answers for. */
const mine = new Set<number>();

/** Files `{"pids": [...]}` that list further ones. */
const lists = new Set<string>();

process.on('exit', () => {
  for (const pid of [...mine, ...[...lists].flatMap(pidsIn)]) sendSignal(pid, 'SIGKILL');
});
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(1));
}

/** Makes this process answer for another one: it is killed when this one exits. */
export const adopt = (pid: number): void => {
  mine.add(pid);
};

/**
 * Makes this process answer for the processes a sandbox lists while it comes up, too; the list
 * goes away with the sandbox.
 */
export const adoptListed = (file: string): void => {
  lists.add(file);
};

function pidsIn(file: string): number[] {
  try {
    const { pids } = JSON.parse(readFileSync(file, 'utf8')) as { pids: number[] };
    return pids;
  } catch {
    return [];
  }
}

/** Starts the host of a validating node; its output is appended to a log file. */
export function spawnHost(
  configFile: string,
  logFile: string,
  launcher: readonly string[] = [],
): number {
  const log = openSync(logFile, 'a');
  try {
    const host = [process.execPath, hostMain, '--config', configFile];
    const [command, ...args] = [...launcher, ...host] as [string, ...string[]];
    const child = spawn(command, args, {
      detached: true,
      stdio: ['ignore', log, log],
    });
    child.unref();
    if (child.pid === undefined) throw new LocalNetworkError('NO_PROCESS', 'no host was started');
    adopt(child.pid);
    return child.pid;
  } finally {
    closeSync(log);
  }
}

/** Whether a process runs: it exists and is no zombie. */
export function isAlive(pid: number): boolean {
  if (!hasProc) return sendSignal(pid, 0);
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^\d+ \(.*\) [ZX]/s.test(stat);
  } catch {
    return false;
  }
}

/** Sends a signal; whether there was a process to take it. */
export function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
