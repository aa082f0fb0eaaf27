import { type ActionName, actionNames } from './action-names.ts';
import { GovernanceError } from './errors.ts';
import type { Field } from './field.ts';

/**
 * The criteria for a vote to be accepted (paper: Network Constitution). `n` is always the number
 * of members at the time of counting; one of N is `m-of-n` with `m` 1.
 */
export type VotingPolicy =
  | { readonly kind: 'unanimous' }
  | { readonly kind: 'majority' }
  | { readonly kind: 'm-of-n'; readonly m: number };

/** The kinds a voting policy can be set for. */
export const votingPolicyKinds = ['default', ...actionNames] as const;

/** What a voting policy applies to: one kind of change, or every kind without its own. */
export type VotingPolicyKind = (typeof votingPolicyKinds)[number];

/** A policy for every kind of change: its own where set, else the default. */
export type VotingPolicies = { readonly default: VotingPolicy } & Readonly<
  Partial<Record<ActionName, VotingPolicy>>
>;

/** A count of current members' votes. */
export interface Tally {
  readonly members: number;
  readonly accepts: number;
  readonly rejects: number;
}

/** What a count decides under one policy. */
export type Judgement = 'accepted' | 'rejected' | 'open';

/**
 * The policy that judges a kind of change. A recovered network is opened by a majority unless it was
 * agreed otherwise before: a default of unanimity must not leave it closed for whoever is lost.
 */
export const votingPolicyFor = (policies: VotingPolicies, kind: ActionName): VotingPolicy =>
  policies[kind] ?? (kind === 'open_network' ? { kind: 'majority' } : policies.default);

/** Accepts a policy needs among so many members. */
export function acceptsNeeded(policy: VotingPolicy, members: number): number {
  switch (policy.kind) {
    case 'unanimous':
      return members;
    case 'majority':
      return Math.floor(members / 2) + 1;
    case 'm-of-n':
      return policy.m;
  }
}

/**
 * Accepted once the accepts suffice; rejected as soon as they no longer can, whoever still votes;
 * open until then.
 */
export function judge(policy: VotingPolicy, tally: Tally): Judgement {
  const needed = acceptsNeeded(policy, tally.members);
  if (tally.members > 0 && tally.accepts >= needed) return 'accepted';
  return tally.members - tally.rejects < needed ? 'rejected' : 'open';
}

/**
 * Refuses policies that so many members could never meet.
 * @throws GovernanceError UNSATISFIABLE_VOTING_POLICY
 */
export function requireSatisfiable(policies: VotingPolicies, members: number): void {
  for (const kind of votingPolicyKinds) {
    const policy = policies[kind];
    if (policy === undefined || acceptsNeeded(policy, members) <= members) continue;
    throw new GovernanceError(
      'UNSATISFIABLE_VOTING_POLICY',
      `the voting policy for ${kind} needs ${acceptsNeeded(policy, members)} of ${members} members`,
      { kind, needed: acceptsNeeded(policy, members), members },
    );
  }
}

/** Reads a voting policy. @throws GovernanceError of the field's code */
export function readVotingPolicy(field: Field): VotingPolicy {
  const kind = field.at('kind').oneOf(['unanimous', 'majority', 'm-of-n']);
  if (kind !== 'm-of-n') {
    field.only(['kind']);
    return { kind };
  }
  field.only(['kind', 'm']);
  return { kind, m: field.at('m').integer({ min: 1, max: 10_000 }) };
}
