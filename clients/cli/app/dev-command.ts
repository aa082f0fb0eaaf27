import { relative } from 'node:path';
import { type Command, type Invocation, wholeNumber } from '../command.ts';
import { CliError } from '../errors.ts';
import { aborted, abortOnInterrupt } from '../interrupt.ts';
import { isRunning, sleep } from '../sandbox/node-process.ts';
import { Sandbox } from '../sandbox/sandbox.ts';
import { formatMs, paint, renderTable, Steps, type Terminal } from '../terminal.ts';
import type { BuiltApplication, ServedEndpoint } from './build.ts';
import {
  callersOf,
  curlFile,
  devDirectory,
  ensureActors,
  urlOf,
  writeCurlFiles,
} from './dev-network.ts';
import { DevSession } from './dev-session.ts';
import { linkFramework } from './framework-links.ts';
import { type Project, readProject } from './project.ts';

const lookMs = 500;

/** `concordat app dev`: a network with the application on it that follows the developer's edits. */
export const devCommand: Command = {
  name: 'app dev',
  summary: 'start a network with the application and deploy it again with each save',
  usage: '[directory] [--nodes 1] [--port 7100] [--fresh] [--once]',
  positionals: 1,
  options: {
    nodes: { type: 'string' },
    port: { type: 'string' },
    fresh: { type: 'boolean', default: false },
    once: { type: 'boolean', default: false },
  },
  examples: ['app dev'],
  run: async (invocation) => {
    const { terminal, options, positionals } = invocation;
    const project = await readProject(positionals[0] ?? '.');
    const network = networkOptions(invocation);
    await linkFramework(project.directory);
    const steps = new Steps(terminal);
    const startedMs = performance.now();
    steps.heading(`A development network for ${project.name}`);
    const signal = abortOnInterrupt(terminal);
    const sandbox = await openNetwork(project, network, steps);
    const session = new DevSession(project, sandbox, terminal);
    try {
      await bringUp({ sandbox, session, project, steps, signal });
      if (signal.aborted) return 130;
      const readyMs = performance.now() - startedMs;
      terminal.write(summary(terminal, { project, sandbox, readyMs, built: session.deployed }));
      if (options.once === true) return session.deployed ? 0 : 1;
      await follow(session, sandbox, signal);
    } catch (error) {
      if (signal.aborted) return 130;
      steps.failed();
      throw error;
    } finally {
      terminal.write('\nStopping…\n');
      await sandbox.down();
      terminal.write('Stopped. The data stays; "--fresh" begins without.\n');
    }
    return 0;
  },
};

/** @throws CliError USAGE */
function networkOptions(invocation: Invocation) {
  const bounds = { least: 1, most: 9, otherwise: 1 };
  const ports = { least: 1_024, most: 64_000, otherwise: 7_100 };
  const asked = invocation.options.nodes !== undefined;
  const nodes = wholeNumber(invocation, 'nodes', bounds);
  const basePort = wholeNumber(invocation, 'port', ports);
  return { asked, nodes, basePort, fresh: invocation.options.fresh === true };
}

/** @throws CliError SANDBOX_RUNNING, SANDBOX_DAMAGED, NOT_WRITABLE */
async function openNetwork(
  project: Project,
  { asked, ...network }: ReturnType<typeof networkOptions>,
  steps: Steps,
): Promise<Sandbox> {
  const options = {
    ...network,
    name: 'Development network',
    workerImage: 'application',
    gateway: 'none',
    adapters: { javascript: {} },
  } as const;
  const sandbox = await Sandbox.open(devDirectory(project), options, steps).catch(
    (error: unknown) => {
      if (!(error instanceof CliError) || error.code !== 'SANDBOX_RUNNING') throw error;
      throw new CliError(
        'SANDBOX_RUNNING',
        `"concordat app dev" runs for ${project.directory} already: use that one, or end it with Ctrl-C`,
        error.details,
      );
    },
  );
  const count = sandbox.record.nodes.length;
  if (asked && count !== network.nodes) {
    steps.note(
      `this network was begun with ${count} nodes: --nodes ${network.nodes} takes --fresh`,
    );
  }
  return sandbox;
}

