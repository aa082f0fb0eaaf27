import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import type { EngineName } from '@concordat/ethereum';
import { stopAllNetworks } from './bench-network.ts';
import { renderConsensus } from './consensus/report.ts';
import { stopAllPeers } from './peers/peer-process.ts';
import { loadAverage } from './process-figures.ts';
import { renderSection } from './report.ts';
import { applicationSection, profileApplication } from './sections/application-section.ts';
import { auditSection, renderAudit } from './sections/audit-section.ts';
import {
  type ConsensusPart,
  consensusParts,
  consensusSection,
} from './sections/consensus-section.ts';
import { engineSection, renderEngine } from './sections/engine-section.ts';
import { keyValueSection } from './sections/key-value-section.ts';
import { keysSection, renderKeys } from './sections/keys-section.ts';
import { mainnetSection, profileMainnet } from './sections/mainnet-section.ts';
import { memorySection, renderMemory } from './sections/memory-section.ts';
import { parallelSection, renderParallel } from './sections/parallel-section.ts';
import { recoverySection, renderRecovery } from './sections/recovery-section.ts';
import type { Section, SectionOptions } from './sections/section.ts';
import { profileTransfers, transferSection } from './sections/transfer-section.ts';

/** What a section found, for programs and for people. */
interface Measured {
  readonly figures: unknown;
  readonly text: string;
}

interface RunOptions extends SectionOptions {
  /** Parts of the consensus section. */
  readonly parts: readonly ConsensusPart[];
}

const told =
  (measure: (options: SectionOptions) => Promise<Section>) =>
  async (options: RunOptions): Promise<Measured> => {
    const figures = await measure(options);
    return { figures, text: renderSection(figures) };
  };

const sections: Readonly<Record<string, (options: RunOptions) => Promise<Measured>>> = {
  mainnet: told(mainnetSection),
  tokens: told((options) => transferSection('token', options)),
  transfers: told((options) => transferSection('plain', options)),
  engine: async (options) => {
    const figures = await engineSection(options);
    return { figures, text: renderEngine(figures) };
  },
  parallel: async (options) => {
    const figures = await parallelSection(options);
    return { figures, text: renderParallel(figures) };
  },
  keyvalue: told(keyValueSection),
  app: told(applicationSection),
  consensus: async (options) => {
    const figures = await consensusSection(options, options.parts);
    return { figures, text: renderConsensus(figures) };
  },
  memory: async (options) => {
    const figures = await memorySection(options);
    return { figures, text: renderMemory(figures) };
  },
  audit: async (options) => {
    const figures = await auditSection(options);
    return { figures, text: renderAudit(figures) };
  },
  recovery: async (options) => {
    const figures = await recoverySection(options);
    return { figures, text: renderRecovery(figures) };
  },
  keys: async (options) => {
    const figures = await keysSection(options);
    return { figures, text: renderKeys(figures) };
  },
};
const names = Object.keys(sections);

/** Sections that can be profiled. */
const profiles: Readonly<
  Record<string, (directory: string, options: SectionOptions) => Promise<string>>
> = {
  app: profileApplication,
  mainnet: profileMainnet,
  tokens: (directory, options) => profileTransfers('token', directory, options),
  transfers: (directory, options) => profileTransfers('plain', directory, options),
};

const usage = `npm run bench -- [section ...] [--rounds 3] [--quick] [--no-peers] [--json]
                    [--engine own] [--profile DIRECTORY]
  sections: ${names.join(' ')} (default all); --only takes them with commas
  --parts ${consensusParts.join(',')}: parts of the section consensus
  --profile DIRECTORY: of one section of ${Object.keys(profiles).join(', ')}, instead of figures: a
    .cpuprofile of each process, and a table of the functions that took its time
  --engine reference: networks of the sections mainnet, tokens and transfers execute by the library
  --quick: one round and less of everything, for a look rather than a figure

  Measures real networks of validating nodes on this machine (three processes each, mutual TLS,
  encryption, fsync), beside peers started in the same run. Read the ratios: the rates are those
  of this machine and of whatever else it is doing.
`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string', default: names.join(',') },
      parts: { type: 'string', default: consensusParts.join(',') },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      engine: { type: 'string', default: 'own' },
      'no-peers': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const asked = positionals.length > 0 ? positionals : values.only.split(',');
  const parts = values.parts.split(',') as ConsensusPart[];
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  const engine = engineNamed(values.engine);
  const known =
    asked.every((name) => names.includes(name)) &&
    parts.every((part) => consensusParts.includes(part));
  if (values.help || !known || engine === undefined || !Number.isInteger(rounds) || rounds < 1) {
    process.stdout.write(usage);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void Promise.all([stopAllNetworks(), stopAllPeers()]).finally(() => process.exit(130));
    });
  }
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Linux ${release()}, Node ${process.versions.node}`;
  const startedLoad = loadAverage();
  if (!values.json) {
    process.stdout.write(`${machine}\nload average ${startedLoad} at the start\n`);
  }
  const say = (text: string): void => {
    process.stderr.write(`  … ${text}\n`);
  };
  if (values.profile !== undefined) {
    const options = { rounds, quick: values.quick, withPeers: false, engine, say };
    const profile = profiles[asked.find((name) => name in profiles) ?? 'app'];
    process.stdout.write((await profile?.(values.profile, options)) ?? usage);
    return;
  }
  const done: unknown[] = [];
  for (const name of asked) {
    const { figures, text } = await (sections[name] as (typeof sections)[string])({
      rounds,
      withPeers: !values['no-peers'],
      quick: values.quick,
      engine,
      parts,
      say,
    });
    done.push(figures);
    if (!values.json) process.stdout.write(text);
  }
  if (values.json) {
    process.stdout.write(
      `${JSON.stringify({ machine, startedLoad, date: new Date().toISOString(), sections: done }, undefined, 2)}\n`,
    );
  }
}

const engineNamed = (name: string): EngineName | undefined =>
  name === 'own' || name === 'reference' ? name : undefined;

await main();
