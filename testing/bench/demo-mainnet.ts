import { parseArgs } from 'node:util';
import { renderTable } from '@concordat/cli';
import type { EngineName } from '@concordat/ethereum';
import { BenchNetwork, stopAllNetworks } from './bench-network.ts';
import { isMatch } from './block-check.ts';
import {
  chainsInFlight,
  type MainnetFigures,
  type MainnetWatch,
  type PhaseFigures,
  runMainnet,
  warmUpMainnet,
} from './mainnet-run.ts';
import { type Display, paperPerSecond, Speedometer } from './speedometer.ts';
import {
  allBlocks,
  type MainnetBlocks,
  mainnetSet,
  paperBlocks,
  warmUpBlocksFor,
} from './workloads/mainnet-set.ts';

const usage = `npm run demo:mainnet -- [--all | --blocks 46147,4370000] [--cold] [--engine own]
                        [--keep] [--json]

  Real transactions of the public Ethereum network on three validating nodes, as in the white
  paper's scalability demonstration: signed bytes in, durable commits out, every block compared
  with the real one.
  --all      every block there is, up to 2024; default: the 21 blocks below 7,000,000
  --blocks   these blocks
  --cold     without the blocks of other years that are sent first to have the code compiled
  --engine   what executes: own, or reference (@ethereumjs/evm)
  --keep     leave the ledger in .concordat/demo
  --json     figures as JSON on the standard output
`;

const { values } = parseArgs({
  options: {
    all: { type: 'boolean', default: false },
    blocks: { type: 'string' },
    cold: { type: 'boolean', default: false },
    engine: { type: 'string', default: 'own' },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const display: Display = {
  write: (text) => {
    (values.json ? process.stderr : process.stdout).write(text);
  },
  interactive: process.stdout.isTTY === true && process.env.NO_COLOR === undefined && !values.json,
};

const batch = 100;
const unseen = { committed: () => {}, stop: () => {} };

async function demonstrate(): Promise<boolean> {
  const blocks = chosenBlocks();
  const warmUpBlocks = values.cold ? [] : warmUpBlocksFor(blocks);
  const set = mainnetSet(blocks, { warmUpBlocks, engine: chosenEngine() });
  display.write(
    `\n  ${blocks.length} real Ethereum blocks, ${blocks[0]} to ${blocks.at(-1)}, on three validating nodes\n` +
      '  starting the network and importing what the blocks read…\n',
  );
  const network = await BenchNetwork.start({
    adapters: { ethereum: set.config },
    genesisData: { ethereum: set.genesisData },
    batch,
    ...(values.keep && { directory: '.concordat/demo' }),
  });
  try {
    const client = await network.client();
    display.write(
      `  three organisations, nine processes, mutual TLS, fsync; ${chainsInFlight} chains in flight\n\n`,
    );
    const watch: MainnetWatch = {
      // Nobody can read a gauge of a few transactions.
      phase: (label, total) =>
        total < batch ? unseen : new Speedometer(display, { client, label, total }),
    };
    const warmUp = await warmUpMainnet(set.warmUp, client, watch);
    const figures = await runMainnet(set.copies[0] as MainnetBlocks, client, watch);
    client.close();
    if (values.json) process.stdout.write(`${JSON.stringify({ batch, warmUp, ...figures })}\n`);
    else process.stdout.write(report(figures, warmUp));
    return figures.everyBlockMatches;
  } finally {
    await network.stop();
    if (values.keep) display.write('  the ledger lies in .concordat/demo\n');
  }
}

function chosenBlocks(): readonly number[] {
  const known = allBlocks();
  if (values.blocks !== undefined) {
    const blocks = values.blocks.split(',').map(Number);
    const strange = blocks.filter((number) => !known.includes(number));
    if (strange.length === 0) return blocks;
    throw new Error(`not among the blocks: ${strange.join(', ')}; there are ${known.join(', ')}`);
  }
  return values.all ? known : paperBlocks();
}

function chosenEngine(): EngineName {
  const { engine } = values;
  if (engine === 'own' || engine === 'reference') return engine;
  throw new Error('--engine must be own or reference');
}

function report(figures: MainnetFigures, warmUp: PhaseFigures): string {
  const { all, withoutDenialOfService, commit, commitOnAll, checks } = figures;
  const rate = (perSecond: number): string => Math.round(perSecond).toLocaleString('en-US');
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  const paper = rate(paperPerSecond);
  const rows = [
    ['transactions a second', rate(all.perSecond), paper],
    ...(withoutDenialOfService
      ? [['  without the attack of block 2462997', rate(withoutDenialOfService.perSecond), '']]
      : []),
    ['receipt to commit on all nodes, p50', ms(commitOnAll.p50), 'low hundreds of ms'],
    ['receipt to commit on all nodes, p99', ms(commitOnAll.p99), ''],
    ['receipt to durable commit on a majority, p50', ms(commit.p50), ''],
    ['transactions', rate(all.transactions), '2,000'],
    ['batch size', `${batch}`, '100'],
  ];
  const warm =
    warmUp.transactions > 0
      ? `  before, to have the code compiled: ${rate(warmUp.transactions)} transactions of other years at ${rate(warmUp.perSecond)}/s\n`
      : '  nothing was sent before: the code was cold\n';
  return `\n${checksTable(checks)}\n${renderTable(['', 'this run', 'white paper'], rows, 'right')}${warm}\n`;
}

function checksTable(checks: MainnetFigures['checks']): string {
  const mark = (matches: boolean | undefined): string =>
    matches === undefined ? 'state roots then' : matches ? 'equal' : 'DIFFERS';
  const rows = checks.map((check) => [
    `${check.number}`,
    check.hardfork,
    `${check.transactions}`,
    check.gasUsed.toLocaleString('en-US'),
    mark(check.gasMatches),
    mark(check.bloomMatches),
    mark(check.receiptsMatch),
  ]);
  const header = ['block', 'rules', 'txs', 'gas used', 'gas', 'logs bloom', 'receipts root'];
  const matching = checks.filter(isMatch).length;
  return `${renderTable(header, rows, 'right')}  ${matching} of ${checks.length} blocks equal the real ones\n`;
}

async function main(): Promise<void> {
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void stopAllNetworks().finally(() => process.exit(130));
    });
  }
  if (!(await demonstrate())) {
    process.stderr.write('  some block differs from the real one\n');
    process.exitCode = 1;
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`  ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
