import type { ApplicationEntry, Proposal } from '@concordat/governance';
import type { AdminClient } from '@concordat/sdk';
import { type Command, type Invocation, wholeNumber } from '../command.ts';
import { connect, connectionOptions, connectionUsage } from '../connection-options.ts';
import { CliError } from '../errors.ts';
import { short } from '../sandbox/node-tuple.ts';
import { renderTable } from '../terminal.ts';
import { bundleAt } from './build.ts';
import { type BundleJson, bundleTables } from './bundle-files.ts';
import { deployApplication } from './deploy.ts';

const deploy: Command = {
  name: 'app deploy',
  summary: 'propose that the network run an application, signed with the organisation’s key',
  usage: `<application directory | bundle directory | bundle.json> [--wait seconds] [--adapter javascript] ${connectionUsage}`,
  positionals: 1,
  options: {
    ...connectionOptions,
    adapter: { type: 'string', default: 'javascript' },
    wait: { type: 'string' },
  },
  examples: ['app deploy . --as borealis-trade', 'app deploy bundle.json --wait 60 --json'],
  run: async (invocation) => {
    const [path] = invocation.positionals;
    if (path === undefined) throw new CliError('USAGE', 'name the bundle to deploy');
    const waitMs =
      wholeNumber(invocation, 'wait', { least: 1, most: 86_400, otherwise: 0 }) * 1_000;
    const bundle = await bundleAt(path);
    const { admin } = await connect(invocation);
    try {
      const adapter = String(invocation.options.adapter);
      const deployed = await deployApplication(admin, { bundle, adapter, waitMs });
      const { proposalId, state, digest, transactionId } = deployed;
      print(invocation, deployed, [
        ...describe(bundle),
        `Application ${digest}`,
        `Proposal ${proposalId} is ${state} (transaction ${transactionId}).`,
        ...(state === 'open'
          ? [
              `Members see it with: concordat app show ${short(digest)}`,
              `and vote with: concordat vote accept ${short(proposalId)} --as <organisation>`,
            ]
          : []),
      ]);
      return state === 'open' || state === 'accepted' ? 0 : 1;
    } finally {
      admin.close();
    }
  },
};

const show: Command = {
  name: 'app show',
  summary: 'show which applications run and are proposed, or what is in one of them',
  usage: `[digest or its beginning] [--source] ${connectionUsage}`,
  positionals: 1,
  options: { ...connectionOptions, source: { type: 'boolean', default: false } },
  examples: ['app show', 'app show 81c2 --source'],
  run: async (invocation) => {
    const { admin } = await connect(invocation);
    try {
      const listed = await listApplications(admin);
      const [given] = invocation.positionals;
      if (given === undefined) await showAll(invocation, admin, listed);
      else await showOne(invocation, admin, { listed, given });
    } finally {
      admin.close();
    }
    return 0;
  },
};

interface Listed extends ApplicationEntry {
  /** `in force`, or the id of the open proposal. */
  readonly standing: string;
}

async function listApplications(admin: AdminClient): Promise<Listed[]> {
  const [{ constitution }, proposals] = await Promise.all([
    admin.constitution(),
    admin.proposals(),
  ]);
  const inForce = (constitution.applications ?? []).map((one) => ({
    ...one,
    standing: 'in force',
  }));
  return [...inForce, ...proposals.filter(({ state }) => state === 'open').flatMap(proposed)];
}

const proposed = ({ actions, proposalId }: Proposal): Listed[] =>
  actions
    .filter(({ name }) => name === 'set_application')
    .map(({ args }) => ({
      ...(args as unknown as ApplicationEntry),
      standing: `proposed by ${short(proposalId)}`,
    }));

async function showAll(
  invocation: Invocation,
  admin: AdminClient,
  listed: readonly Listed[],
): Promise<void> {
  const { name, workers } = await admin.state();
  const running = workers.flatMap(({ applications }) => applications);
  print(invocation, { applications: listed, node: { name, running } }, [
    listed.length === 0
      ? 'No application was voted in, and none is proposed.'
      : renderTable(
          ['adapter', 'application', 'bytes', 'standing'],
          listed.map((one) => [one.adapter, one.digest, String(one.bytes), one.standing]),
        ),
    ...running.map(({ adapter, state, digest, reason }) => {
      const why = reason === undefined ? '' : `: ${reason}`;
      return `${name} ${adapter}: ${state}${digest === undefined ? '' : ` ${digest}`}${why}`;
    }),
  ]);
}

async function showOne(
  invocation: Invocation,
  admin: AdminClient,
  { listed, given }: { readonly listed: readonly Listed[]; readonly given: string },
): Promise<void> {
  const digests = new Set(listed.map(({ digest }) => digest).filter((d) => d.startsWith(given)));
  const [digest] = digests;
  if (digest === undefined || digests.size > 1) {
    throw new CliError(
      'USAGE',
      `${digests.size === 0 ? 'no' : 'more than one'} application begins with "${given}"`,
    );
  }
  const program = (await admin.program(digest)).toString('utf8');
  const bundle = bundleOf(program);
  const standings = listed.filter((one) => one.digest === digest).map(({ standing }) => standing);
  print(invocation, { digest, standings, bundle: bundle ?? program }, [
    ...(bundle === undefined
      ? [`${program.length} characters that are no bundle`]
      : describe(bundle)),
    ...(invocation.options.source === true ? sourceOf(bundle) : []),
    `Application ${digest}: ${standings.join(', ')}.`,
  ]);
}

function bundleOf(program: string): BundleJson | undefined {
  try {
    return JSON.parse(program) as BundleJson;
  } catch {
    return undefined;
  }
}

const sourceOf = (bundle: BundleJson | undefined): string[] =>
  (bundle?.modules ?? []).map(({ name, module }) => `──── ${name}\n${module}`);

function describe(bundle: BundleJson): string[] {
  const { endpoints, modules } = bundleTables(bundle);
  return [
    renderTable(['method', 'path', 'mode', 'function', 'callers'], endpoints),
    renderTable(['module', 'bytes'], modules),
  ];
}

function print({ options, terminal }: Invocation, value: unknown, lines: readonly string[]): void {
  if (options.json === true) terminal.write(`${JSON.stringify(value)}\n`);
  else terminal.write(`${lines.map(harmless).join('\n')}\n`);
}

/** What somebody proposed must not command the terminal of who looks at it. */
const harmless = (text: string): string => text.replace(/[^\P{Cc}\n\t]|\p{Bidi_C}/gu, '\ufffd');

/** Commands that put applications to the vote and show them. */
export const deploymentCommands: readonly Command[] = [deploy, show];
