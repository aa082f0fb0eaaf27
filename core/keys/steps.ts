/**
 * Work that takes long when there are many holders, cut into steps of a few milliseconds: call
 * `next()` until it is done, and let the node serve others in between. `return()` gives up early and
 * erases what was secret. Steps of one piece of work have no effects on anything else.
 */
export type Steps<Result> = Generator<undefined, Result, undefined>;

/** Multiplications by a scalar in one step: some 150 µs each. */
export const multiplicationsPerStep = 16;
/** Additions of elements in one step: some 30 µs each. */
export const additionsPerStep = 64;

/** Does all steps at once: for few holders, and where nobody waits. */
export function finishSteps<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
