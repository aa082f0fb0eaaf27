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

const folder = new URL('../data/differences/', import.meta.url);
/** More than these are counted, not written. */
const mostFiles = 20;
let differences = 0;

function report({ seed, what }: Difference): void {
  differences++;
  if (differences > mostFiles) return;
  mkdirSync(folder, { recursive: true });
  const file = new URL(`seed-${seed}.json`, folder);
  writeFileSync(file, writeCase(executionOf(seed)));
  process.stdout.write(`\nseed ${seed} (written to ${file.pathname})\n${what}\n\n`);
}

function run(start: number, end: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: { start, end },
    });
    worker.on('message', (message: number | Difference) => {
      if (typeof message === 'number') {
        done += message;
        show();
      } else report(message);
    });
    worker.on('error', reject);
    worker.on('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`a thread ended with ${code}, seeds ${start} to ${end}`));
    });
  });
}

function summarize(): void {
  const seconds = Math.round((performance.now() - began) / 1_000);
  process.stdout.write(
    `\n${done} executions from seed ${first} in ${seconds} s, ${differences} ended differently\n`,
  );
}

process.once('SIGINT', () => {
  summarize();
  process.exit(1);
});
process.stderr.write(`${executions} executions from seed ${first} in ${jobs} threads\n`);
const bounds = Array.from(
  { length: jobs + 1 },
  (_, i) => first + Math.floor((executions * i) / jobs),
);
await Promise.all(
  Array.from({ length: jobs }, (_, i) => run(bounds[i] as number, bounds[i + 1] as number)),
);
summarize();
process.exitCode = differences === 0 ? 0 : 1;
