import type { TransactionSet } from '@concordat/kv';
import type { ActorId } from '@concordat/std';
import type { GovernanceEffect } from './effects.ts';
import { readRows, tables, writeRow } from './tables.ts';
import { withoutMember } from './voting-policy.ts';

/**
 * Takes somebody who votes no longer out of the voting policies that name it, as `unanimous` does by
 * itself. A policy that nobody could meet any more is for the law to refuse.
 */
export function forgetMember(set: TransactionSet, actorId: ActorId): readonly GovernanceEffect[] {
  const effects: GovernanceEffect[] = [];
  for (const [kind, policy] of [...readRows(set, tables.votingPolicies)]) {
    const without = withoutMember(policy, actorId);
    if (without === policy) continue;
    writeRow(set, tables.votingPolicies, kind, without);
    effects.push({ kind: 'voting-policy-changed', policy: kind });
  }
  return effects;
}
