import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Command, type Invocation, wholeNumber } from './command.ts';
import { CliError } from './errors.ts';
import { abortOnInterrupt } from './interrupt.ts';
import {
  defaultSandboxDirectory,
  SandboxLayout,
  type SandboxNode,
  type SandboxRecord,
} from './sandbox/layout.ts';
import {
  endProcesses,
  isRunning,
  type NodeStatus,
  readStatus,
  sleep,
} from './sandbox/node-process.ts';
import { short } from './sandbox/node-tuple.ts';
import { type EngineChoice, sandboxAdapters } from './sandbox/plan.ts';
import { Sandbox, type SandboxOptions } from './sandbox/sandbox.ts';
import { endSandbox, runningProcesses } from './sandbox/sandbox-processes.ts';
import { renderTable, Steps } from './terminal.ts';

/** Options every command on a sandbox takes. */
export const sandboxOptions = {
  directory: { type: 'string', default: defaultSandboxDirectory },
} as const;

/** Options of commands that start one. */
export const startOptions = {
  ...sandboxOptions,
  nodes: { type: 'string' },
  fresh: { type: 'boolean', default: false },
  batch: { type: 'string' },
  engine: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

/** How a new sandbox is made, from the options. @throws CliError USAGE */
export function optionsOf(invocation: Invocation): SandboxOptions & { fresh: boolean } {
  const batch = wholeNumber(invocation, 'batch', { least: 1, most: 100_000, otherwise: 100 });
  return {
    nodes: wholeNumber(invocation, 'nodes', { least: 1, most: 9, otherwise: 3 }),
    fresh: invocation.options.fresh === true,
    adapters: sandboxAdapters(engineOf(invocation)),
    policies: { maxBatchTransactions: batch },
  };
}

/** What executes Ethereum transactions. @throws CliError USAGE */
function engineOf({ options }: Invocation): EngineChoice {
  const name = options.engine ?? 'own';
  if (name === 'own' || name === 'reference') return name;
  throw new CliError('USAGE', '--engine must be own or reference');
}

/** Opens the sandbox the options name. */
export async function openSandbox(invocation: Invocation, steps: Steps): Promise<Sandbox> {
  const options = optionsOf(invocation);
  const sandbox = await Sandbox.open(String(invocation.options.directory), options, steps);
  const { complete, nodes } = sandbox.record;
  const asked = ['nodes', 'batch', 'engine'].filter(
    (name) => invocation.options[name] !== undefined,
  );
  if (complete && asked.length > 0) {
    const given = asked.map((name) => `--${name}`).join(' and ');
    steps.note(
      `this is the sandbox of ${nodes.length} nodes as it was begun: ${given} takes --fresh`,
    );
  }
  return sandbox;
}

const cliMain = fileURLToPath(new URL('main.ts', import.meta.url));
const gatewayStartMs = 15_000;
/** Name under which the gateway is recorded among the processes. */
const gatewayName = 'gateway';

/** Starts the gateway as a process of the sandbox; returns its URL. @throws CliError NODE_FAILED */
export async function startGateway(sandbox: Sandbox, signal?: AbortSignal): Promise<string> {
  const { layout, record } = sandbox;
  const log = openSync(layout.gatewayLog, 'a');
  const args = ['gateway', '--directory', layout.directory];
  const child = spawn(process.execPath, [cliMain, ...args], {
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.unref();
  if (child.pid === undefined) throw new CliError('NODE_FAILED', 'the gateway did not start');
  await sandbox.adopt(gatewayName, child.pid);
  const url = `http://127.0.0.1:${record.gatewayPort}`;
  const deadline = performance.now() + gatewayStartMs;
  while (performance.now() < deadline && isRunning(child.pid) && !signal?.aborted) {
    const answered = await fetch(url, {
      method: 'POST',
      signal: AbortSignal.any([AbortSignal.timeout(gatewayStartMs), ...(signal ? [signal] : [])]),
      headers: { 'content-type': 'application/json' },
      body: '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}',
    }).then(
      (answer) => answer.ok,
      () => false,
    );
    if (answered) return url;
    await sleep(50);
  }
  if (signal?.aborted) throw new CliError('INTERRUPTED', 'interrupted');
  throw new CliError('NODE_FAILED', `the gateway does not answer; its log: ${layout.gatewayLog}`);
}

const up: Command = {
  name: 'sandbox up',
  summary: 'start a consortium on this machine and leave it running',
  usage: '[--nodes 3] [--fresh] [--batch 100] [--engine own] [--directory path] [--json]',
  options: startOptions,
  examples: ['sandbox up --nodes 3'],
  run: async (invocation) => {
    const { terminal, options } = invocation;
    const steps = new Steps(terminal, { json: options.json === true });
    const sandbox = await openSandbox(invocation, steps);
    const signal = abortOnInterrupt(terminal);
    try {
      await sandbox.up(signal);
      steps.begin('starting the gateway');
      const url = await startGateway(sandbox, signal);
      steps.done(`gateway for wallets and tools at ${url}`, { url });
    } catch (error) {
      steps.failed();
      await sandbox.down();
      if (signal.aborted) return 130;
      throw error;
    }
    await sandbox.release();
    steps.note('stop it with: npm run concordat -- sandbox down');
    return 0;
  },
};

const down: Command = {
  name: 'sandbox down',
  summary: 'stop the sandbox; its ledger stays',
  usage: '[--directory path]',
  options: sandboxOptions,
  examples: ['sandbox down'],
  run: async ({ options, terminal }) => {
    const layout = new SandboxLayout(String(options.directory));
    const names = await endSandbox(layout);
    terminal.write(
      names.length === 0
        ? `No sandbox is running in ${layout.directory}.\n`
        : `Stopped ${names.join(', ')}.\n`,
    );
    return 0;
  },
};

const restart: Command = {
  name: 'sandbox restart',
  summary: 'start one node of a running sandbox again, as after a crash',
  usage: '<vn1 | vn2 | … | gateway> [--directory path]',
  positionals: 1,
  options: sandboxOptions,
  examples: ['sandbox restart vn2'],
  run: async ({ options, positionals, terminal }) => {
    const layout = new SandboxLayout(String(options.directory));
    const record = await requireRecord(layout);
    const names = [...record.nodes.map(({ name }) => name), gatewayName];
    const [name = ''] = positionals;
    if (!names.includes(name)) throw new CliError('USAGE', `name one of: ${names.join(', ')}`);
    const running = await runningProcesses(layout);
    if (running.length === 0) {
      throw new CliError(
        'SANDBOX_MISSING',
        'this sandbox is stopped: resume all of it with "npm start", or "npm run concordat -- sandbox up"',
      );
    }
    const sandbox = await Sandbox.attach(layout);
    await endProcesses(running.filter((other) => other.name === name).map(({ pid }) => pid));
    if (name === gatewayName) await startGateway(sandbox);
    else await sandbox.restart(name);
    terminal.write(`${name} runs again.\n`);
    return 0;
  },
};

async function requireRecord(layout: SandboxLayout): Promise<SandboxRecord> {
  const record = await layout.read();
  if (record) return record;
  throw new CliError(
    'SANDBOX_MISSING',
    `there is no sandbox in ${layout.directory}: start one with "npm start"`,
  );
}

const status: Command = {
  name: 'sandbox status',
  summary: 'show what the nodes of the sandbox are doing',
  usage: '[--directory path] [--json]',
  options: { ...sandboxOptions, json: { type: 'boolean', default: false } },
  examples: ['sandbox status', 'sandbox status --json'],
  run: async ({ options, terminal }) => {
    const layout = new SandboxLayout(String(options.directory));
    const record = await requireRecord(layout);
    const state = await stateOf(layout, record);
    if (options.json === true) terminal.write(`${JSON.stringify(state)}\n`);
    else terminal.write(describeState(state, layout, record));
    return 0;
  },
};

interface SandboxState {
  readonly running: boolean;
  readonly nodes: readonly (SandboxNode & {
    pid: number | undefined;
    status: NodeStatus | undefined;
  })[];
  /** Absent in a sandbox without one. */
  readonly gateway?: { readonly url: string; readonly pid: number | undefined };
}

async function stateOf(layout: SandboxLayout, record: SandboxRecord): Promise<SandboxState> {
  const processes = await runningProcesses(layout);
  const pidOf = new Map(processes.map(({ name, pid }) => [name, pid]));
  const nodes = await Promise.all(
    record.nodes.map(async (node) => ({
      ...node,
      pid: pidOf.get(node.name),
      // What a host wrote before it ended is no longer so.
      status: pidOf.has(node.name) ? await readStatus(layout, node.name) : undefined,
    })),
  );
  const running = processes.length > 0;
  const { gatewayPort } = record;
  if (gatewayPort === 0) return { running, nodes };
  const url = `http://127.0.0.1:${gatewayPort}`;
  return { running, nodes, gateway: { url, pid: pidOf.get(gatewayName) } };
}

const stateColumns = [
  'node',
  'organisation',
  'host pid',
  'phase',
  'role',
  'view',
  'block',
  'application',
  'admin',
];

function describeState(
  { running, nodes, gateway }: SandboxState,
  layout: SandboxLayout,
  record: SandboxRecord,
): string {
  const rows = nodes.map(({ name, organisation, ports, pid, status }) => [
    name,
    organisation,
    String(pid ?? ''),
    pid === undefined ? 'stopped' : (status?.phase ?? 'starting'),
    status?.role ?? '',
    String(status?.view ?? ''),
    String(status?.committedHeight ?? ''),
    `127.0.0.1:${ports.application}`,
    `127.0.0.1:${ports.admin}`,
  ]);
  const reasons = nodes.filter(({ status }) => status?.reason !== undefined);
  const stopped = [
    ...nodes.filter(({ pid }) => pid === undefined).map(({ name }) => name),
    ...(gateway && gateway.pid === undefined ? [gatewayName] : []),
  ];
  const lines = [
    running ? 'The sandbox is running.' : 'The sandbox is stopped.',
    '',
    renderTable(stateColumns, rows),
    ...reasons.map(({ name, status }) => `  ${name}: ${status?.reason}`),
    ...(gateway ? [`  gateway ${gateway.url}${gateway.pid === undefined ? ', stopped' : ''}`] : []),
    `  network ${short(record.networkId ?? '')}  directory ${layout.directory}`,
    ...(running && stopped.length > 0
      ? [`  bring back with: npm run concordat -- sandbox restart ${stopped[0]}`]
      : []),
    ...(running ? [] : ['  resume with: npm start, or npm run concordat -- sandbox up']),
    '',
  ];
  return lines.join('\n');
}

/** Commands on a consortium on this machine. */
export const sandboxCommands: readonly Command[] = [up, down, restart, status];
