import type { Operation } from './operation.ts';
import { valuesAsked } from './register.ts';

/**
 * Without what cannot matter: what failed, reads of unknown outcome, and changes of unknown outcome
 * to a value that no one was told of. The last only where every answer tells the whole value:
 * between such a change and the next one nobody looked, so it can be left out of any explanation.
 */
export function relevantOf(operations: readonly Operation[]): Operation[] {
  const effective = operations.filter(
    ({ action, result }) => result !== 'failed' && (result !== 'unknown' || action.kind !== 'read'),
  );
  if (effective.some(tellsPart)) return effective;
  const asked = new Set(effective.flatMap(valuesAsked));
  return effective.filter(({ action, result }) => {
    if (result !== 'unknown' || action.kind === 'read') return true;
    return asked.has(action.kind === 'delete' ? undefined : action.value);
  });
}

function tellsPart({ action, result }: Operation): boolean {
  if (action.kind === 'compare-and-set') return typeof result !== 'object' || !result.applied;
  return typeof result === 'object' && result.existed !== undefined;
}
