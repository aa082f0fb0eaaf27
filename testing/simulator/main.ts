import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Report } from './report.ts';
import { defaultTicks, type Level, levels } from './run-seed.ts';
import { runSeeds } from './run-seeds.ts';

const usage = `usage: npm run simulate -- [--seeds K] [--seed N] [--ticks T] [--level network|consensus] [--jobs J]
  --seeds  how many seeds, one run each (default 100; 1 with --seed)
  --seed   the first seed (default 1)
  --ticks  length of the part with faults: ticks of 20 ms (network, default ${defaultTicks.network})
           or of consensus (default ${defaultTicks.consensus})
  --level  whole networks (default) or machines of consensus alone
  --jobs   processes at a time (default: one a processor, at most 8)`;

const options = {
  seeds: { type: 'string' },
  seed: { type: 'string' },
  ticks: { type: 'string' },
  level: { type: 'string', default: 'network' },
  jobs: { type: 'string' },
  help: { type: 'boolean' },
} as const;

/** Undefined: there is something that is not understood. */
function parse() {
  try {
    return parseArgs({ options }).values;
  } catch {
    return undefined;
  }
}

function readArguments() {
  const values = parse();
  if (!values) return undefined;
  const level = values.level as Level;
  if (values.help || !levels.includes(level)) return undefined;
  const first = Number(values.seed ?? 1);
  const count = Number(values.seeds ?? (values.seed === undefined ? 100 : 1));
  const ticks = Number(values.ticks ?? defaultTicks[level]);
  const jobs = Number(values.jobs ?? Math.min(8, availableParallelism()));
  const all = [first, count, ticks, jobs];
  return all.every((one) => Number.isSafeInteger(one) && one > 0)
    ? { level, first, count, ticks, jobs: Math.min(jobs, count) }
    : undefined;
}

/** The commit this runs from, with a mark when files differ from it. */
function commit(): string {
  try {
    const git = (...args: string[]) =>
      execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ' (changed)';
    return `${git('rev-parse', '--short=12', 'HEAD')}${changed}`;
  } catch {
    return 'unknown';
  }
}

const given = readArguments();
if (!given) {
  console.error(usage);
  process.exit(2);
}
const { level, first, count, ticks } = given;
const about = `${level}, commit ${commit()}, seeds ${first} to ${first + count - 1}, ${ticks} ticks`;
console.log(`Simulation of a ${about}`);
const report = new Report(level, count, performance.now());
for await (const result of runSeeds(given)) {
  if (!result.ok) {
    process.stderr.write('\n');
    for (const line of result.lines) console.error(line);
    console.error(`\nseed ${result.seed} of ${about}\n${result.code}: ${result.message}`);
    const again = `--level ${level} --seed ${result.seed} --ticks ${ticks}`;
    console.error(`to repeat: npm run simulate -- ${again}`);
    process.exit(1);
  }
  report.add(result.summary);
  // Where nobody watches a line change, ten lines are enough.
  const { isTTY } = process.stderr;
  if (isTTY) process.stderr.write(`\r${report.progress(performance.now())}`);
  else if (report.isRound) console.error(report.progress(performance.now()));
}
if (process.stderr.isTTY) process.stderr.write('\n');
console.log(report.text(performance.now()));
