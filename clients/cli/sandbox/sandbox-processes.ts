import { access, constants, mkdir, rm, writeFile } from 'node:fs/promises';
import { CliError } from '../errors.ts';
import type { SandboxLayout, SandboxProcess } from './layout.ts';
import { endProcesses, isSame, processRecord } from './node-process.ts';

/** Name under which the program that brings a sandbox up is recorded. */
const starter = 'starter';

/** The processes of a sandbox that run at this moment, this program among them. */
export const runningProcesses = async (layout: SandboxLayout): Promise<SandboxProcess[]> =>
  (await layout.readProcesses()).filter(isSame);

const isOther = ({ pid }: SandboxProcess): boolean => pid !== process.pid;

/** @throws CliError SANDBOX_RUNNING when another program has it up, or is bringing it up */
export async function refuseRunning(layout: SandboxLayout): Promise<void> {
  const others = (await runningProcesses(layout)).filter(isOther);
  if (others.length === 0) return;
  const coming = others.every(({ name }) => name === starter);
  throw new CliError(
    'SANDBOX_RUNNING',
    `${coming ? 'another command is starting the sandbox' : 'a sandbox is running'} in ${layout.directory}: stop it with "npm run concordat -- sandbox down", or give this one a --directory of its own`,
    { pids: others.map(({ pid }) => pid) },
  );
}

/**
 * Records this program as the one that brings the sandbox up.
 * @throws CliError SANDBOX_RUNNING, NOT_WRITABLE
 */
export async function claim(layout: SandboxLayout): Promise<void> {
  try {
    await mkdir(layout.directory, { recursive: true, mode: 0o700 });
    await access(layout.directory, constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CliError(
      'NOT_WRITABLE',
      `${layout.directory} cannot be written to (${code}): name another --directory`,
    );
  }
  const own = JSON.stringify({ processes: [processRecord(starter, process.pid)] });
  for (;;) {
    try {
      return await writeFile(layout.processes, own, { mode: 0o600, flag: 'wx' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    await refuseRunning(layout);
    await rm(layout.processes, { force: true });
  }
}

/** Records a process that belongs to the sandbox, in place of an earlier one of that name. */
export async function recordProcess(
  layout: SandboxLayout,
  { name, pid }: { readonly name: string; readonly pid: number },
): Promise<void> {
  const others = (await runningProcesses(layout)).filter((other) => other.name !== name);
  await keep(layout, [...others, processRecord(name, pid)]);
}

/** Forgets the program that brought the sandbox up: the network goes on without it. */
export async function releaseStarter(layout: SandboxLayout): Promise<void> {
  await keep(
    layout,
    (await runningProcesses(layout)).filter(({ name }) => name !== starter),
  );
}

function keep(layout: SandboxLayout, processes: readonly SandboxProcess[]): Promise<void> {
  const text = `${JSON.stringify({ processes }, undefined, 2)}\n`;
  return writeFile(layout.processes, text, { mode: 0o600 });
}

/** Stops the processes of a sandbox, but for this program, in good order; returns their names. */
export async function endSandbox(layout: SandboxLayout): Promise<string[]> {
  const others = (await runningProcesses(layout)).filter(isOther);
  await endProcesses(others.map(({ pid }) => pid));
  await rm(layout.processes, { force: true });
  return others.map(({ name }) => name);
}
