import type { ActorId } from '@concordat/std';
import type { ActionName } from './action-names.ts';
import type { GovernanceErrorCode } from './errors.ts';
import { type Judgement, judge, type Voter, type VotingPolicy } from './voting-policy.ts';

/** One change, as proposed: JSON whose `args` the action of that name gives a meaning. */
export interface ProposedAction {
  readonly name: ActionName;
  readonly args: Readonly<Record<string, unknown>>;
}

/** How a vote was cast. */
export interface EarlierVote {
  readonly accept: boolean;
  /** Seconds since the Unix epoch when it was recorded. */
  readonly atSeconds: number;
  /** Id of the message that cast it; exactly one of this and `rule` is there. */
  readonly message?: string;
  /** Name of the automation rule that cast it. */
  readonly rule?: string;
}

/** A member's vote. */
export interface Vote extends EarlierVote {
  readonly actorId: ActorId;
  /** The votes it replaced, oldest first, at most 16. */
  readonly earlier?: readonly EarlierVote[];
}

/**
 * `open` until decided; `accepted` and in force; `rejected` by votes; `withdrawn` by its proposer;
 * `failed`: accepted by votes, but meanwhile impossible, so nothing of it took effect; `expired`: not
 * decided in its time; `superseded`: another proposal that set the same thing was accepted first.
 */
export type ProposalState = (typeof proposalStates)[number];

/** Every state of a proposal. */
export const proposalStates = [
  'open',
  'accepted',
  'rejected',
  'withdrawn',
  'failed',
  'expired',
  'superseded',
] as const;

/** The voting policy a kind of change is judged by. */
export interface Requirement {
  readonly kind: ActionName;
  readonly policy: VotingPolicy;
}

/** A proposal with what became of it. */
export interface Proposal {
  /** Hex SHA-256 of the COSE message that made it. */
  readonly proposalId: string;
  /** Sequence of that message among all governance messages, from 1. */
  readonly sequence: number;
  readonly proposer: ActorId;
  /** Seconds since the Unix epoch, as the proposer signed. */
  readonly createdAtSeconds: number;
  /** Seconds since the Unix epoch, when it was opened. */
  readonly openedAtSeconds: number;
  /**
   * Seconds since the Unix epoch when it ends undecided; absent without `proposalLifetime`, and where
   * that alone is to be changed.
   */
  readonly expiresAtSeconds?: number;
  readonly actions: readonly ProposedAction[];
  /** For each kind of change in it, the policy in force when it was opened: all must be met. */
  readonly requirements: readonly Requirement[];
  /** Members whose own accept it needs beside: rules in it would vote for them. Absent when there is none. */
  readonly consents?: readonly ActorId[];
  /** In the order they came, one a member; those of actors that stopped being members are dropped. */
  readonly votes: readonly Vote[];
  readonly state: ProposalState;
  /** Seconds since the Unix epoch, once it is no longer open. */
  readonly closedAtSeconds?: number;
  /** The proposal that was accepted before it. */
  readonly supersededBy?: string;
  /** Why it failed. */
  readonly failure?: { readonly code: GovernanceErrorCode; readonly message: string };
}

/**
 * Judges a proposal by its votes among the members of now: accepted only if every policy accepts, and
 * everybody whose consent it needs.
 */
export function judgeProposal(
  proposal: Pick<Proposal, 'proposer' | 'votes' | 'requirements' | 'consents'>,
  voters: readonly Voter[],
): Judgement {
  const idsOf = (accept: boolean): Set<string> =>
    new Set(proposal.votes.filter((vote) => vote.accept === accept).map(({ actorId }) => actorId));
  const ballot = { voters, accepts: idsOf(true), rejects: idsOf(false) };
  const judgements = proposal.requirements.map(({ policy }) => judge(policy, ballot));
  for (const actorId of proposal.consents ?? []) {
    if (!voters.some((voter) => voter.actorId === actorId)) judgements.push('rejected');
    else judgements.push(judgeConsent(proposal, actorId));
  }
  if (judgements.includes('rejected')) return 'rejected';
  return judgements.includes('open') ? 'open' : 'accepted';
}

/** Whoever proposes consents, unless it votes otherwise. */
function judgeConsent(
  { proposer, votes }: Pick<Proposal, 'proposer' | 'votes'>,
  actorId: ActorId,
): Judgement {
  const vote = votes.find((cast) => cast.actorId === actorId);
  if (!vote) return proposer === actorId ? 'accepted' : 'open';
  return vote.accept ? 'accepted' : 'rejected';
}
