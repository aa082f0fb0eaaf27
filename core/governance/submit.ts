import { verifyCose } from '@concordat/crypto';
import type { ReadView, TransactionSet } from '@concordat/kv';
import { assert } from '@concordat/std';
import { applyActions, readActions } from './actions.ts';
import { actorPublicKey } from './actor.ts';
import { dropUnusedPrograms, keepProgram, requireFewPrograms } from './applications.ts';
import { canonicalJson } from './canonical-json.ts';
import { isMember } from './constitution.ts';
import type { GovernanceEffect } from './effects.ts';
import { GovernanceError } from './errors.ts';
import { Field } from './field.ts';
import { recordKeyExport } from './key-exports.ts';
import { recordHolderRotation } from './key-rotation.ts';
import { membersOf } from './members.ts';
import { decodeMessage, type GovernanceMessage } from './message.ts';
import { judgeProposal, type Proposal, type ProposalState, type Requirement } from './proposal.ts';
import { recordConsent } from './recovery.ts';
import { acceptOnce } from './replay.ts';
import { recordGiving } from './share-giving.ts';
import { networkInfo, readVotingPolicies } from './state.ts';
import {
  deleteRow,
  messagesTable,
  readRow,
  readRows,
  sequenceKey,
  tables,
  writeRow,
} from './tables.ts';
import { type Voter, votingPolicyFor } from './voting-policy.ts';

/** Open proposals one member may have. */
export const maxOpenProposals = 32;

/** What came of a message. */
export interface Submission {
  /** Hex, 32 bytes: the proposal it made, voted on or withdrew; of others its own id. */
  readonly proposalId: string;
  /** Where that proposal stands now. */
  readonly state: ProposalState;
  /** What took effect with this message, of every proposal it decided, in order. */
  readonly effects: readonly GovernanceEffect[];
}

/** What the caller knows. */
export interface SubmissionContext {
  /** The network's time, seconds since the Unix epoch. */
  readonly nowSeconds: number;
  /** The program that came with a proposal. */
  readonly program?: Uint8Array;
}

/**
 * Executes a signed governance message (paper: Voting). Its record, the vote, and whatever the
 * vote decides are writes of this one set. A refusal leaves the set as it was.
 * @throws GovernanceError of any code that concerns messages, proposals, actions or laws
 */
export function submitMessage(
  set: TransactionSet,
  bytes: Uint8Array,
  context: SubmissionContext,
): Submission {
  const mark = set.checkpoint();
  try {
    const message = decodeMessage(bytes);
    requireMember(set, message);
    acceptOnce(set, message, context.nowSeconds);
    const sequence = recordMessage(set, bytes);
    const submission = handle(set, message, { ...context, sequence });
    dropUnusedPrograms(set);
    return submission;
  } catch (error) {
    set.revert(mark);
    throw error;
  }
}

function requireMember(view: ReadView, message: GovernanceMessage): void {
  const { signer: actorId, networkId } = message;
  if (networkId !== networkInfo(view).networkId) {
    throw new GovernanceError('WRONG_NETWORK', 'the message was signed for another network', {
      networkId,
    });
  }
  const actor = readRow(view, tables.actors, actorId);
  if (!actor) {
    throw new GovernanceError('UNKNOWN_ACTOR', 'the signer is not in the membership list', {
      actorId,
    });
  }
  if (!verifyCose(message.cose, actorPublicKey(actor))) {
    throw new GovernanceError('BAD_SIGNATURE', "the signature is not that of the signer's key", {
      actorId,
    });
  }
  if (!isMember(actor)) {
    throw new GovernanceError('NOT_A_MEMBER', 'participants neither propose nor vote', { actorId });
  }
}

/** Keeps the message verbatim; its sequence, from 1. */
function recordMessage(set: TransactionSet, bytes: Uint8Array): number {
  const messages = set.table(messagesTable);
  let sequence = 1;
  for (const [key] of messages.range({ reverse: true, limit: 1 })) sequence = Number(key) + 1;
  messages.set(sequenceKey(sequence), Uint8Array.from(bytes));
  return sequence;
}

interface Turn extends SubmissionContext {
  readonly sequence: number;
}

function handle(set: TransactionSet, message: GovernanceMessage, turn: Turn): Submission {
  if (turn.program !== undefined && message.type !== 'proposal') {
    throw new GovernanceError('PROGRAM_MISMATCH', 'a program comes with a proposal only');
  }
  switch (message.type) {
    case 'proposal':
      return openProposal(set, message, turn);
    case 'vote':
      return recordVote(set, message, turn);
    case 'withdrawal':
      return withdraw(set, message, turn);
    case 'giving':
      return {
        proposalId: message.messageId,
        state: 'accepted',
        effects: recordGiving(set, message, turn.nowSeconds),
      };
    case 'recovery-consent':
      return {
        proposalId: message.messageId,
        state: 'accepted',
        effects: recordConsent(set, message, turn.nowSeconds),
      };
    case 'key-export':
      return {
        proposalId: message.messageId,
        state: 'accepted',
        effects: recordKeyExport(set, message, turn.nowSeconds),
      };
    case 'holder-rotation':
      return {
        proposalId: message.messageId,
        state: 'accepted',
        effects: recordHolderRotation(set, message, turn.nowSeconds),
      };
  }
}

