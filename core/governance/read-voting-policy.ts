import { toActorId } from '@concordat/std';
import { canonicalJson } from './canonical-json.ts';
import type { Field } from './field.ts';
import type { SubsetPolicy, VotingPolicy } from './voting-policy.ts';

/** Levels of policies within policies, the outermost counted. */
export const maxPolicyDepth = 4;
/** Parts of one `all-of` or `any-of`. */
export const maxPolicyParts = 16;
/** Policies that one policy is made of, itself counted. */
export const maxPolicies = 64;
/** Members that one subset may name. */
export const maxNamedMembers = 1_000;

/** Kinds of voting policies. */
export const policyKinds = [
  'unanimous',
  'majority',
  'm-of-n',
  'percentage',
  'subset',
  'all-of',
  'any-of',
] as const satisfies readonly VotingPolicy['kind'][];

/**
 * Reads a voting policy. Names and parts are sorted, so that equal policies are equal JSON.
 * @throws GovernanceError of the field's code
 */
export function readVotingPolicy(field: Field): VotingPolicy {
  const count = { left: maxPolicies };
  return read(field, { depth: 1, count, whole: field });
}

interface Place {
  readonly depth: number;
  readonly count: { left: number };
  /** The outermost policy. */
  readonly whole: Field;
}

function read(field: Field, place: Place): VotingPolicy {
  const { depth, count, whole } = place;
  if (depth > maxPolicyDepth) field.fail(`is nested more than ${maxPolicyDepth} levels deep`);
  if (count.left === 0) whole.fail(`is made of more than ${maxPolicies} policies`);
  count.left--;
  const kind = field.at('kind').oneOf(policyKinds);
  switch (kind) {
    case 'unanimous':
    case 'majority':
      field.only(['kind']);
      return { kind };
    case 'm-of-n':
      field.only(['kind', 'm']);
      return { kind, m: field.at('m').integer({ min: 1, max: 10_000 }) };
    case 'percentage':
      field.only(['kind', 'percent']);
      return { kind, percent: field.at('percent').integer({ min: 1, max: 100 }) };
    case 'subset':
      return readSubset(field, { ...place, depth: depth + 1 });
    case 'all-of':
    case 'any-of': {
      const list = field.only(['kind', 'policies']).at('policies');
      const parts = list.list(maxPolicyParts);
      if (parts.length < 2) list.fail('must hold at least two policies');
      const policies = parts.map((part) => read(part, { ...place, depth: depth + 1 }));
      return { kind, policies: sortedAsJson(policies) };
    }
  }
}

function readSubset(field: Field, inner: Place): SubsetPolicy {
  field.only(['kind', 'members', 'role', 'policy']);
  const named = field.optional('members');
  const role = field.optional('role')?.identifier();
  if (!named && role === undefined) field.fail('must name members, a role or both');
  const members = named?.list(maxNamedMembers).map((item) => toActorId(item.hex(32)));
  if (named && new Set(members).size !== members?.length) named.fail('names a member twice');
  return {
    kind: 'subset',
    ...(members && { members: members.sort() }),
    ...(role !== undefined && { role }),
    policy: read(field.at('policy'), inner),
  };
}

/** Parts in the order they are stored in: that of their canonical JSON. */
export function sortedAsJson(policies: readonly VotingPolicy[]): VotingPolicy[] {
  const texts = policies.map((policy) => ({ policy, text: canonicalJson(policy) }));
  return texts.sort((a, b) => (a.text < b.text ? -1 : 1)).map(({ policy }) => policy);
}
