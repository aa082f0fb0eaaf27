import { assert, type Height, type NodeId } from '@concordat/std';
import { tickRelays } from './broadcast.ts';
import type { Configuration, Entry, ProposalRefusalCode, Proposed } from './consensus.ts';
import { Progress } from './progress.ts';
import { configurationFault, maxVoters } from './quorum.ts';
import { confirmReads, startEarlyReads } from './reads.ts';
import { tickInstall } from './snapshot-send.ts';
import {
  advanceCommit,
  becomeFollower,
  configurationChanged,
  dropReception,
  isToStay,
  type RaftState,
  successorsKnow,
} from './state.ts';

/** Election timeouts of silence after which a removed node is no longer told of its removal. */
const forgetRetiringAfter = 100;

/** The election is won. */
export function startLeading(state: RaftState): void {
  state.role = 'leader';
  state.leader = state.self;
  state.votes.clear();
  state.progress.clear();
  state.heartbeatElapsed = 0;
  state.round = 0;
  state.transferee = undefined;
  state.committedInView = false;
  state.committedByAll = 0 as Height;
  state.acknowledgementOwed = false;
  dropReception(state);
  refreshPeers(state);
  state.outbox.changed();
}

/** Why a proposal would not be taken now; undefined when it would. */
export function proposalRefusal(
  state: RaftState,
  configuration: Configuration | undefined,
): ProposalRefusalCode | undefined {
  if (state.role !== 'leader') return 'NOT_LEADER';
  if (state.transferee !== undefined || !state.isVoter()) return 'TRANSFERRING';
  state.log.evict(state.committed);
  // The first entry of a view is always taken: what fills the log commits under it alone.
  if (state.log.full && state.log.lastView === state.view) return 'BUSY';
  if (configuration && configurationFault(configuration)) return 'INVALID_CONFIGURATION';
  if (configuration && state.configurations.pending) return 'CONFIGURATION_PENDING';
  return undefined;
}

/** Places a payload at the next height. */
export function propose(
  state: RaftState,
  payload: Uint8Array,
  configuration: Configuration | undefined,
): Proposed {
  const code = proposalRefusal(state, configuration);
  if (code !== undefined) return { ok: false, code };
  const { view } = state;
  const height = (state.log.lastHeight + 1) as Height;
  const entry: Entry = configuration
    ? { view, height, payload, configuration }
    : { view, height, payload };
  state.log.append(entry);
  state.outbox.append(entry);
  if (configuration) {
    state.configurations.append(height, configuration);
    configurationChanged(state);
    refreshPeers(state);
  }
  return { ok: true, view, height };
}

/** Feeds exactly the voters of every active configuration, the learners and the retiring. */
export function refreshPeers(state: RaftState): void {
  const { progress, configurations, learners, retiring, self } = state;
  const wanted = new Set([...configurations.voters, ...learners, ...retiring]);
  wanted.delete(self);
  for (const peer of progress.keys()) if (!wanted.has(peer)) progress.delete(peer);
  for (const peer of wanted) {
    if (!progress.has(peer)) {
      progress.set(peer, new Progress((state.log.lastHeight + 1) as Height, state.now));
    }
  }
}

/** Commits what a quorum of every active configuration holds durably. */
export function commitWhatIsDurable(state: RaftState): void {
  const { configurations, log, progress, self } = state;
  for (;;) {
    const height = configurations.quorumValue((voter) =>
      voter === self ? log.persistedHeight : (progress.get(voter)?.match ?? 0),
    ) as Height;
    // An entry of an earlier view is never committed by counting, only under one of this view:
    // Raft, 5.4.2 and figure 8.
    if (height <= state.committed || log.viewAt(height) !== state.view) break;
    const reconfigured = advanceCommit(state, height);
    if (!state.committedInView) {
      state.committedInView = true;
      startEarlyReads(state);
    }
    if (!reconfigured) break;
    refreshPeers(state);
  }
  noteCommittedByAll(state);
}

