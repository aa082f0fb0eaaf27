import type { TransactionSet } from '@concordat/kv';
import { applyActions, readActions } from './actions.ts';
import { keepProgram, requireFewPrograms } from './applications.ts';
import { automaticVotes, consentsTo, ownRulesRequirement } from './automatic-votes.ts';
import { GovernanceError } from './errors.ts';
import type { GovernanceMessage } from './message.ts';
import { defaultPolicy } from './policies.ts';
import type { Proposal, ProposedAction, Requirement } from './proposal.ts';
import { listAsOpen, proposalOf, settle } from './proposal-settling.ts';
import { readVotingPolicies } from './state.ts';
import type { Submission, Turn } from './submission.ts';
import { readRow, readRows, tables, writeRow } from './tables.ts';
import { votingPolicyFor } from './voting-policy.ts';

/** Open proposals one member may have. */
export const maxOpenProposals = 32;

/**
 * Opens a proposal under the voting policies of now (paper: Voting), and lets the members' rules
 * vote on it.
 * @throws GovernanceError of actions and laws; TOO_MANY_OPEN_PROPOSALS
 */
export function openProposal(
  set: TransactionSet,
  message: GovernanceMessage,
  turn: Turn,
): Submission {
  const actions = readActions(message.payload);
  requireFewProposals(set, message.signer);
  requireFewPrograms(set, message.signer, actions);
  if (turn.program !== undefined) keepProgram(set, turn.program, actions);
  // What could not take effect now is refused now, not after everyone has voted.
  const mark = set.checkpoint();
  applyActions(set, actions);
  set.revert(mark);
  const policies = readVotingPolicies(set);
  const kinds = [...new Set(actions.map(({ name }) => name))].sort();
  const requirements: Requirement[] = kinds.map((kind) => {
    const requirement = { kind, policy: votingPolicyFor(policies, kind) };
    return ownRulesRequirement(set, requirement, { proposer: message.signer, actions });
  });
  const consents = consentsTo(set, actions);
  const proposalId = message.messageId;
  const lifetime = Number(
    readRow(set, tables.policies, 'proposalLifetime') ?? defaultPolicy('proposalLifetime'),
  );
  const proposal: Proposal = {
    proposalId,
    sequence: turn.sequence,
    proposer: message.signer,
    createdAtSeconds: message.createdAtSeconds,
    openedAtSeconds: turn.nowSeconds,
    ...(lifetime > 0 && !isOfLifetime(actions) && { expiresAtSeconds: turn.nowSeconds + lifetime }),
    actions,
    requirements,
    ...(consents.length > 0 && { consents }),
    votes: [],
    state: 'open',
  };
  const votes = automaticVotes(set, proposal);
  writeRow(set, tables.proposals, proposalId, { ...proposal, votes });
  listAsOpen(set, proposal);
  const cast = votes.map(({ actorId, rule = '' }) => {
    return { kind: 'voted-automatically', proposalId, actorId, rule } as const;
  });
  // Without a vote nothing is decided yet: to propose is not to vote.
  const effects = votes.length > 0 ? settle(set, proposalId, turn.nowSeconds) : [];
  return {
    proposalId,
    state: proposalOf(set, proposalId).state,
    effects: [...cast, ...effects],
  };
}

/** A lifetime too short for anybody to vote in could never be changed if that expired as well. */
const isOfLifetime = (actions: readonly ProposedAction[]): boolean =>
  actions.every(
    ({ name, args }) =>
      (name === 'set_policy' || name === 'remove_policy') && args.name === 'proposalLifetime',
  );

function requireFewProposals(set: TransactionSet, proposer: string): void {
  let open = 0;
  for (const [, id] of readRows(set, tables.open)) {
    if (readRow(set, tables.proposals, id)?.proposer === proposer) open++;
  }
  if (open < maxOpenProposals) return;
  throw new GovernanceError(
    'TOO_MANY_OPEN_PROPOSALS',
    `a member has at most ${maxOpenProposals} open proposals: withdraw one first`,
  );
}
