import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Command, type Invocation, wholeNumber } from './command.ts';
import { CliError } from './errors.ts';
import { defaultSandboxDirectory, SandboxLayout } from './sandbox/layout.ts';
import { endProcesses, isRunning, readStatus, sleep } from './sandbox/node-process.ts';
import { Sandbox, type SandboxOptions, short } from './sandbox/sandbox.ts';
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
  json: { type: 'boolean', default: false },
} as const;

/** How a new sandbox is made, from the options. @throws CliError USAGE */
export function optionsOf(invocation: Invocation): SandboxOptions & { fresh: boolean } {
  const batch = wholeNumber(invocation, 'batch', { least: 1, most: 100_000, otherwise: 100 });
  return {
    nodes: wholeNumber(invocation, 'nodes', { least: 1, most: 9, otherwise: 3 }),
    fresh: invocation.options.fresh === true,
    policies: { maxBatchTransactions: batch },
  };
}

/** Opens the sandbox the options name. */
export const openSandbox = (invocation: Invocation, steps: Steps): Promise<Sandbox> =>
  Sandbox.open(String(invocation.options.directory), optionsOf(invocation), steps);

const cliMain = fileURLToPath(new URL('main.ts', import.meta.url));
const gatewayStartMs = 15_000;

/** Starts the gateway as a process of the sandbox; returns its URL. @throws CliError NODE_FAILED */
export async function startGateway(sandbox: Sandbox): Promise<string> {
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
  await sandbox.adopt(child.pid);
  const url = `http://127.0.0.1:${record.gatewayPort}`;
  const deadline = performance.now() + gatewayStartMs;
  while (performance.now() < deadline && isRunning(child.pid)) {
    const answered = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}',
    }).then(
      (answer) => answer.ok,
      () => false,
    );
    if (answered) return url;
    await sleep(50);
  }
  throw new CliError('NODE_FAILED', `the gateway does not answer; its log: ${layout.gatewayLog}`);
}

const up: Command = {
  name: 'sandbox up',
  summary: 'start a consortium on this machine and leave it running',
  usage: '[--nodes 3] [--fresh] [--batch 100] [--directory path] [--json]',
  options: startOptions,
  run: async (invocation) => {
    const { terminal, options } = invocation;
    const steps = new Steps(terminal, { json: options.json === true });
    const sandbox = await openSandbox(invocation, steps);
    await sandbox.up();
    steps.begin('starting the gateway');
    steps.done(`gateway for wallets and tools at ${await startGateway(sandbox)}`);
    terminal.write('\nStop it with: npm run concordat -- sandbox down\n');
    return 0;
  },
};

const down: Command = {
  name: 'sandbox down',
  summary: 'stop the sandbox; its ledger stays',
  usage: '[--directory path]',
  options: sandboxOptions,
  run: async ({ options, terminal }) => {
    const layout = new SandboxLayout(String(options.directory));
    const pids = ((await layout.readProcesses())?.pids ?? []).filter(isRunning);
    if (pids.length === 0) terminal.write('No sandbox is running.\n');
    await endProcesses(pids);
    await rm(layout.processes, { force: true });
    if (pids.length > 0) terminal.write(`Stopped ${pids.length} processes.\n`);
    return 0;
  },
};

const status: Command = {
  name: 'sandbox status',
  summary: 'show what the nodes of the sandbox are doing',
  usage: '[--directory path] [--json]',
  options: { ...sandboxOptions, json: { type: 'boolean', default: false } },
  run: async ({ options, terminal }) => {
    const layout = new SandboxLayout(String(options.directory));
    const record = await layout.read();
    if (!record) {
      throw new CliError(
        'SANDBOX_MISSING',
        `there is no sandbox in ${layout.directory}: start one with "npm start"`,
      );
    }
    const pids = ((await layout.readProcesses())?.pids ?? []).filter(isRunning);
    const nodes = await Promise.all(
      record.nodes.map(async (node) => ({ ...node, status: await readStatus(layout, node.name) })),
    );
    if (options.json === true) {
      terminal.write(`${JSON.stringify({ running: pids.length > 0, nodes })}\n`);
      return 0;
    }
    terminal.write(
      pids.length > 0
        ? 'The sandbox is running.\n\n'
        : 'The sandbox is stopped; last known state:\n\n',
    );
    terminal.write(
      renderTable(
        ['node', 'organisation', 'phase', 'role', 'view', 'block', 'application', 'admin'],
        nodes.map(({ name, organisation, ports, status }) => [
          name,
          organisation,
          status?.phase ?? 'unknown',
          status?.role ?? '',
          String(status?.view ?? ''),
          String(status?.committedHeight ?? ''),
          `127.0.0.1:${ports.application}`,
          `127.0.0.1:${ports.admin}`,
        ]),
      ),
    );
    const failed = nodes.filter(({ status }) => status?.reason !== undefined);
    for (const { name, status } of failed) terminal.write(`  ${name}: ${status?.reason}\n`);
    terminal.write(`\n  network ${short(record.networkId ?? '')}  directory ${layout.directory}\n`);
    return 0;
  },
};

/** Commands on a consortium on this machine. */
export const sandboxCommands: readonly Command[] = [up, down, status];
