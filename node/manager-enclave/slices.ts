import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Steps } from '@concordat/keys';

/** Work in steps keeps others waiting about so long at a time. */
const sliceMs = 3;

/** Does work in steps, and lets the node serve others in between. */
export async function inSlices<Result>(steps: Steps<Result>): Promise<Result> {
  let sinceMs = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (performance.now() - sinceMs < sliceMs) continue;
    await nextTurn();
    sinceMs = performance.now();
  }
}
