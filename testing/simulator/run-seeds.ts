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
  if (jobs === 1) {
    for (let at = 0; at < count; at += 1) yield runSeed(task(at));
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

/** A process that makes one run after another. */
class SeedProcess {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(fileURLToPath(new URL('./seed-process.ts', import.meta.url)));
  }

  run(task: SeedTask): Promise<SeedResult> {
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
