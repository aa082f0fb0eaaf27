import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CliError } from '../errors.ts';
import type { SandboxLayout, SandboxNode, SandboxProcess } from './layout.ts';

/** What a manager enclave publishes about itself through its host. */
export interface NodeStatus {
  readonly phase: string;
  readonly reason?: string;
  readonly nodeId: string;
  /** What the owner signs and a member proposes. */
  readonly node: {
    readonly name: string;
    readonly address: string;
    readonly adminAddress: string;
    readonly applicationAddresses: readonly string[];
    readonly publicKey: string;
    readonly encryptionKey: string;
  };
  readonly networkId?: string;
  readonly networkCertificate?: string;
  readonly measurement: string;
  readonly platform: string;
  readonly role?: string;
  readonly view?: number;
  readonly leader?: string;
  readonly height?: number;
  readonly committedHeight?: number;
  /** The shared key, in names. */
  readonly keys?: {
    readonly key: number;
    readonly threshold: number;
    readonly holders: readonly string[];
    readonly ceremony?: { readonly number: number; readonly waitsFor: readonly string[] };
    readonly due?: { readonly waitsFor: readonly string[] };
  };
}

/** Entry point of a host. */
export const hostMain = join(
  dirname(fileURLToPath(import.meta.resolve('@concordat/host'))),
  'main.ts',
);
const pollMs = 25;

/**
 * Starts a node's host as a process group of its own, so that a Ctrl-C at the terminal reaches
 * this program first. The host, not this program, launches the enclaves. A launcher, if there is
 * one, becomes the host and keeps its process id.
 */
export function spawnHost(
  layout: SandboxLayout,
  node: SandboxNode,
  launcher: readonly string[] = [],
): number {
  const log = openSync(layout.nodeLog(node.name), 'a');
  try {
    const host = [process.execPath, hostMain, '--config', layout.nodeConfig(node.name)];
    const [command, ...args] = [...launcher, ...host] as [string, ...string[]];
    const child = spawn(command, args, {
      detached: true,
      stdio: ['ignore', log, log],
    });
    child.unref();
    if (child.pid === undefined) {
      throw new CliError('NODE_FAILED', `the host of ${node.name} could not be started`);
    }
    return child.pid;
  } finally {
    closeSync(log);
  }
}

