import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { stopAllNetworks } from './bench-network.ts';
import { stopAllPeers } from './peers/peer-process.ts';
import { loadAverage } from './process-figures.ts';
import { renderSection } from './report.ts';
import { keyValueSection } from './sections/key-value-section.ts';
import { mainnetSection } from './sections/mainnet-section.ts';
import type { Section, SectionOptions } from './sections/section.ts';
import { transferSection } from './sections/transfer-section.ts';

const sections: Readonly<Record<string, (options: SectionOptions) => Promise<Section>>> = {
  mainnet: mainnetSection,
  tokens: (options) => transferSection('token', options),
  transfers: (options) => transferSection('plain', options),
  keyvalue: keyValueSection,
};

const usage = `npm run bench -- [--only ${Object.keys(sections).join(',')}] [--rounds 3] [--no-peers] [--json]

  Measures real networks of three validating nodes on this machine (nine processes, mutual TLS,
  encryption, fsync), beside peers started in the same run. Read the ratios: the rates are those
  of this machine and of whatever else it is doing.
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: Object.keys(sections).join(',') },
      rounds: { type: 'string', default: '3' },
      'no-peers': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const names = values.only.split(',');
  const rounds = Number(values.rounds);
  const strange = names.filter((name) => !Object.hasOwn(sections, name));
  if (values.help || strange.length > 0 || !Number.isInteger(rounds) || rounds < 1) {
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
  const done: Section[] = [];
  for (const name of names) {
    const section = await (sections[name] as (typeof sections)[string])({
      rounds,
      withPeers: !values['no-peers'],
      say: (text) => {
        process.stderr.write(`  … ${text}\n`);
      },
    });
    done.push(section);
    if (!values.json) process.stdout.write(renderSection(section));
  }
  if (values.json) {
    process.stdout.write(
      `${JSON.stringify({ machine, startedLoad, date: new Date().toISOString(), sections: done }, undefined, 2)}\n`,
    );
  }
}

await main();
