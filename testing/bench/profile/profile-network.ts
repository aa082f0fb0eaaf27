import { mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { renderTable } from '@concordat/cli';
import type { BenchNetwork, BenchNetworkOptions } from '../bench-network.ts';
import { withDescendants } from '../process-figures.ts';
import { type CpuProfile, summarizeProfile, type Window } from './cpu-profile.ts';
import { type ThreadFigures, threadFigures, threadsBetween } from './threads.ts';

const shown = 16;

/** The work that is looked at: does it and says how many transactions it was. */
type Stretch = (network: BenchNetwork, work: () => Promise<number>) => Promise<void>;

interface Stretched {
  readonly window: Window;
  readonly transactions: number;
  /** What each process did meanwhile, by its name, with its process id. */
  readonly processes: ReadonlyMap<
    string,
    { readonly pid: number; readonly threads: ThreadFigures }
  >;
}

/**
 * Profiles every process of a network over a stretch of work: leaves a `<node>-<process>.cpuprofile`
 * of each in a directory, which Chrome's developer tools open, and returns a table of the functions
 * that took most time. Sampling costs time of its own: shares are to be read from it, not rates.
 */
export async function profileNetwork(
  directory: string,
  options: { readonly quick: boolean; readonly say: (text: string) => void },
  use: (start: Partial<BenchNetworkOptions>, stretch: Stretch) => Promise<void>,
): Promise<string> {
  const profiles = resolve(directory);
  mkdirSync(profiles, { recursive: true });
  let stretched: Stretched | undefined;
  await use({ profileDirectory: profiles }, async (network, work) => {
    stretched = await watch(network, work);
  });
  if (!stretched) throw new Error('nothing was profiled');
  const tables = [...stretched.processes].map(([name, { pid, threads }]) => {
    const path = claimProfile(profiles, pid, name);
    if (path === undefined) return `\n${name}: it left no profile\n`;
    const profile = JSON.parse(readFileSync(path, 'utf8')) as CpuProfile;
    return tableOf(name, { profile, threads, stretched: stretched as Stretched });
  });
  options.say(`profiles are in ${profiles}`);
  return tables.join('');
}

async function watch(network: BenchNetwork, work: () => Promise<number>): Promise<Stretched> {
  const pids = processesOf(network);
  const before = new Map([...pids].map(([name, pid]) => [name, threadFigures(pid)]));
  const from = nowMicros();
  const transactions = await work();
  const window = { from, to: nowMicros() };
  const processes = new Map(
    [...pids].map(([name, pid]) => {
      const threads = threadsBetween(before.get(name) ?? {}, threadFigures(pid));
      return [name, { pid, threads }] as const;
    }),
  );
  return { window, transactions, processes };
}

/** Hosts, enclaves, and the application's process below a worker. */
function processesOf(network: BenchNetwork): ReadonlyMap<string, number> {
  const pids = new Map(network.processIds());
  for (const [name, pid] of network.processIds()) {
    if (!name.endsWith(' worker')) continue;
    for (const [at, child] of withDescendants(pid).slice(1).entries()) {
      pids.set(`${name}'s application${at === 0 ? '' : ` ${at + 1}`}`, child);
    }
  }
  return pids;
}

const nowMicros = (): number => Number(process.hrtime.bigint() / 1_000n);

/** Finds what a process's main thread wrote, and names it after the process. */
function claimProfile(directory: string, pid: number, name: string): string | undefined {
  const written = readdirSync(directory).find((file) =>
    new RegExp(`^CPU\\.\\d+\\.\\d+\\.${pid}\\.0\\.\\d+\\.cpuprofile$`).test(file),
  );
  if (written === undefined) return undefined;
  const path = join(directory, `${name.replaceAll("'s", '').replaceAll(' ', '-')}.cpuprofile`);
  renameSync(join(directory, written), path);
  return path;
}

function tableOf(
  name: string,
  {
    profile,
    threads,
    stretched,
  }: {
    readonly profile: CpuProfile;
    readonly threads: ThreadFigures;
    readonly stretched: Stretched;
  },
): string {
  const { window, transactions } = stretched;
  const { busyMicros, functions } = summarizeProfile(profile, window);
  const each = (micros: number): string => (micros / transactions).toFixed(2);
  const rows = functions
    .slice(0, shown)
    .map(({ name: what, micros, callers }) => [
      `${((100 * micros) / busyMicros).toFixed(1)} %`,
      each(micros),
      callers.length > 0 ? `${what} < ${callers.join(', ')}` : what,
    ]);
  const counted = Object.entries(threads)
    .filter(([, micros]) => micros >= 0.05 * transactions)
    .map(([thread, micros]) => `${thread} ${each(micros)}`);
  const head = `\n${name}: processor µs each by thread: ${counted.join(', ')}; sampled ${each(busyMicros)} by the clock\n`;
  return head + renderTable(['share', 'µs each', 'function'], rows);
}
