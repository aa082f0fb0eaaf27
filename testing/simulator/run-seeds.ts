import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Level, runSeed, type SeedResult, type SeedTask } from './run-seed.ts';

/** Runs to make, several processes at a time. */
export interface SeedRange {
  readonly level: Level;
  readonly first: number;
  readonly count: number;
  readonly ticks: number;
  readonly jobs: number;
}

/** Results as they come; after a broken promise nothing more is run. */
export async function* runSeeds({
  level,
  first,
  count,
  ticks,
  jobs,
}: SeedRange): AsyncGenerator<SeedResult> {
  const task = (at: number): SeedTask => ({ level, seed: first + at, ticks });
  // One seed alone runs where a debugger is.
  if (count === 1) {
    yield runSeed(task(0));
    return;
  }
  const pool = Array.from({ length: jobs }, () => new SeedProcess());
  let next = 0;
  const results = new Map<SeedProcess, Promise<[SeedProcess, SeedResult]>>();
  const give = (process: SeedProcess): void => {
    results.delete(process);
    if (next >= count) return;
    const answer = process.run(task(next));
    next += 1;
    results.set(
      process,
      answer.then((result) => [process, result]),
    );
  };
  try {
    for (const process of pool) give(process);
    while (results.size > 0) {
      const [process, result] = await Promise.race(results.values());
      yield result;
      give(process);
    }
  } finally {
    for (const process of pool) process.end();
  }
}

/** What a run leaves behind in its process, some 25 MB, is given back with the process. */
const runsOfOneProcess = 20;

/** Makes one run after another, each in a process that has made few. */
class SeedProcess {
  #child = start();
  #runs = 0;

  run(task: SeedTask): Promise<SeedResult> {
    if (this.#runs === runsOfOneProcess) {
      this.end();
      this.#child = start();
      this.#runs = 0;
    }
    this.#runs += 1;
    return new Promise((resolve, reject) => {
      const ended = (): void => reject(new Error(`the process of seed ${task.seed} ended`));
      this.#child.once('exit', ended);
      this.#child.once('message', (result) => {
        this.#child.off('exit', ended);
        resolve(result as SeedResult);
      });
      this.#child.send(task);
    });
  }

  end(): void {
    this.#child.kill();
  }
}

const start = (): ChildProcess =>
  fork(fileURLToPath(new URL('./seed-process.ts', import.meta.url)));