async function bringUp(given: {
  readonly sandbox: Sandbox;
  readonly session: DevSession;
  readonly project: Project;
  readonly steps: Steps;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { sandbox, session, project, steps, signal } = given;
  await sandbox.up(signal);
  if (project.actors.length > 0) {
    steps.begin('letting the actors of package.json in');
    await ensureActors(sandbox, project.actors);
    steps.done(`${project.actors.map(({ name }) => name).join(', ')} may call`);
  }
  await writeCurlFiles(project, sandbox);
  steps.begin('building and deploying the application');
  const faults = await session.deploy(signal);
  if (session.deployed) steps.done('application deployed by vote');
  else steps.failed();
  if (faults.length > 0) session.tell(faults);
  session.tellBeside();
}

/** Follows the edits until the signal. @throws CliError NODE_FAILED when a node's host ends */
async function follow(session: DevSession, sandbox: Sandbox, signal: AbortSignal): Promise<void> {
  const either = new AbortController();
  const end = AbortSignal.any([signal, either.signal]);
  try {
    await Promise.race([session.follow(end), hostEnds(sandbox, end)]);
  } finally {
    either.abort();
  }
}

/** @throws CliError NODE_FAILED when a node's host ends by itself */
async function hostEnds(sandbox: Sandbox, signal: AbortSignal): Promise<void> {
  const end = aborted(signal);
  while (!signal.aborted) {
    await Promise.race([sleep(lookMs), end]);
    const lost = sandbox.nodes.find(({ name }) => {
      const pid = sandbox.hostPid(name);
      return pid === undefined || !isRunning(pid);
    });
    if (!lost || signal.aborted) continue;
    const log = sandbox.layout.nodeLog(lost.name);
    throw new CliError('NODE_FAILED', `${lost.name} has ended; its log: ${log}`);
  }
}

function summary(
  terminal: Terminal,
  told: {
    readonly project: Project;
    readonly sandbox: Sandbox;
    readonly readyMs: number;
    readonly built: BuiltApplication | undefined;
  },
): string {
  const { project, sandbox, readyMs, built } = told;
  const short = (path: string): string => relative('', path) || '.';
  const url = urlOf(sandbox.first);
  const callers = callersOf(project);
  const [caller = ''] = callers;
  const rows = callers.map((name) => {
    const { certificateFile } = sandbox.layout.identity(name);
    const roles = project.actors.find((actor) => actor.name === name)?.roles ?? [];
    return [name, roles.join(', '), short(certificateFile), short(curlFile(project, name))];
  });
  const isReadable = ({ method, path }: ServedEndpoint): boolean =>
    method === 'GET' && !path.includes('{');
  const path = built?.endpoints.find(isReadable)?.path ?? '/app/commit';
  const urls = sandbox.nodes.map((node) => urlOf(node));
  return [
    '',
    paint(terminal, 'bold', `Ready in ${formatMs(readyMs)}.`),
    '',
    `  URL          ${paint(terminal, 'cyan', urls.join('  '))}`,
    ...(built?.endpoints ?? []).map(
      (endpoint, at) =>
        `  ${at === 0 ? 'endpoints' : '         '}    ${endpoint.method} ${endpoint.path}`,
    ),
    '',
    renderTable(['caller', 'roles', 'certificate (key.pem beside it)', 'for curl -K'], rows),
    `  ${paint(terminal, 'cyan', `curl -K ${short(curlFile(project, caller))} ${url}${path}`)}`,
    '',
    paint(terminal, 'dim', '  Follows your edits. Ctrl-C stops it; its data stays.'),
    '',
    '',
  ].join('\n');
}
