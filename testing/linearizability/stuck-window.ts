import type { Operation } from './operation.ts';
import { absent, anything, type State } from './register.ts';
import { relevantOf } from './relevance.ts';

/** Whether operations have an explanation from a state; undefined when it takes too long. */
export type Decide = (operations: readonly Operation[], initial: State) => boolean | undefined;

/**
 * The smallest part of a key's history that shows the fault by itself. Its end is the first answer
 * after which the history has no explanation (what was still open then counts as unknown); its
 * beginning as late as can be, when nothing is asked of the value that stood before it. Both are
 * monotone, so each is found by halving. What cannot be decided in time is shown larger.
 */
export function stuckWindow(operations: readonly Operation[], decide: Decide): Operation[] {
  const byCall = [...operations].sort((a, b) => a.called - b.called);
  const returns = byCall.flatMap(({ returned }) => returned ?? []).sort((a, b) => a - b);
  const end = leastThat(returns, (moment) => decide(until(byCall, moment), absent) === false);
  const broken = until(byCall, returns[end] ?? Number.POSITIVE_INFINITY);
  const calls = broken.map(({ called }) => called).reverse();
  const begin = leastThat(calls, (moment) => decide(from(broken, moment), anything) === false);
  const window = begin < calls.length ? from(broken, calls[begin] as number) : broken;
  return withoutIdle(window, (rest) => decide(rest, begin < calls.length ? anything : absent));
}

/** Index of the first item for which a monotone condition holds; the length when for none. */
function leastThat<Item>(items: readonly Item[], holds: (item: Item) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(items[middle] as Item)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** What was known at a moment. */
function until(operations: readonly Operation[], moment: number): Operation[] {
  return operations
    .filter(({ called }) => called <= moment)
    .map((operation) => {
      if (operation.returned === undefined || operation.returned <= moment) return operation;
      const { returned: _, ...open } = operation;
      return { ...open, result: 'unknown' as const };
    });
}

/** What had not ended at a moment, and what began later. */
const from = (operations: readonly Operation[], moment: number): Operation[] =>
  operations.filter(({ returned }) => returned === undefined || returned >= moment);

/** Removals tried, each a search. */
const maxRemovals = 200;

/** Without reads that the fault does not need. */
function withoutIdle(
  window: readonly Operation[],
  decide: (rest: readonly Operation[]) => boolean | undefined,
): Operation[] {
  let kept = [...window];
  for (const operation of window
    .filter(({ action }) => action.kind === 'read')
    .slice(0, maxRemovals)) {
    const rest = kept.filter((other) => other !== operation);
    if (decide(rest) === false) kept = rest;
  }
  return relevantOf(kept);
}
