import type { ActorId } from '@concordat/std';
import { type ActionName, actionNames } from './action-names.ts';
import { GovernanceError } from './errors.ts';

/**
 * The criteria for a vote to be accepted (paper: Network Constitution). Policies are composed of
 * policies. Each is judged among an electorate: all members at the time of counting, and inside a
 * subset those of them whom it names. More accepts never turn an accepted vote into another.
 */
export type VotingPolicy =
  /** All of the electorate accept. */
  | { readonly kind: 'unanimous' }
  /** More than half of it. */
  | { readonly kind: 'majority' }
  /** At least `m`, 1-10,000; one of N is `m` 1. */
  | { readonly kind: 'm-of-n'; readonly m: number }
  /** At least `percent` per cent, 1-100, of the electorate, rounded up to whole members. */
  | { readonly kind: 'percentage'; readonly percent: number }
  | SubsetPolicy
  /** Every one of the policies, each among the same electorate; 2-16. */
  | { readonly kind: 'all-of'; readonly policies: readonly VotingPolicy[] }
  /** At least one of the policies, each among the same electorate; 2-16. */
  | { readonly kind: 'any-of'; readonly policies: readonly VotingPolicy[] };

/**
 * The votes of those alone who are named or have the role count, by a policy of their own. At least
 * one of `members` and `role` is there.
 */
export interface SubsetPolicy {
  readonly kind: 'subset';
  /** Actor ids, sorted. */
  readonly members?: readonly ActorId[];
  /** One of the actor's roles. */
  readonly role?: string;
  readonly policy: VotingPolicy;
}

/** The kinds a voting policy can be set for. */
export const votingPolicyKinds = ['default', ...actionNames] as const;

/** What a voting policy applies to: one kind of change, or every kind without its own. */
export type VotingPolicyKind = (typeof votingPolicyKinds)[number];

/** A policy for every kind of change: its own where set, else the default. */
export type VotingPolicies = { readonly default: VotingPolicy } & Readonly<
  Partial<Record<ActionName, VotingPolicy>>
>;

/** A member as votes are counted. */
export interface Voter {
  readonly actorId: ActorId;
  readonly roles: readonly string[];
}

/** Who may vote now, and who did: votes of anybody else are not counted. */
export interface Ballot {
  readonly voters: readonly Voter[];
  /** Actor ids. */
  readonly accepts: ReadonlySet<string>;
  /** Actor ids; none of them accepts too. */
  readonly rejects: ReadonlySet<string>;
}

/** What a count decides under one policy. */
export type Judgement = 'accepted' | 'rejected' | 'open';

/**
 * The policy that judges a kind of change. A recovered network is opened by a majority unless it was
 * agreed otherwise before: a default of unanimity must not leave it closed for whoever is lost.
 */
export const votingPolicyFor = (policies: VotingPolicies, kind: ActionName): VotingPolicy =>
  policies[kind] ?? (kind === 'open_network' ? { kind: 'majority' } : policies.default);

/**
 * Accepted once the policy holds even if all others reject; rejected once it does not hold even if
 * all others accept; open until then. Since accepts only ever help, these two decide for everything
 * that may come between them.
 */
export function judge(policy: VotingPolicy, { voters, accepts, rejects }: Ballot): Judgement {
  if (holds(policy, voters, ({ actorId }) => accepts.has(actorId))) return 'accepted';
  return holds(policy, voters, ({ actorId }) => !rejects.has(actorId)) ? 'open' : 'rejected';
}

/** Whether an electorate accepts. Nobody at all accepts nothing. */
function holds(
  policy: VotingPolicy,
  voters: readonly Voter[],
  accepts: (voter: Voter) => boolean,
): boolean {
  switch (policy.kind) {
    case 'subset':
      return holds(policy.policy, electorateOf(policy, voters), accepts);
    case 'all-of':
      return policy.policies.every((part) => holds(part, voters, accepts));
    case 'any-of':
      return policy.policies.some((part) => holds(part, voters, accepts));
    default:
      return (
        voters.length > 0 && voters.filter(accepts).length >= acceptsNeeded(policy, voters.length)
      );
  }
}

/** Whose votes a subset counts. */
function electorateOf({ members, role }: SubsetPolicy, voters: readonly Voter[]): Voter[] {
  const named = new Set(members);
  return voters.filter(
    ({ actorId, roles }) => named.has(actorId) || (role !== undefined && roles.includes(role)),
  );
}

/** Policies that count accepts, and nothing else. */
export type CountingPolicy = Exclude<VotingPolicy, { kind: 'subset' | 'all-of' | 'any-of' }>;

/** Accepts a policy needs of an electorate of so many. */
export function acceptsNeeded(policy: CountingPolicy, members: number): number {
  switch (policy.kind) {
    case 'unanimous':
      return members;
    case 'majority':
      return Math.floor(members / 2) + 1;
    case 'm-of-n':
      return policy.m;
    case 'percentage':
      return Math.ceil((members * policy.percent) / 100);
  }
}

/**
 * Refuses policies that the members could not meet if all of them accepted.
 * @throws GovernanceError UNSATISFIABLE_VOTING_POLICY with details.path
 */
export function requireSatisfiable(policies: VotingPolicies, voters: readonly Voter[]): void {
  for (const kind of votingPolicyKinds) {
    const policy = policies[kind];
    const path = policy && unmet(policy, voters, `votingPolicies.${kind}`);
    if (path === undefined) continue;
    throw new GovernanceError(
      'UNSATISFIABLE_VOTING_POLICY',
      `${path} could not be met if all ${voters.length} members accepted`,
      { kind, path, members: voters.length },
    );
  }
}

/** Where a policy could never be met; undefined when it can be. */
function unmet(policy: VotingPolicy, voters: readonly Voter[], path: string): string | undefined {
  if (holds(policy, voters, () => true)) return undefined;
  if (policy.kind === 'subset') {
    return unmet(policy.policy, electorateOf(policy, voters), `${path}.policy`);
  }
  if (policy.kind !== 'all-of') return path;
  const [first] = policy.policies.flatMap(
    (part, i) => unmet(part, voters, `${path}.policies[${i}]`) ?? [],
  );
  return first;
}

/**
 * Refuses policies that name anybody but a member: a vote nobody can cast would count for nothing,
 * and the rest would decide alone.
 * @throws GovernanceError UNSATISFIABLE_VOTING_POLICY with details.path and details.actorId
 */
export function requireNamedMembers(policies: VotingPolicies, voters: readonly Voter[]): void {
  const known = new Set<string>(voters.map(({ actorId }) => actorId));
  for (const kind of votingPolicyKinds) {
    const policy = policies[kind];
    for (const { actorId, path } of policy ? namesIn(policy, `votingPolicies.${kind}`) : []) {
      if (known.has(actorId)) continue;
      throw new GovernanceError(
        'UNSATISFIABLE_VOTING_POLICY',
        `${path} names ${actorId}, who is no member`,
        { kind, path, actorId },
      );
    }
  }
}

function namesIn(
  policy: VotingPolicy,
  path: string,
): { readonly actorId: ActorId; readonly path: string }[] {
  switch (policy.kind) {
    case 'subset': {
      const named = policy.members ?? [];
      const own = named.map((actorId, i) => ({ actorId, path: `${path}.members[${i}]` }));
      return [...own, ...namesIn(policy.policy, `${path}.policy`)];
    }
    case 'all-of':
    case 'any-of':
      return policy.policies.flatMap((part, i) => namesIn(part, `${path}.policies[${i}]`));
    default:
      return [];
  }
}
