import type { ReadView, TransactionSet } from '@concordat/kv';
import { GovernanceError } from './errors.ts';
import { Field } from './field.ts';
import type { GovernanceMessage } from './message.ts';
import type { EarlierVote, Proposal, Vote } from './proposal.ts';
import { closeProposal, proposalOf, settle } from './proposal-settling.ts';
import { createdAtOf } from './replay.ts';
import type { Submission, Turn } from './submission.ts';
import { readRow, tables, writeRow } from './tables.ts';

/** Times a member may change its vote on one proposal. */
export const maxVoteChanges = 16;

/**
 * Counts a member's vote: its first, or another one in place of it while the proposal is open.
 * @throws GovernanceError PROPOSAL_NOT_FOUND, PROPOSAL_NOT_OPEN, ALREADY_VOTED, OLDER_VOTE,
 *   VOTE_CHANGE_LIMIT
 */
export function recordVote(
  set: TransactionSet,
  message: GovernanceMessage,
  turn: Turn,
): Submission {
  const payload = new Field(message.payload, 'payload', 'MALFORMED_MESSAGE').only(['accept']);
  const accept = payload.at('accept').boolean();
  const proposal = requireOpen(set, message.proposalId);
  const { proposalId } = proposal;
  const vote = { actorId: message.signer, accept, atSeconds: turn.nowSeconds };
  const known = proposal.votes.find(({ actorId }) => actorId === vote.actorId);
  if (known?.accept === !accept) requireNewer(set, message, known);
  const earlier = known && replacing(known, { accept, proposalId });
  const others = proposal.votes.filter((other) => other !== known);
  const cast: Vote = { ...vote, message: message.messageId, ...(earlier && { earlier }) };
  writeRow(set, tables.proposals, proposalId, { ...proposal, votes: [...others, cast] });
  const effects = settle(set, proposalId, turn.nowSeconds);
  return { proposalId, state: proposalOf(set, proposalId).state, effects };
}

/**
 * A vote that somebody held back does not undo what its member decided later. One that stands, and
 * was signed before all that is remembered of its signer, is older than any that is accepted.
 */
function requireNewer(view: ReadView, message: GovernanceMessage, known: Vote): void {
  if (known.message === undefined) return;
  const signedAt = createdAtOf(view, message.signer, known.message);
  if (signedAt === undefined || message.createdAtSeconds >= signedAt) return;
  throw new GovernanceError('OLDER_VOTE', 'the member voted otherwise after it signed this', {
    createdAtSeconds: message.createdAtSeconds,
    standing: signedAt,
  });
}

/** What a member's votes were before the one it casts now. */
function replacing(
  known: Vote,
  { accept, proposalId }: { readonly accept: boolean; readonly proposalId: string },
): readonly EarlierVote[] {
  // A member may take over what its rule did, to the same effect.
  if (known.accept === accept && known.rule === undefined) {
    throw new GovernanceError('ALREADY_VOTED', 'the member has voted so already', { proposalId });
  }
  const { actorId: _, earlier = [], ...last } = known;
  if (earlier.length >= maxVoteChanges) {
    throw new GovernanceError(
      'VOTE_CHANGE_LIMIT',
      `a member changes its vote at most ${maxVoteChanges} times`,
      { proposalId },
    );
  }
  return [...earlier, last];
}

/**
 * Takes a proposal back.
 * @throws GovernanceError PROPOSAL_NOT_FOUND, PROPOSAL_NOT_OPEN, NOT_THE_PROPOSER
 */
export function withdraw(set: TransactionSet, message: GovernanceMessage, turn: Turn): Submission {
  new Field(message.payload, 'payload', 'MALFORMED_MESSAGE').only([]);
  const proposal = requireOpen(set, message.proposalId);
  const { proposalId } = proposal;
  if (proposal.proposer !== message.signer) {
    throw new GovernanceError('NOT_THE_PROPOSER', 'only its proposer withdraws a proposal', {
      proposalId,
    });
  }
  closeProposal(set, proposal, { state: 'withdrawn', closedAtSeconds: turn.nowSeconds });
  return { proposalId, state: 'withdrawn', effects: [] };
}

function requireOpen(view: ReadView, proposalId: string): Proposal {
  const proposal = readRow(view, tables.proposals, proposalId);
  if (!proposal) {
    throw new GovernanceError('PROPOSAL_NOT_FOUND', 'no such proposal', { proposalId });
  }
  if (proposal.state !== 'open') {
    throw new GovernanceError('PROPOSAL_NOT_OPEN', `the proposal is ${proposal.state}`, {
      proposalId,
      state: proposal.state,
    });
  }
  return proposal;
}
