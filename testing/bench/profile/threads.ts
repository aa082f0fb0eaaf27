import { readdirSync, readFileSync } from 'node:fs';
import { cpuMicrosOf } from '../process-figures.ts';

/**
 * Processor microseconds of a process's threads, by what they are: `main` runs JavaScript,
 * `V8Worker` collects and compiles, `libuv-worker` does files and some cryptography.
 */
export type ThreadFigures = Readonly<Record<string, number>>;

/** Processor time of a process's threads so far; nothing when it has ended. */
export function threadFigures(pid: number): ThreadFigures {
  const figures: Record<string, number> = {};
  for (const thread of listed(`/proc/${pid}/task`)) {
    const name = Number(thread) === pid ? 'main' : read(`/proc/${pid}/task/${thread}/comm`).trim();
    figures[name] = (figures[name] ?? 0) + runMicros(`/proc/${pid}/task/${thread}`);
  }
  return figures;
}

/** What the scheduler counted in nanoseconds, where the kernel tells it; else its ticks of 10 ms. */
function runMicros(thread: string): number {
  const nanos = Number(read(`${thread}/schedstat`).split(' ', 1)[0]);
  return nanos > 0 ? nanos / 1_000 : (cpuMicrosOf(read(`${thread}/stat`)) ?? 0);
}

/** What was added between two readings. */
export const threadsBetween = (before: ThreadFigures, after: ThreadFigures): ThreadFigures =>
  Object.fromEntries(
    Object.entries(after).map(([name, micros]) => [name, micros - (before[name] ?? 0)]),
  );

function listed(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
