import { ownExecutor } from '../proof/own-executor.ts';
import { referenceExecutor } from '../proof/reference-executor.ts';
import { differenceOf } from './compare.ts';
import { executionOf } from './fuzz-case.ts';

/** A seed whose execution the engines end differently. */
export interface Difference {
  readonly seed: number;
  readonly what: string;
}

/** Who hears how a run goes on. */
export interface Listener {
  /** So many more are done. */
  done(count: number): void;
  differs(difference: Difference): void;
}

/** Executes the seeds from `start` to below `end` by both engines. */
export async function runSeeds(start: number, end: number, listener: Listener): Promise<void> {
  const own = ownExecutor();
  const reference = referenceExecutor();
  for (let seed = start; seed < end; seed++) {
    const what = await differenceOf(executionOf(seed), own, reference);
    if (what !== undefined) listener.differs({ seed, what });
    if ((seed + 1 - start) % 100 === 0) listener.done(100);
  }
  listener.done((end - start) % 100);
}
