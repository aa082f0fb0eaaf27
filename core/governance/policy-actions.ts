import { actionNames } from './action-names.ts';
import type { Action } from './effects.ts';
import { GovernanceError } from './errors.ts';
import type { Field } from './field.ts';
import { isPolicyName, readPolicy } from './policies.ts';
import { readVotingPolicy } from './read-voting-policy.ts';
import { removeRow, tables, writeRow } from './tables.ts';
import { votingPolicyKinds } from './voting-policy.ts';

/** Changes of the voting policies and of the operating policies. */
export const policyActions = {
  set_voting_policy: (args) => {
    const kind = args.only(['kind', 'policy']).at('kind').oneOf(votingPolicyKinds);
    const policy = readVotingPolicy(args.at('policy'));
    return (set) => {
      writeRow(set, tables.votingPolicies, kind, policy);
      return [{ kind: 'voting-policy-changed', policy: kind }];
    };
  },
  remove_voting_policy: (args) => {
    // The default is replaced, never removed: every kind of change needs a policy.
    const kind = args.only(['kind']).at('kind').oneOf(actionNames);
    return (set) => {
      removeRow(set, tables.votingPolicies, { key: kind, missing: 'POLICY_NOT_SET' });
      return [{ kind: 'voting-policy-changed', policy: kind }];
    };
  },
  set_policy: (args) => {
    const name = readPolicyName(args.only(['name', 'value']).at('name'));
    const value = readPolicy(name, args.at('value'));
    return (set) => {
      writeRow(set, tables.policies, name, value);
      return [{ kind: 'policy-changed', policy: name }];
    };
  },
  remove_policy: (args) => {
    const name = readPolicyName(args.only(['name']).at('name'));
    return (set) => {
      removeRow(set, tables.policies, { key: name, missing: 'POLICY_NOT_SET' });
      return [{ kind: 'policy-changed', policy: name }];
    };
  },
} satisfies Record<string, Action>;

function readPolicyName(field: Field) {
  const name = field.text(64);
  if (isPolicyName(name)) return name;
  throw new GovernanceError('UNSUPPORTED_POLICY', `${field.path} names no supported policy`, {
    path: field.path,
  });
}
