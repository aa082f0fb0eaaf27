import type { Command } from './command.ts';
import type { Sandbox } from './sandbox/sandbox.ts';
import { openSandbox, startGateway, startOptions } from './sandbox-commands.ts';
import { formatMs, paint, renderTable, Steps, type Terminal } from './terminal.ts';
import { runTour, type TourReport } from './tour/tour.ts';

/** `npm start`: a network of three organisations, shown at work, up until Ctrl-C. */
export const startCommand: Command = {
  name: 'start',
  summary: 'start a consortium of three organisations and show it working; Ctrl-C stops it',
  usage: '[--nodes 3] [--fresh] [--batch 100] [--once] [--directory path] [--json]',
  options: { ...startOptions, once: { type: 'boolean', default: false } },
  run: async (invocation) => {
    const { terminal, options } = invocation;
    const json = options.json === true;
    const steps = new Steps(terminal, { json });
    const startedMs = performance.now();
    steps.heading(
      'Concordat: a confidential ledger run by organisations that do not trust each other',
    );
    const sandbox = await openSandbox(invocation, steps);
    const interrupted = onInterrupt();
    try {
      const url = await Promise.race([bringUp(sandbox, steps), interrupted.then(() => undefined)]);
      if (url === undefined) return 130;
      steps.heading('An ordinary Ethereum client on it');
      const tour = await runTour(sandbox, url, steps);
      const readyMs = performance.now() - startedMs;
      if (json) terminal.write(`${JSON.stringify({ ready: true, readyMs, url, ...tour })}\n`);
      else summarise(terminal, { sandbox, url, tour, readyMs });
      if (options.once !== true) await interrupted;
    } catch (error) {
      steps.failed();
      throw error;
    } finally {
      if (!json) terminal.write('\nStopping…\n');
      await sandbox.down();
      if (!json) terminal.write('Stopped. "npm start" resumes this ledger.\n');
    }
    return 0;
  },
};

/** Resolves at the first interrupt; a second one while stopping ends at once. */
function onInterrupt(): Promise<void> {
  return new Promise((resolve) => {
    let seen = false;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (seen) process.exit(130);
        seen = true;
        resolve();
      });
    }
  });
}

async function bringUp(sandbox: Sandbox, steps: Steps): Promise<string> {
  steps.heading('The network');
  await sandbox.up();
  steps.begin('starting the gateway');
  const url = await startGateway(sandbox);
  steps.done(`gateway for wallets and tools at ${url}`);
  return url;
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
    '    npm run concordat -- proposals',
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
