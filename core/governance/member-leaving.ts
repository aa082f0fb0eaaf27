import type { TransactionSet } from '@concordat/kv';
import type { ActorId } from '@concordat/std';
import type { GovernanceEffect } from './effects.ts';
import { sortedAsJson } from './read-voting-policy.ts';
import { deleteRow, readRows, tables, writeRow } from './tables.ts';
import type { VotingPolicy } from './voting-policy.ts';

/**
 * Takes somebody who votes no longer out of the voting policies that name it, as `unanimous` does by
 * itself, and out of the automation rules: its own end, and those of others that wait for its proposals
 * alone. A policy that nobody could meet any more is for the law to refuse.
 */
export function forgetMember(set: TransactionSet, actorId: ActorId): readonly GovernanceEffect[] {
  const effects: GovernanceEffect[] = [];
  for (const [kind, policy] of [...readRows(set, tables.votingPolicies)]) {
    const without = withoutMember(policy, actorId);
    if (without === policy) continue;
    writeRow(set, tables.votingPolicies, kind, without);
    effects.push({ kind: 'voting-policy-changed', policy: kind });
  }
  for (const [name, rule] of [...readRows(set, tables.automationRules)]) {
    const proposers = rule.proposers?.filter((id) => id !== actorId);
    if (rule.member === actorId || proposers?.length === 0) {
      deleteRow(set, tables.automationRules, name);
      effects.push({ kind: 'automation-rule-removed', rule: name });
    } else if (proposers && proposers.length !== rule.proposers?.length) {
      writeRow(set, tables.automationRules, name, { ...rule, proposers });
      effects.push({ kind: 'automation-rule-set', rule: name });
    }
  }
  return effects;
}

/** The policy without a member that left; the same object when it does not name it. */
function withoutMember(policy: VotingPolicy, actorId: ActorId): VotingPolicy {
  switch (policy.kind) {
    case 'subset': {
      const members = policy.members?.filter((id) => id !== actorId);
      const inner = withoutMember(policy.policy, actorId);
      if (members?.length === policy.members?.length && inner === policy.policy) return policy;
      return { ...policy, ...(members && { members }), policy: inner };
    }
    case 'all-of':
    case 'any-of': {
      const parts = policy.policies.map((part) => withoutMember(part, actorId));
      const isSame = parts.every((part, i) => part === policy.policies[i]);
      return isSame ? policy : { ...policy, policies: sortedAsJson(parts) };
    }
    default:
      return policy;
  }
}
