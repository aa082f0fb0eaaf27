import type { Actor } from '@concordat/worker-enclave';

/** Policies that name one way of being known, as CCF calls them. */
export const policyNames = ['user_cert', 'member_cert', 'any_cert', 'no_auth'] as const;

/** One of them. */
export type PolicyName = (typeof policyNames)[number];

/** CCF's policies that have no meaning here yet. */
export const unsupportedPolicies: readonly string[] = [
  'jwt',
  'user_cose_sign1',
  'member_cose_sign1',
];

/** An entry of `authn_policies`: one policy, or several that must all hold. */
export type Policy = PolicyName | { readonly all_of: readonly PolicyName[] };

/** Who called, as `request.caller` shows it (`AuthnIdentity` of @microsoft/ccf-app). */
export interface Caller {
  readonly policy: string | readonly string[];
  readonly [part: string]: unknown;
}

/**
 * The caller under the first policy that holds; undefined when none does. A user is an actor that
 * is a participant, a member one that is a member; every connection is an actor's already.
 */
export function callerUnder(policies: readonly Policy[], actor: Actor): Caller | undefined {
  if (policies.length === 0) return { policy: 'no_auth' };
  for (const policy of policies) {
    if (typeof policy === 'string') {
      if (holds(policy, actor)) return identityUnder(policy, actor);
      continue;
    }
    if (!policy.all_of.every((name) => holds(name, actor))) continue;
    const parts = policy.all_of.map((name) => [name, identityUnder(name, actor)]);
    return { policy: [...policy.all_of], ...Object.fromEntries(parts) };
  }
  return undefined;
}

function holds(policy: PolicyName, { kinds }: Actor): boolean {
  if (policy === 'user_cert') return kinds.includes('participant');
  return policy !== 'member_cert' || kinds.includes('member');
}

function identityUnder(policy: PolicyName, { actorId, name, kinds, roles }: Actor): Caller {
  if (policy === 'no_auth') return { policy };
  return { policy, id: actorId, data: { name, kinds, roles } };
}
