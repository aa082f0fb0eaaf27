import type { Command } from './command.ts';
import { aborted, abortOnInterrupt } from './interrupt.ts';
import { sleep } from './sandbox/node-process.ts';
import type { Sandbox } from './sandbox/sandbox.ts';
import { runningProcesses } from './sandbox/sandbox-processes.ts';
import { openSandbox, startGateway, startOptions } from './sandbox-commands.ts';
import { formatMs, paint, renderTable, Steps, type Terminal } from './terminal.ts';
import { runTour, type TourReport } from './tour/tour.ts';

/** `npm start`: a network of three organisations, shown at work, up until Ctrl-C. */
export const startCommand: Command = {
  name: 'start',
  summary: 'start a consortium of three organisations and show it working; Ctrl-C stops it',
  usage: '[--nodes 3] [--fresh] [--batch 100] [--engine own] [--once] [--directory path] [--json]',
  options: { ...startOptions, once: { type: 'boolean', default: false } },
  examples: ['start', 'start --fresh --nodes 5'],
  run: async (invocation) => {
    const { terminal, options } = invocation;
    const json = options.json === true;
    const steps = new Steps(terminal, { json });
    const startedMs = performance.now();
    steps.heading(
      'Concordat: a confidential ledger run by organisations that do not trust each other',
    );
    const sandbox = await openSandbox(invocation, steps);
    const signal = abortOnInterrupt(terminal);
    try {
      const shown = await show(sandbox, steps, signal);
      if (!shown) return interrupted(steps);
      const { url, tour } = shown;
      const readyMs = performance.now() - startedMs;
      if (json) terminal.write(`${JSON.stringify({ ready: true, readyMs, url, ...tour })}\n`);
      else summarise(terminal, { sandbox, url, tour, readyMs });
      if (options.once !== true) await watch(sandbox, steps, signal);
    } catch (error) {
      if (signal.aborted) return interrupted(steps);
      steps.failed();
      throw error;
    } finally {
      if (!json) terminal.write('\nStopping…\n');
      await sandbox.down();
      const next = sandbox.record.complete ? ' "npm start" resumes this ledger.' : '';
      if (!json) terminal.write(`Stopped.${next}\n`);
    }
    return 0;
  },
};

function interrupted(steps: Steps): number {
  steps.failed();
  return 130;
}

/** Brings the network up and shows it at work; undefined when the signal ended that early. */
async function show(
  sandbox: Sandbox,
  steps: Steps,
  signal: AbortSignal,
): Promise<{ readonly url: string; readonly tour: TourReport } | undefined> {
  steps.heading('The network');
  await sandbox.up(signal);
  steps.begin('starting the gateway');
  const url = await startGateway(sandbox, signal);
  steps.done(`gateway for wallets and tools at ${url}`);
  steps.heading('An ordinary Ethereum client on it');
  const tour = await Promise.race([runTour(sandbox, url, steps, signal), aborted(signal)]);
  return tour ? { url, tour } : undefined;
}

const watchMs = 500;

/** Tells of processes of the network that end or come back, until the signal. */
async function watch(sandbox: Sandbox, steps: Steps, signal: AbortSignal): Promise<void> {
  const gone = new Set<string>();
  const names = [...sandbox.nodes.map(({ name }) => name), 'gateway'];
  const end = aborted(signal);
  while (!signal.aborted) {
    await Promise.race([sleep(watchMs), end]);
    const alive = new Set((await runningProcesses(sandbox.layout)).map(({ name }) => name));
    for (const name of signal.aborted ? [] : names) {
      if (alive.has(name) && gone.delete(name)) steps.note(`${name} runs again`);
      if (alive.has(name) || gone.has(name)) continue;
      gone.add(name);
      steps.note(
        `${name} has ended; bring it back with: npm run concordat -- sandbox restart ${name}`,
      );
    }
  }
}

function summarise(
  terminal: Terminal,
  found: {
    readonly sandbox: Sandbox;
    readonly url: string;
    readonly tour: TourReport;
    readonly readyMs: number;
  },
): void {
  const { sandbox, url, tour, readyMs } = found;
  const rows = sandbox.nodes.map(({ name, organisation, ports }) => [
    name,
    organisation,
    `https://127.0.0.1:${ports.application}`,
    `https://127.0.0.1:${ports.admin}`,
  ]);
  const lines = [
    '',
    paint(terminal, 'bold', `Ready in ${formatMs(readyMs)}.`),
    '',
    renderTable(['node', 'organisation', 'application (mTLS)', 'administration (mTLS)'], rows),
    `  Ethereum JSON-RPC   ${paint(terminal, 'cyan', url)}   chain id 20170810, gas price 0`,
    `  committed on a majority and answered in ${formatMs(tour.commitMs)}`,
    '',
    '  Try next, in another terminal:',
    '    npm run concordat -- sandbox status',
    '    npm run concordat -- proposal list',
    `    npm run concordat -- receipt get ${tour.transactionId}`,
    '    npm run concordat -- ledger verify vn2',
    '    npm run demo:mainnet',
    `    point MetaMask, Hardhat or ethers at ${url}`,
    '',
    paint(
      terminal,
      'dim',
      '  Ctrl-C stops the network; "npm start" resumes it, "npm start -- --fresh" starts anew.',
    ),
    '',
  ];
  terminal.write(lines.join('\n'));
}
