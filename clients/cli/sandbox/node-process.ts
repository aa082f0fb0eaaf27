import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CliError } from '../errors.ts';
import type { SandboxLayout, SandboxNode } from './layout.ts';

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
}

const hostMain = join(dirname(fileURLToPath(import.meta.resolve('@concordat/host'))), 'main.ts');
const pollMs = 25;

/**
 * Starts a node's host as a process group of its own, so that a Ctrl-C at the terminal reaches
 * this program first. The host, not this program, launches the enclaves.
 */
export function spawnHost(layout: SandboxLayout, node: SandboxNode): number {
  const log = openSync(layout.nodeLog(node.name), 'a');
  try {
    const child = spawn(process.execPath, [hostMain, '--config', layout.nodeConfig(node.name)], {
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
 * @throws CliError NODE_FAILED when the node gave up, TIMEOUT
 */
export async function waitForStatus(
  layout: SandboxLayout,
  node: string,
  options: {
    readonly until: (status: NodeStatus) => boolean;
    readonly afterMs: number;
    readonly timeoutMs: number;
    readonly onStatus?: (status: NodeStatus) => void;
  },
): Promise<NodeStatus> {
  const deadline = performance.now() + options.timeoutMs;
  let status: NodeStatus | undefined;
  while (performance.now() < deadline) {
    status = await readStatus(layout, node, options.afterMs);
    if (status) options.onStatus?.(status);
    if (status && options.until(status)) return status;
    await sleep(pollMs);
  }
  const last = status ? `${status.phase}${status.reason ? ` (${status.reason})` : ''}` : 'silent';
  const code = status?.phase === 'failed' ? 'NODE_FAILED' : 'TIMEOUT';
  throw new CliError(code, `${node} is ${last}; its log: ${layout.nodeLog(node)}`);
}

/** Whether a process exists. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
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