/** Tells the driver how far every voter has reported the commit. */
export function noteCommittedByAll(state: RaftState): void {
  let least: number = state.committed;
  if (least <= state.committedByAll) return;
  for (const voter of state.configurations.voters) {
    if (voter === state.self) continue;
    least = Math.min(least, state.progress.get(voter)?.committed ?? 0);
  }
  if (least <= state.committedByAll) return;
  state.committedByAll = least as Height;
  state.outbox.committedByAll(state.committedByAll);
}

/** Time passes for the leader. */
export function tickLeader(state: RaftState): void {
  const { options, progress, configurations, self, now } = state;
  for (const peer of progress.values()) peer.active = now - peer.heardAt < options.electionTicks;
  // Check-quorum, in every active configuration: a leader that cannot commit must not linger.
  if (
    !configurations.haveQuorum(
      'replication',
      (voter) => voter === self || progress.get(voter)?.active === true,
    )
  ) {
    becomeFollower(state, state.view, undefined);
    return;
  }
  state.heartbeatElapsed += 1;
  if (state.heartbeatElapsed >= options.heartbeatTicks) {
    state.heartbeatElapsed = 0;
    for (const peer of progress.values()) {
      peer.heartbeatDue = true;
      if (peer.install) tickInstall(peer.install);
    }
  }
  if (state.transferee !== undefined && now >= state.transferUntil) {
    state.transferee = undefined;
    state.outbox.changed();
  }
  tickRelays(state);
  tickRetirement(state);
  confirmReads(state);
}

function tickRetirement(state: RaftState): void {
  const removed = !state.isVoter();
  if ((state.retiring.size === 0 && !removed) || !successorsKnow(state)) return;
  const silence = forgetRetiringAfter * state.options.electionTicks;
  for (const peer of state.retiring) {
    const progress = state.progress.get(peer);
    if (progress && state.now - progress.heardAt > silence) forgetRetired(state, peer);
  }
  // A leader that was removed has led its removal to the end; now a successor takes over.
  if (removed && state.transferee === undefined) startTransfer(state, undefined);
}

/** A removed node knows, or has been silent for long: it is not fed any more. */
export function forgetRetired(state: RaftState, peer: NodeId): void {
  if (state.learners.has(peer)) isToStay(state, peer);
  else {
    state.retiring.delete(peer);
    state.progress.delete(peer);
  }
}

/** A node we do not feed campaigns: it voted once and was away when its removal was told. */
export function tellOfRemoval(state: RaftState, peer: NodeId): void {
  if (state.progress.has(peer) || state.retiring.size >= maxVoters) return;
  state.retiring.add(peer);
  refreshPeers(state);
}

/** Begins to hand over to a voter; proposals wait until it succeeds or an election timeout passes. */
export function startTransfer(state: RaftState, to: NodeId | undefined): boolean {
  if (state.role !== 'leader' || state.transferee !== undefined) return false;
  const target = to ?? mostAdvanced(state);
  if (target === undefined || !state.configurations.newest.configuration.voters.includes(target))
    return false;
  const progress = state.progress.get(target);
  if (!progress?.active) return false;
  state.transferee = target;
  state.transferUntil = state.now + state.options.electionTicks;
  state.outbox.changed();
  finishTransfer(state, target, progress);
  return true;
}

/** Once the successor holds the whole log it is told to campaign. */
export function finishTransfer(state: RaftState, peer: NodeId, progress: Progress): void {
  if (state.transferee !== peer || progress.match !== state.log.lastHeight) return;
  assert(state.role === 'leader', 'only a leader hands over');
  state.outbox.send(peer, { type: 'timeout-now', view: state.view });
}

function mostAdvanced(state: RaftState): NodeId | undefined {
  let best: NodeId | undefined;
  let bestMatch = -1;
  for (const voter of state.configurations.newest.configuration.voters) {
    const progress = state.progress.get(voter);
    if (progress?.active && progress.match > bestMatch) {
      best = voter;
      bestMatch = progress.match;
    }
  }
  return best;
}
