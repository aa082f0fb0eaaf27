import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { hasCommand } from './commands.ts';
import { adopt, sendSignal } from './processes.ts';
import { waitUntil } from './waiting.ts';

/** Which system calls of a process fail, and how. */
export interface Fault {
  /** Names, as strace has them. */
  readonly calls: readonly string[];
  /** What they fail with, such as `EIO`; they are not carried out. */
  readonly error: string;
  /** Only calls on these files; default every one. */
  readonly paths?: readonly string[];
}

/** Makes system calls of a running process fail by strace, until it is ended. */
export class InjectedFault {
  readonly #tracer: ChildProcess;
  readonly #log: string;

  /** Why this machine cannot do it; undefined when it can. */
  static get missing(): string | undefined {
    return hasCommand('strace', '-V') ? undefined : 'strace is missing: install strace';
  }

  private constructor(tracer: ChildProcess, log: string) {
    this.#tracer = tracer;
    this.#log = log;
  }

  /** Attaches to a process, all its threads and those to come; resolves once calls fail. */
  static async into(pid: number, fault: Fault, log: string): Promise<InjectedFault> {
    const calls = fault.calls.join(',');
    const inject = ['-e', `trace=${calls}`, '-e', `inject=${calls}:error=${fault.error}`];
    const out = openSync(log, 'w');
    const paths = (fault.paths ?? []).flatMap((path) => ['-P', path]);
    const args = ['-f', '-p', `${pid}`, ...inject, ...paths];
    const tracer = spawn('strace', args, { stdio: ['ignore', 'ignore', out] });
    closeSync(out);
    if (tracer.pid !== undefined) adopt(tracer.pid);
    const injected = new InjectedFault(tracer, log);
    const isAttached = () => readFileSync(log, 'utf8').includes('attached');
    await waitUntil(isAttached, {
      what: 'strace to attach',
      seen: () => readFileSync(log, 'utf8'),
    });
    return injected;
  }

  /** How many calls failed so far. */
  get count(): number {
    return readFileSync(this.#log, 'utf8').split('(INJECTED)').length - 1;
  }

  /** Lets calls succeed again. */
  async end(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#tracer;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const ended = once(this.#tracer, 'exit');
    sendSignal(pid, 'SIGINT');
    await ended;
  }
}
