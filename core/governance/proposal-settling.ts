import type { ReadView, TransactionSet } from '@concordat/kv';
import { assert } from '@concordat/std';
import { applyActions } from './actions.ts';
import { dropUnusedPrograms } from './applications.ts';
import { canonicalJson } from './canonical-json.ts';
import { isOvertaken } from './competing.ts';
import type { GovernanceEffect } from './effects.ts';
import { GovernanceError } from './errors.ts';
import { membersOf } from './members.ts';
import { judgeProposal, type Proposal } from './proposal.ts';
import { deleteRow, readRow, readRows, sequenceKey, tables, writeRow } from './tables.ts';
import type { Voter } from './voting-policy.ts';

/** How a proposal ends. */
type End = Pick<Proposal, 'state' | 'closedAtSeconds' | 'failure' | 'supersededBy'>;

/**
 * Judges one proposal. If that changes who the members are, or their roles, votes of those who are
 * none any more are dropped and all open proposals are judged anew, oldest first, until nothing more
 * is decided.
 */
export function settle(
  set: TransactionSet,
  proposalId: string,
  nowSeconds: number,
): GovernanceEffect[] {
  const effects: GovernanceEffect[] = [];
  let pending = [proposalId];
  let voters = votersOf(set);
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    const proposal = proposalOf(set, next);
    if (proposal.state !== 'open') continue;
    effects.push(...decide(set, { proposal, voters, closedAtSeconds: nowSeconds }));
    // Only what took effect may have changed them: with hundreds open, reading them each time is slow.
    if (proposalOf(set, next).state !== 'accepted') continue;
    const before = canonicalJson(voters);
    voters = votersOf(set);
    if (canonicalJson(voters) === before) continue;
    dropVotes(set, new Set(voters.map(({ actorId }) => actorId)));
    pending = openProposalIds(set);
  }
  return effects;
}

/** Who votes, with the roles that voting policies may name. */
const votersOf = (view: ReadView): Voter[] =>
  membersOf(view).map(({ actorId, roles }) => ({ actorId, roles }));

const openProposalIds = (view: ReadView): string[] =>
  Array.from(readRows(view, tables.open), ([, id]) => id);

/** A proposal that is there. */
export function proposalOf(view: ReadView, proposalId: string): Proposal {
  const proposal = readRow(view, tables.proposals, proposalId);
  assert(proposal !== undefined, 'a proposal vanished');
  return proposal;
}

/** Ends a proposal: nobody votes on it any more. */
export function closeProposal(set: TransactionSet, proposal: Proposal, end: End): void {
  writeRow(set, tables.proposals, proposal.proposalId, { ...proposal, ...end });
  deleteRow(set, tables.open, sequenceKey(proposal.sequence));
  const key = expiryKey(proposal);
  if (key !== undefined) deleteRow(set, tables.expiries, key);
}

/** Lists a proposal that was just written as open. */
export function listAsOpen(set: TransactionSet, proposal: Proposal): void {
  writeRow(set, tables.open, sequenceKey(proposal.sequence), proposal.proposalId);
  const key = expiryKey(proposal);
  if (key !== undefined) writeRow(set, tables.expiries, key, proposal.proposalId);
}

/** By when, then by sequence, so that the next one to expire is the first row. */
const expiryKey = ({ expiresAtSeconds: end, sequence }: Proposal): string | undefined =>
  end === undefined ? undefined : `${String(end).padStart(16, '0')}:${sequenceKey(sequence)}`;

interface Question {
  readonly proposal: Proposal;
  /** Of now. */
  readonly voters: readonly Voter[];
  readonly closedAtSeconds: number;
}

function decide(
  set: TransactionSet,
  { proposal, voters, closedAtSeconds }: Question,
): readonly GovernanceEffect[] {
  const judgement = judgeProposal(proposal, voters);
  if (judgement === 'open') return [];
  if (judgement === 'rejected') {
    closeProposal(set, proposal, { state: 'rejected', closedAtSeconds });
    return [];
  }
  const mark = set.checkpoint();
  try {
    const effects = applyActions(set, proposal.actions);
    closeProposal(set, proposal, { state: 'accepted', closedAtSeconds });
    return [...effects, ...supersede(set, proposal, closedAtSeconds)];
  } catch (error) {
    if (!(error instanceof GovernanceError)) throw error;
    set.revert(mark);
    const failure = { code: error.code, message: error.message };
    closeProposal(set, proposal, { state: 'failed', closedAtSeconds, failure });
    return [];
  }
}

/** Ends the open proposals that would overwrite what was just agreed on, voted on in ignorance of it. */
function supersede(
  set: TransactionSet,
  accepted: Proposal,
  closedAtSeconds: number,
): GovernanceEffect[] {
  const effects: GovernanceEffect[] = [];
  for (const proposalId of openProposalIds(set)) {
    const other = proposalOf(set, proposalId);
    if (!isOvertaken(other.actions, accepted.actions)) continue;
    const supersededBy = accepted.proposalId;
    closeProposal(set, other, { state: 'superseded', closedAtSeconds, supersededBy });
    effects.push({ kind: 'proposal-superseded', proposalId, by: supersededBy });
  }
  return effects;
}

function dropVotes(set: TransactionSet, members: ReadonlySet<string>): void {
  for (const id of openProposalIds(set)) {
    const proposal = proposalOf(set, id);
    const votes = proposal.votes.filter((vote) => members.has(vote.actorId));
    if (votes.length === proposal.votes.length) continue;
    writeRow(set, tables.proposals, id, { ...proposal, votes });
  }
}

/** Whether an open proposal has outlived what `proposalLifetime` gave it when it was opened. */
export function isExpiryDue(view: ReadView, nowSeconds: number): boolean {
  for (const [key] of view.table(tables.expiries.table).range({ limit: 1 })) {
    return Number(key.slice(0, 16)) <= nowSeconds;
  }
  return false;
}

/**
 * Ends the open proposals whose time is over. It happens before each governance message, and in a
 * transaction of its own that whoever leads adds when no message comes.
 * @param nowSeconds the network's time, seconds since the Unix epoch
 */
export function expireProposals(set: TransactionSet, nowSeconds: number): GovernanceEffect[] {
  const effects: GovernanceEffect[] = [];
  if (!isExpiryDue(set, nowSeconds)) return effects;
  for (const [key, proposalId] of [...readRows(set, tables.expiries)]) {
    if (Number(key.slice(0, 16)) > nowSeconds) break;
    const end = { state: 'expired', closedAtSeconds: nowSeconds } as const;
    closeProposal(set, proposalOf(set, proposalId), end);
    effects.push({ kind: 'proposal-expired', proposalId });
  }
  dropUnusedPrograms(set);
  return effects;
}
