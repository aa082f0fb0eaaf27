import type { NodeId, View } from '@concordat/std';
import type { Refusal } from './consensus.ts';
import { startLeading, tellOfRemoval } from './leader.ts';
import type { LogPosition, TimeoutNow, VoteRequest, VoteResponse } from './message.ts';
import {
  becomeFollower,
  committedPosition,
  enterView,
  learnCommit,
  type RaftState,
  resetElectionTimeout,
} from './state.ts';

/** Time passes for a node that does not lead. */
export function tickElection(state: RaftState): void {
  state.electionElapsed += 1;
  if (state.electionElapsed < state.electionTimeout) return;
  if (state.restoring) {
    resetElectionTimeout(state);
    return;
  }
  if (state.isVoter()) {
    startPreVote(state);
    return;
  }
  resetElectionTimeout(state);
  // Not a campaign: a leader that gets this from a removed node tells it that it may go.
  if (state.removed && !state.retired) requestVotes(state, true);
  else if (!state.retired && state.committed > 0) tellWhatIsCommitted(state);
  if (state.leader === undefined) return;
  state.leader = undefined;
  state.outbox.changed();
}

/**
 * The connection to this peer broke. If it leads and was alive, a heartbeat would come by another
 * one; after that the voters ask in the order of their ids, a heartbeat apart, so that two of them
 * do not halve the votes. A pre-vote that the others refuse, because they hear the leader, changes
 * nothing.
 */
export function leaderMayBeGone(state: RaftState, peer: NodeId): void {
  if (state.role !== 'follower' || state.leader !== peer || state.leaderLost) return;
  state.leaderLost = true;
  let turn = 1;
  for (const voter of state.configurations.voters) {
    if (voter !== peer && voter < state.self) turn += 1;
  }
  const silence = state.electionElapsed + turn * state.options.heartbeatTicks + 1;
  state.electionTimeout = Math.min(state.electionTimeout, silence);
}

/** Asks whether a campaign could succeed, without entering a new view (thesis, 9.6). */
function startPreVote(state: RaftState): void {
  resetElectionTimeout(state);
  state.role = 'pre-candidate';
  state.leader = undefined;
  state.votes.clear();
  state.votes.add(state.self);
  state.outbox.changed();
  if (state.configurations.haveQuorum('election', (voter) => state.votes.has(voter)))
    campaign(state);
  else requestVotes(state, true);
}

/** Enters a new view, votes for itself and asks for the votes of all. */
function campaign(state: RaftState): void {
  resetElectionTimeout(state);
  state.role = 'candidate';
  state.leader = undefined;
  enterView(state, (state.view + 1) as View, state.self);
  state.votes.clear();
  state.votes.add(state.self);
  state.outbox.changed();
  if (state.configurations.haveQuorum('election', (voter) => state.votes.has(voter)))
    startLeading(state);
  else requestVotes(state, false);
}

function requestVotes(state: RaftState, pre: boolean): void {
  const request: VoteRequest = {
    type: 'vote-request',
    view: (pre ? state.view + 1 : state.view) as View,
    pre,
    last: { height: state.log.lastHeight, view: state.log.lastView },
    committed: committedPosition(state),
  };
  for (const voter of state.configurations.voters) {
    if (voter === state.self) continue;
    if (pre) state.outbox.send(voter, request);
    else state.outbox.sendAfterHardState(voter, request);
  }
}

/**
 * A learner that hears no leader may be the last to know that a reconfiguration is committed, and
 * with it that voters who are gone are needed no longer: a refusal nobody asked for tells it.
 */
function tellWhatIsCommitted(state: RaftState): void {
  const answer = { view: 0 as View, pre: true, granted: false };
  for (const voter of state.configurations.voters) {
    state.outbox.send(voter, voteResponse(state, answer));
  }
}

/** Handles a request for a vote. Learners and retiring nodes answer as well: candidates may count them. */
export function handleVoteRequest(state: RaftState, from: NodeId, request: VoteRequest): undefined {
  learnCommit(state, request.committed);
  if (state.role === 'leader') tellOfRemoval(state, from);
  if (request.pre) {
    const granted = wouldVote(state, request);
    const view = granted ? request.view : state.view;
    state.outbox.send(from, voteResponse(state, { view, pre: true, granted }));
    return;
  }
  if (request.view > state.view) becomeFollower(state, request.view, undefined);
  const granted =
    request.view === state.view &&
    (state.votedFor === undefined ? state.leader === undefined : state.votedFor === from) &&
    isUpToDate(state, request.last);
  const response = voteResponse(state, { view: state.view, pre: false, granted });
  if (!granted) {
    state.outbox.send(from, response);
    return;
  }
  if (state.votedFor === undefined) {
    state.votedFor = from;
    state.outbox.hardState(state.view, from);
  }
  resetElectionTimeout(state);
  state.outbox.sendAfterHardState(from, response);
}

/** Handles a vote, a refusal or the like in a pre-vote. */
export function handleVoteResponse(
  state: RaftState,
  from: NodeId,
  response: VoteResponse,
): Refusal | undefined {
  learnCommit(state, response.committed);
  if (response.view > state.view && !(response.pre && response.granted)) {
    becomeFollower(state, response.view, undefined);
    return undefined;
  }
  const asked = (response.pre ? state.view + 1 : state.view) as View;
  const role = response.pre ? 'pre-candidate' : 'candidate';
  if (response.view === 0 && !response.granted && state.role !== role) return undefined;
  if (state.role !== role || (response.granted && response.view !== asked)) {
    return { code: 'UNEXPECTED', message: `vote response to a ${state.role}` };
  }
  if (response.granted) state.votes.add(from);
  // Even a refusal may have taught us a commit, and with it that fewer configurations count.
  if (state.configurations.haveQuorum('election', (voter) => state.votes.has(voter))) {
    if (response.pre) campaign(state);
    else startLeading(state);
  }
  return undefined;
}

/** Handles the leader's request to take over: campaigns at once, without asking whether it could. */
export function handleTimeoutNow(
  state: RaftState,
  from: NodeId,
  message: TimeoutNow,
): Refusal | undefined {
  if (message.view < state.view)
    return { code: 'STALE_VIEW', message: 'stale leadership transfer' };
  if (message.view > state.view || state.leader !== from || !state.isVoter() || state.restoring) {
    return { code: 'UNEXPECTED', message: 'leadership transfer from a node that does not lead us' };
  }
  campaign(state);
  return undefined;
}

function voteResponse(
  state: RaftState,
  answer: { view: View; pre: boolean; granted: boolean },
): VoteResponse {
  return { type: 'vote-response', ...answer, committed: committedPosition(state) };
}

/** A pre-vote changes nothing here. It is refused while a leader is heard, so nobody disturbs it. */
function wouldVote(state: RaftState, request: VoteRequest): boolean {
  if (request.view <= state.view || state.role === 'leader') return false;
  const { electionTicks, heartbeatTicks } = state.options;
  const patience = state.leaderLost ? heartbeatTicks : electionTicks;
  const hearsLeader = state.leader !== undefined && state.electionElapsed < patience;
  return !hearsLeader && isUpToDate(state, request.last);
}

/** Whether a log that ends there has everything ours may have committed. Raft, 5.4.1. */
function isUpToDate(state: RaftState, last: LogPosition): boolean {
  const { lastView, lastHeight } = state.log;
  return last.view > lastView || (last.view === lastView && last.height >= lastHeight);
}