/** The status a node's host published after an instant; undefined when there is none yet. */
export async function readStatus(
  layout: SandboxLayout,
  node: string,
  afterMs = 0,
): Promise<NodeStatus | undefined> {
  try {
    const text = await readFile(join(layout.nodeData(node), 'status.json'), 'utf8');
    const status = JSON.parse(text) as { time: string; manager?: NodeStatus };
    return Date.parse(status.time) >= afterMs ? status.manager : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Waits until a node's status satisfies a condition.
 * @throws CliError NODE_FAILED when the node gave up or its host ended, INTERRUPTED, TIMEOUT
 */
export async function waitForStatus(
  layout: SandboxLayout,
  node: string,
  options: {
    readonly until: (status: NodeStatus) => boolean;
    readonly afterMs: number;
    readonly timeoutMs: number;
    /** Process id of its host: there is nothing to wait for once that has ended. */
    readonly host?: number;
    readonly signal?: AbortSignal;
    /** How long it may be refused as unknown to the network before that counts as a failure. */
    readonly refusedMs?: number;
  },
): Promise<NodeStatus> {
  const deadline = performance.now() + options.timeoutMs;
  let status: NodeStatus | undefined;
  let ended = false;
  let refusedSince: number | undefined;
  while (performance.now() < deadline && !ended) {
    if (options.signal?.aborted) throw new CliError('INTERRUPTED', 'interrupted');
    ended = options.host !== undefined && !isRunning(options.host);
    status = await readStatus(layout, node, options.afterMs);
    if (status && options.until(status)) return status;
    if (status && isHopeless(status)) break;
    if (!/^NODE_NOT_ADMITTED/.test(status?.reason ?? '')) refusedSince = undefined;
    else refusedSince ??= performance.now();
    if (performance.now() - (refusedSince ?? Infinity) > (options.refusedMs ?? Infinity)) break;
    await sleep(pollMs);
  }
  const fault = await lastFault(layout, node, options.afterMs);
  const phase = status ? `${status.phase}${status.reason ? ` (${status.reason})` : ''}` : 'silent';
  const what = ended ? 'its host ended' : `it is ${phase}`;
  const code = ended || status?.phase === 'failed' ? 'NODE_FAILED' : 'TIMEOUT';
  const why = fault ? `\n  ${fault}` : '';
  throw new CliError(
    code,
    `${node} did not come up: ${what}${why}\n  log: ${layout.nodeLog(node)}`,
  );
}

/** A stored ledger or record that does not hold fails again at every launch. */
const isHopeless = ({ phase, reason }: NodeStatus): boolean =>
  phase === 'failed' && /^(LEDGER_|RECORD_|NODE_REMOVED|INVALID_)/.test(reason ?? '');

/** The last line of a host's log since an instant that tells of an error: its code and message. */
export async function lastFault(
  layout: SandboxLayout,
  node: string,
  afterMs: number,
): Promise<string | undefined> {
  const text = await readFile(layout.nodeLog(node), 'utf8').catch(() => '');
  for (const line of text.trimEnd().split('\n').reverse()) {
    const entry = parseLine(line);
    if (!entry) continue;
    if (Date.parse(entry.time ?? '') < afterMs) return undefined;
    if (entry.level !== 'error') continue;
    const said = [entry.code, entry.message ?? entry.why ?? entry.reason].filter(Boolean);
    return `${entry.event}: ${said.join(': ')}`;
  }
  return undefined;
}

/** Whether a host said since an instant that it confines its enclaves by no sandbox. */
export async function runsUnconfined(
  layout: SandboxLayout,
  node: string,
  afterMs: number,
): Promise<boolean> {
  const text = await readFile(layout.nodeLog(node), 'utf8').catch(() => '');
  const entries = text.split('\n').map(parseLine);
  return entries.some(
    (entry) => entry?.event === 'sandbox.missing' && Date.parse(entry.time ?? '') >= afterMs,
  );
}

function parseLine(line: string): Record<string, string | undefined> | undefined {
  try {
    return JSON.parse(line) as Record<string, string | undefined>;
  } catch {
    return undefined;
  }
}

/** Whether a process exists. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** What a sandbox remembers of a process. */
export function processRecord(name: string, pid: number): SandboxProcess {
  const { began } = stateOf(pid) ?? {};
  return { name, pid, ...(began !== undefined && { began }) };
}

/** Whether this very process still runs, and not another that was given its number since. */
export function isSame({ pid, began }: SandboxProcess): boolean {
  if (!isRunning(pid)) return false;
  const now = stateOf(pid);
  // Z: it has ended, and its parent has not asked for its exit status yet.
  return now === undefined || (now.state !== 'Z' && (began === undefined || now.began === began));
}

/** Fields 3 and 22 of /proc/<pid>/stat, on Linux: state, and clock ticks since boot. */
function stateOf(
  pid: number,
): { state?: string | undefined; began?: string | undefined } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0], began: fields[19] };
  } catch {
    return undefined;
  }
}

/** Asks processes to end and waits for them; whatever is left after the timeout is killed. */
export async function endProcesses(pids: readonly number[], timeoutMs = 15_000): Promise<void> {
  for (const pid of pids) signal(pid, 'SIGTERM');
  const deadline = performance.now() + timeoutMs;
  while (pids.some(isRunning) && performance.now() < deadline) await sleep(pollMs);
  for (const pid of pids.filter(isRunning)) signal(pid, 'SIGKILL');
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}

/** Waits. */
export const sleep = (ms: number): Promise<void> =>
  new Promise((done) => {
    setTimeout(done, ms);
  });
