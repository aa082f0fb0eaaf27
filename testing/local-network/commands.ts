import { spawnSync } from 'node:child_process';
import { LocalNetworkError } from './errors.ts';
// Processes are ended before what they use is undone: its listener comes first.
import './processes.ts';

/**
 * Runs a command of the machine and returns what it printed.
 * @throws LocalNetworkError COMMAND_FAILED
 */
export function run(command: string, ...args: readonly string[]): string {
  return runWith('', command, ...args);
}

/**
 * The same with something on its standard input.
 * @throws LocalNetworkError COMMAND_FAILED
 */
export function runWith(input: string, command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', input });
  if (status === 0) return stdout;
  const why = error?.message ?? stderr.trim();
  throw new LocalNetworkError('COMMAND_FAILED', `${[command, ...args].join(' ')}: ${why}`);
}

/** Whether a command is there. */
export const hasCommand = (command: string, ...args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: 'ignore' }).error === undefined;

const undone = new Set<() => void>();

process.on('exit', () => {
  for (const undo of [...undone].reverse()) attempt(undo);
});

/**
 * Has something undone when the returned function is called, or at the latest when this process
 * exits (after the processes it answers for have been ended).
 */
export function undoLater(undo: () => void): () => void {
  undone.add(undo);
  return () => {
    if (undone.delete(undo)) undo();
  };
}

/** Does what may fail because it has been done. */
export function attempt(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof LocalNetworkError)) throw error;
  }
}
