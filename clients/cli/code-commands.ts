import { readFile } from 'node:fs/promises';
import type { CodeEntry, ProposedAction } from '@concordat/governance';
import { isHex64 } from '@concordat/std';
import { codeTable } from './code-table.ts';
import { type Command, type Invocation, required } from './command.ts';
import { connect, connectionOptions, connectionUsage } from './connection-options.ts';
import { CliError } from './errors.ts';
import { nameGiven, oneNamed } from './member-commands.ts';
import { print } from './output.ts';
import { propose, proposingDetails, proposingOptions, proposingUsage } from './proposing.ts';
import { renderTable } from './terminal.ts';

const list: Command = {
  name: 'code list',
  summary: 'list the measurements of what nodes may run',
  usage: connectionUsage,
  options: connectionOptions,
  examples: ['code list', 'code list --json'],
  run: async (invocation) => {
    const { admin } = await connect(invocation);
    const { constitution } = await admin.constitution().finally(() => admin.close());
    const { codeManifest, teeManifest } = constitution;
    print(invocation, { codeManifest, teeManifest }, [
      codeTable(codeManifest),
      renderTable(
        ['platform', 'rank'],
        teeManifest.map(({ platform, rank }) => [platform, String(rank)]),
      ),
    ]);
    return 0;
  },
};

const add: Command = {
  name: 'code add',
  summary: 'propose that nodes may run images of these measurements',
  usage: `<measurement | measurements.json> --version version [--name name] [--role manager|worker] [--adapters id,...] ${proposingUsage}`,
  positionals: 1,
  options: {
    ...proposingOptions,
    version: { type: 'string' },
    name: { type: 'string' },
    role: { type: 'string' },
    adapters: { type: 'string' },
  },
  details: `measurements.json is what the image build writes; all its images are proposed together, or with --name one of
them. A bare measurement takes --role and --name, and --adapters for a worker. ${proposingDetails}`,
  examples: [
    'code add build/images/measurements.json --name manager --version 0.2.0 --as aurora-bank',
    'code add 9f… --role manager --name manager --version 0.2.0 --vote',
  ],
  run: async (invocation) => {
    const actions = await codeGiven(invocation);
    return propose(invocation, async () => actions);
  },
};

async function codeGiven(invocation: Invocation): Promise<ProposedAction[]> {
  const { options } = invocation;
  const given = nameGiven(invocation, 'a measurement, or a file of them');
  const version = required(invocation, 'version');
  if (isHex64(given)) {
    const role = required(invocation, 'role');
    const adapters = typeof options.adapters === 'string' && options.adapters.split(',');
    const name = required(invocation, 'name');
    const args = { measurement: given, role, name, version, ...(adapters && { adapters }) };
    return [{ name: 'add_code', args }];
  }
  const images = await readMeasurements(given);
  const chosen = images.filter(({ name }) => options.name === undefined || name === options.name);
  if (chosen.length === 0) {
    const names = images.map(({ name }) => name).join(', ');
    throw new CliError('USAGE', `${given} has no image "${options.name}", only ${names}`);
  }
  return chosen.map(({ measurement, role, name, adapters }) => {
    const args = { measurement, role, name, version, ...(adapters && { adapters }) };
    return { name: 'add_code', args };
  });
}

type Measured = Omit<CodeEntry, 'version'>;

async function readMeasurements(file: string): Promise<readonly Measured[]> {
  const text = await readFile(file, 'utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CliError('USAGE', `${file}: ${(error as Error).message}`);
  }
  const isList =
    Array.isArray(value) && value.length > 0 && value.every((one) => isHex64(one?.measurement));
  if (isList) return value as Measured[];
  throw new CliError('USAGE', `${file} is no list of measurements, as the image build writes it`);
}

const remove: Command = {
  name: 'code remove',
  summary: 'propose that nodes may not run an image any more; nodes that do are cut off',
  usage: `<measurement or its beginning> ${proposingUsage}`,
  positionals: 1,
  options: proposingOptions,
  details: proposingDetails,
  examples: ['code remove 9f31 --vote --as aurora-bank'],
  run: async (invocation) => {
    const given = nameGiven(invocation, 'the measurement');
    return propose(invocation, async ({ constitution }) => {
      if (isHex64(given)) return [{ name: 'remove_code', args: { measurement: given } }];
      const { codeManifest } = await constitution();
      const { measurement } = oneNamed(codeManifest, given, {
        what: 'code',
        nameOf: ({ name, version }) => `${name} ${version}`,
        idOf: (code) => code.measurement,
      });
      return [{ name: 'remove_code', args: { measurement } }];
    });
  },
};

/** Commands about the code manifest. */
export const codeCommands: readonly Command[] = [list, add, remove];
