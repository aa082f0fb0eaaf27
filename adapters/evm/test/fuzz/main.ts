/**
 * `npm run fuzz:evm`: random programs on random states by this room's engine and by the reference.
 * Ends with status 1 when any execution ended differently, and writes it where the tests find it.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { writeCase } from './case-file.ts';
import { executionOf } from './fuzz-case.ts';
import type { Difference } from './run-seeds.ts';

const { values } = parseArgs({
  options: {
    executions: { type: 'string', default: '1000000' },
    seed: { type: 'string' },
    jobs: { type: 'string', default: `${availableParallelism()}` },
  },
});
const executions = Number(values.executions);
const jobs = Number(values.jobs);
// Without a seed each day has its own, so that nightly runs go on where none has been.
const first = Number(values.seed ?? Math.floor(Date.now() / 86_400_000) * 10_000_000);
if (
  ![executions, jobs, first].every((value) => Number.isSafeInteger(value) && value >= 0) ||
  jobs < 1
) {
  process.stderr.write('usage: --executions <number> --seed <number> --jobs <number>\n');
  process.exit(2);
}

const began = performance.now();
let done = 0;
let shown = 0;

function show(): void {
  const now = performance.now();
  const seconds = (now - began) / 1_000;
  if (now - shown < (process.stderr.isTTY ? 200 : 30_000) && done < executions) return;
  shown = now;
  const filled = Math.floor((done / executions) * 30);
  const bar = '#'.repeat(filled) + '.'.repeat(30 - filled);
  const left = Math.round((seconds / Math.max(done, 1)) * (executions - done));
  const line = `[${bar}] ${done}/${executions}, ${Math.round(done / seconds)}/s, ${left} s left`;
  process.stderr.write(process.stderr.isTTY ? `\r${line}\x1b[K` : `${line}\n`);
}

function run(start: number, end: number): Promise<readonly Difference[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: { start, end },
    });
    worker.on('message', (message: number | readonly Difference[]) => {
      if (typeof message !== 'number') {
        resolve(message);
        return;
      }
      done += message;
      show();
    });
    worker.on('error', reject);
    worker.on('exit', () => reject(new Error(`a thread ended early, seeds ${start} to ${end}`)));
  });
}

process.stderr.write(`${executions} executions from seed ${first} in ${jobs} threads\n`);
const bounds = Array.from(
  { length: jobs + 1 },
  (_, i) => first + Math.floor((executions * i) / jobs),
);
const parts = await Promise.all(
  Array.from({ length: jobs }, (_, i) => run(bounds[i] as number, bounds[i + 1] as number)),
);
const differences = parts.flat();
if (process.stderr.isTTY) process.stderr.write('\n');
const folder = new URL('../data/differences/', import.meta.url);
for (const { seed, what } of differences.slice(0, 20)) {
  mkdirSync(folder, { recursive: true });
  const file = new URL(`seed-${seed}.json`, folder);
  writeFileSync(file, writeCase(executionOf(seed)));
  process.stdout.write(`seed ${seed} (written to ${file.pathname})\n${what}\n\n`);
}
const seconds = Math.round((performance.now() - began) / 1_000);
process.stdout.write(
  `${executions} executions from seed ${first} in ${seconds} s, ${differences.length} ended differently\n`,
);
process.exitCode = differences.length === 0 ? 0 : 1;
