import type { CatchUpFigures } from '../consensus/catch-up-part.ts';
import { type Cell, measureCommits } from '../consensus/commit-part.ts';
import type { ElectionFigures } from '../consensus/election-part.ts';
import { etcdIsInstalled } from '../peers/etcd.ts';
import { loadAverage } from '../process-figures.ts';
import type { SectionOptions } from './section.ts';

/** Parts of the section, by the names `--parts` takes. */
export const consensusParts = ['commits', 'elections', 'catch-up'] as const;

/** A part of the section. */
export type ConsensusPart = (typeof consensusParts)[number];

/** Load average of the last minute before and after something was measured. */
export interface Loads {
  readonly before: number;
  readonly after: number;
}

/** What consensus costs and how it fares, from 1 to 5 voters. */
export interface ConsensusFigures {
  readonly id: 'consensus';
  readonly commits: readonly Cell[];
  readonly elections: readonly ElectionFigures[];
  readonly catchUps: readonly CatchUpFigures[];
  readonly loads: Readonly<Partial<Record<ConsensusPart, Loads>>>;
  readonly notes: readonly string[];
}

/** Ends a part that cannot be measured with a note instead of the whole run. */
type Attempt = <Result>(
  what: string,
  measure: () => Promise<Result>,
) => Promise<Result | undefined>;

/** Measures the parts that were asked for, in the order of the tables. */
export async function consensusSection(
  options: SectionOptions,
  parts: readonly ConsensusPart[] = consensusParts,
): Promise<ConsensusFigures> {
  const notes: string[] = [];
  const attempt: Attempt = async (what, measure) => {
    try {
      return await measure();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      notes.push(`${what}: skipped: ${why.split('\n', 1)[0]}`);
      return undefined;
    }
  };
  if (options.withPeers && !etcdIsInstalled()) {
    notes.push('etcd: skipped: it is not installed (apt-get install etcd-server)');
  }
  const loads: Partial<Record<ConsensusPart, Loads>> = {};
  const commits: Cell[] = [];
  const elections: ElectionFigures[] = [];
  const catchUps: CatchUpFigures[] = [];
  const measure: Record<ConsensusPart, () => Promise<void>> = {
    commits: async () => {
      for (const voters of [1, 3, 5]) {
        const measure = () => measureCommits(voters, options);
        commits.push(...((await attempt(`commits of ${voters}`, measure)) ?? []));
      }
    },
    // `local-network` ends the process at once on an interrupt; before, networks are to be stopped.
    elections: async () => {
      const { measureElections } = await import('../consensus/election-part.ts');
      elections.push(...((await attempt('elections', () => measureElections(options))) ?? []));
    },
    'catch-up': async () => {
      const { measureCatchUp } = await import('../consensus/catch-up-part.ts');
      for (const way of ['entries', 'snapshot'] as const) {
        const figures = await attempt(`catching up by ${way}`, () => measureCatchUp(way, options));
        if (figures) catchUps.push(figures);
      }
    },
  };
  for (const part of consensusParts) {
    if (!parts.includes(part)) continue;
    const before = loadAverage();
    await measure[part]();
    loads[part] = { before, after: loadAverage() };
  }
  return { id: 'consensus', commits, elections, catchUps, loads, notes };
}
