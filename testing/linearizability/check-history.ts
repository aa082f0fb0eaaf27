import type { Operation } from './operation.ts';
import type { State } from './register.ts';
import { relevantOf } from './relevance.ts';
import { freshMemory, type Progress, Search } from './search.ts';
import { stuckWindow } from './stuck-window.ts';

/** Limits of a check. */
export interface CheckOptions {
  /** Time for the whole check, milliseconds; default 10,000. What is left then is undecided. */
  readonly budgetMs?: number;
}

/** What can be said of a history. */
export type Verdict =
  | {
      /** Some order of single steps, each between its call and its return, explains every answer. */
      readonly result: 'linearizable';
      readonly operations: number;
      readonly keys: number;
    }
  | {
      /** No such order exists for one key at least. */
      readonly result: 'not linearizable';
      readonly operations: number;
      readonly keys: number;
      readonly key: string;
      /**
       * The smallest part found, in the order of the calls, that has no explanation even if nothing
       * is asked of the value before it; the last answer in it is the one that cannot be.
       */
      readonly window: readonly Operation[];
    }
  | {
      /** Time or memory ran out before every key was decided; no fault was found. */
      readonly result: 'undecided';
      readonly operations: number;
      readonly keys: number;
      readonly undecidedKeys: readonly string[];
    };

/** A key has so long before the next one has its turn, milliseconds. */
const sliceMs = 20;
/** Time to make the window small that is granted even when the budget is used up, milliseconds. */
const windowMs = 2_000;

interface Pending {
  readonly key: string;
  readonly operations: readonly Operation[];
  readonly search: Search;
}

/**
 * Judges a history of any number of keys. Keys are checked in turns, shortest history first, since
 * one key can take for ever while the fault shows in another at once.
 */
export function checkHistory(
  operations: readonly Operation[],
  { budgetMs = 10_000 }: CheckOptions = {},
): Verdict {
  const deadlineMs = performance.now() + budgetMs;
  const memory = freshMemory();
  const byKey = Map.groupBy(operations, ({ key }) => key);
  const counts = { operations: operations.length, keys: byKey.size };
  let turn = Array.from(byKey, ([key, all]): Pending => {
    const relevant = relevantOf(all);
    return { key, operations: relevant, search: new Search(relevant, memory) };
  }).sort((a, b) => a.operations.length - b.operations.length);
  for (const { key, operations } of turn) {
    const orphan = orphanOf(operations);
    if (orphan) return { result: 'not linearizable', ...counts, key, window: [orphan] };
  }
  const undecidedKeys: string[] = [];
  while (turn.length > 0) {
    const next: Pending[] = [];
    for (const pending of turn) {
      const progress = slice(pending.search, Math.min(deadlineMs, performance.now() + sliceMs));
      if (progress === 'unfinished') next.push(pending);
      if (progress === 'out of memory') undecidedKeys.push(pending.key);
      if (progress !== 'exhausted') continue;
      const { key } = pending;
      const untilMs = Math.max(deadlineMs, performance.now() + windowMs);
      const window = stuckWindow(pending.operations, decideUntil(untilMs));
      return { result: 'not linearizable', ...counts, key, window };
    }
    turn = next;
    if (performance.now() < deadlineMs) continue;
    undecidedKeys.push(...turn.map(({ key }) => key));
    break;
  }
  if (undecidedKeys.length > 0) return { result: 'undecided', ...counts, undecidedKeys };
  return { result: 'linearizable', ...counts };
}

/** A read of a value that nobody had tried to write when it was answered: seen without a search. */
function orphanOf(operations: readonly Operation[]): Operation | undefined {
  const triedAt = new Map<string, number>();
  for (const { action, called } of operations) {
    if (action.kind === 'read' || action.kind === 'delete') continue;
    triedAt.set(action.value, Math.min(called, triedAt.get(action.value) ?? called));
  }
  return operations.find(({ action, result, returned = 0 }) => {
    if (action.kind !== 'read' || typeof result !== 'object') return false;
    if (result.value === undefined) return false;
    return (triedAt.get(result.value) ?? Number.POSITIVE_INFINITY) > returned;
  });
}

const slice = (search: Search, untilMs: number): Progress =>
  search.run(() => performance.now() >= untilMs);

/** Whether a part of a history has an explanation; undefined when time runs out. */
const decideUntil =
  (deadlineMs: number) =>
  (operations: readonly Operation[], initial: State): boolean | undefined => {
    const progress = slice(new Search(operations, freshMemory(), initial), deadlineMs);
    if (progress === 'found') return true;
    return progress === 'exhausted' ? false : undefined;
  };
