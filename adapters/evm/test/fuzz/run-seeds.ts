import { ownExecutor } from '../proof/own-executor.ts';
import { referenceExecutor } from '../proof/reference-executor.ts';
import { differenceOf } from './compare.ts';
import { executionOf } from './fuzz-case.ts';

/** A seed whose execution the engines end differently. */
export interface Difference {
  readonly seed: number;
  readonly what: string;
}

/**
 * Executes the seeds from `start` to below `end` by both engines. `progress` is told after each
 * hundred of them how many are done since it was told last.
 */
export async function runSeeds(
  start: number,
  end: number,
  progress: (done: number) => void = () => {},
): Promise<readonly Difference[]> {
  const own = ownExecutor();
  const reference = referenceExecutor();
  const differences: Difference[] = [];
  for (let seed = start; seed < end; seed++) {
    const what = await differenceOf(executionOf(seed), own, reference);
    if (what !== undefined) differences.push({ seed, what });
    if ((seed + 1 - start) % 100 === 0) progress(100);
  }
  progress((end - start) % 100);
  return differences;
}