function openProposal(set: TransactionSet, message: GovernanceMessage, turn: Turn): Submission {
  const actions = readActions(message.payload);
  let open = 0;
  for (const [, id] of readRows(set, tables.open)) {
    if (readRow(set, tables.proposals, id)?.proposer === message.signer) open++;
  }
  if (open >= maxOpenProposals) {
    throw new GovernanceError(
      'TOO_MANY_OPEN_PROPOSALS',
      `a member has at most ${maxOpenProposals} open proposals: withdraw one first`,
    );
  }
  requireFewPrograms(set, message.signer, actions);
  if (turn.program !== undefined) keepProgram(set, turn.program, actions);
  // What could not take effect now is refused now, not after everyone has voted.
  const mark = set.checkpoint();
  applyActions(set, actions);
  set.revert(mark);
  const policies = readVotingPolicies(set);
  const kinds = [...new Set(actions.map(({ name }) => name))].sort();
  const requirements: Requirement[] = kinds.map((kind) => {
    return { kind, policy: votingPolicyFor(policies, kind) };
  });
  const proposalId = message.messageId;
  writeRow(set, tables.proposals, proposalId, {
    proposalId,
    sequence: turn.sequence,
    proposer: message.signer,
    createdAtSeconds: message.createdAtSeconds,
    openedAtSeconds: turn.nowSeconds,
    actions,
    requirements,
    votes: [],
    state: 'open',
  });
  writeRow(set, tables.open, sequenceKey(turn.sequence), proposalId);
  return { proposalId, state: 'open', effects: [] };
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

function recordVote(set: TransactionSet, message: GovernanceMessage, turn: Turn): Submission {
  const payload = new Field(message.payload, 'payload', 'MALFORMED_MESSAGE').only(['accept']);
  const accept = payload.at('accept').boolean();
  const proposal = requireOpen(set, message.proposalId);
  const { proposalId } = proposal;
  const { signer: actorId } = message;
  if (proposal.votes.some((vote) => vote.actorId === actorId)) {
    throw new GovernanceError('ALREADY_VOTED', 'each member gets one vote', { proposalId });
  }
  const vote = { actorId, accept, atSeconds: turn.nowSeconds };
  writeRow(set, tables.proposals, proposalId, {
    ...proposal,
    votes: [...proposal.votes, vote],
  });
  const effects = settle(set, proposalId, turn.nowSeconds);
  return { proposalId, state: stateOf(set, proposalId), effects };
}

const stateOf = (view: ReadView, proposalId: string): ProposalState => {
  const proposal = readRow(view, tables.proposals, proposalId);
  assert(proposal !== undefined, 'a proposal vanished');
  return proposal.state;
};

function withdraw(set: TransactionSet, message: GovernanceMessage, turn: Turn): Submission {
  new Field(message.payload, 'payload', 'MALFORMED_MESSAGE').only([]);
  const proposal = requireOpen(set, message.proposalId);
  const { proposalId } = proposal;
  if (proposal.proposer !== message.signer) {
    throw new GovernanceError('NOT_THE_PROPOSER', 'only its proposer withdraws a proposal', {
      proposalId,
    });
  }
  close(set, proposal, { state: 'withdrawn', closedAtSeconds: turn.nowSeconds });
  return { proposalId, state: 'withdrawn', effects: [] };
}

function close(
  set: TransactionSet,
  proposal: Proposal,
  end: Pick<Proposal, 'state' | 'closedAtSeconds' | 'failure'>,
): void {
  writeRow(set, tables.proposals, proposal.proposalId, { ...proposal, ...end });
  deleteRow(set, tables.open, sequenceKey(proposal.sequence));
}

/**
 * Judges one proposal. If that changes who the members are, or their roles, votes of those removed are dropped
 * and all open proposals are judged anew, oldest first, until nothing more is decided.
 */
function settle(set: TransactionSet, proposalId: string, nowSeconds: number): GovernanceEffect[] {
  const effects: GovernanceEffect[] = [];
  let pending = [proposalId];
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    const before = canonicalJson(votersOf(set));
    effects.push(...decide(set, next, nowSeconds));
    const voters = votersOf(set);
    if (canonicalJson(voters) === before) continue;
    dropVotes(set, new Set(voters.map(({ actorId }) => actorId)));
    pending = Array.from(readRows(set, tables.open), ([, id]) => id);
  }
  return effects;
}

/** Who votes, with the roles that voting policies may name. */
const votersOf = (view: ReadView): Voter[] =>
  membersOf(view).map(({ actorId, roles }) => ({ actorId, roles }));

function decide(
  set: TransactionSet,
  proposalId: string,
  closedAtSeconds: number,
): readonly GovernanceEffect[] {
  const proposal = readRow(set, tables.proposals, proposalId);
  assert(proposal?.state === 'open', 'a decided proposal is judged again');
  const judgement = judgeProposal(proposal, votersOf(set));
  if (judgement === 'open') return [];
  if (judgement === 'rejected') {
    close(set, proposal, { state: 'rejected', closedAtSeconds });
    return [];
  }
  const mark = set.checkpoint();
  try {
    const effects = applyActions(set, proposal.actions);
    close(set, proposal, { state: 'accepted', closedAtSeconds });
    return effects;
  } catch (error) {
    if (!(error instanceof GovernanceError)) throw error;
    set.revert(mark);
    const failure = { code: error.code, message: error.message };
    close(set, proposal, { state: 'failed', closedAtSeconds, failure });
    return [];
  }
}

function dropVotes(set: TransactionSet, members: ReadonlySet<string>): void {
  for (const [, id] of [...readRows(set, tables.open)]) {
    const proposal = readRow(set, tables.proposals, id);
    assert(proposal !== undefined, 'an open proposal vanished');
    const votes = proposal.votes.filter((vote) => members.has(vote.actorId));
    if (votes.length === proposal.votes.length) continue;
    writeRow(set, tables.proposals, id, { ...proposal, votes });
  }
}
