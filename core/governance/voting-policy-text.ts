import type { VotingPolicy } from './voting-policy.ts';

/**
 * A voting policy in a few words, as tables show it.
 * @param nameOf what an actor is called
 */
export function votingPolicyText(
  policy: VotingPolicy,
  nameOf: (actorId: string) => string = (actorId) => actorId.slice(0, 8),
): string {
  switch (policy.kind) {
    case 'm-of-n':
      return `${policy.m} of n`;
    case 'percentage':
      return `${policy.percent}%`;
    case 'subset': {
      const named = [
        ...(policy.members ?? []).map(nameOf),
        ...(policy.role === undefined ? [] : [`role ${policy.role}`]),
      ];
      return `${votingPolicyText(policy.policy, nameOf)} of [${named.join(', ')}]`;
    }
    case 'all-of':
    case 'any-of': {
      const word = policy.kind === 'all-of' ? ' and ' : ' or ';
      return `(${policy.policies.map((part) => votingPolicyText(part, nameOf)).join(word)})`;
    }
    default:
      return policy.kind;
  }
}
