import type { Height, NodeId } from '@concordat/std';
import { appendOf } from './append-of.ts';
import { distribute } from './broadcast.ts';
import type { Entry, Refusal } from './consensus.ts';
import {
  commitWhatIsDurable,
  finishTransfer,
  forgetRetired,
  noteCommittedByAll,
} from './leader.ts';
import type { AppendResponse } from './message.ts';
import type { Progress } from './progress.ts';
import { confirmReads, openReadRound } from './reads.ts';

import { driveInstall, isOvertaken, startInstall, wantsSnapshot } from './snapshot-send.ts';
import { becomeFollower, type RaftState, successorsKnow } from './state.ts';

/** Sends every peer what it lacks, as far as flow control allows. */
export function replicate(state: RaftState): void {
  openReadRound(state);
  distribute(state);
  const retire = state.retiring.size > 0 && successorsKnow(state);
  for (const [peer, progress] of state.progress) {
    if (!progress.install) replicateTo(state, peer, progress);
    if (progress.install) driveInstall(state, peer, progress.install);
    // Told before it knows of its removal, it would take no notice, and be taken for told.
    const knows = progress.committed >= state.configurations.oldest.height;
    if (retire && knows && progress.retireRound === 0 && state.retiring.has(peer)) {
      state.round += 1;
      progress.retireRound = state.round;
      sendAppend(state, peer, progress, []);
    }
    const tellable = Math.min(state.committed, progress.next - 1);
    const commitDue = !progress.probing && tellable > progress.toldCommitted;
    if (progress.heartbeatDue || commitDue) sendAppend(state, peer, progress, []);
  }
}

function replicateTo(state: RaftState, peer: NodeId, progress: Progress): void {
  const { log, options } = state;
  if (wantsSnapshot(state, progress, 'at hand')) {
    startInstall(state, progress);
    return;
  }
  for (;;) {
    if (progress.probing) {
      // While it is unanswered only heartbeats repeat it, empty: a slow peer is not buried.
      if (progress.probeSent) return;
    } else if (progress.inflight >= options.maxInflightAppends) return;
    if (progress.next > log.lastHeight) {
      // Nothing to send: a new peer is probed with an empty append, which is also a heartbeat.
      if (progress.probing) sendAppend(state, peer, progress, []);
      return;
    }
    if (progress.next < log.memoryFrom) {
      if (!progress.fetching && state.now >= progress.fetchFrom) {
        progress.fetching = true;
        state.outbox.fetch(peer, progress.next, options.maxAppendBytes);
      }
      return;
    }
    sendAppend(state, peer, progress, log.slice(progress.next, options.maxAppendBytes));
    if (progress.probing) return;
  }
}

/** The driver answered a fetch with entries from disk. */
export function provide(state: RaftState, peer: NodeId, entries: readonly Entry[]): void {
  const progress = state.progress.get(peer);
  if (!progress?.fetching) return;
  progress.fetching = false;
  let height: Height = progress.next;
  for (const entry of entries) {
    if (entry.height !== height || state.log.viewAt(height) !== entry.view) break;
    height = (height + 1) as Height;
  }
  if (height === progress.next) {
    if (wantsSnapshot(state, progress, 'missing')) startInstall(state, progress);
    else progress.fetchFrom = state.now + state.options.heartbeatTicks;
    return;
  }
  const usable = height - progress.next;
  sendAppend(state, peer, progress, entries.length === usable ? entries : entries.slice(0, usable));
}

function sendAppend(
  state: RaftState,
  to: NodeId,
  progress: Progress,
  entries: readonly Entry[],
): void {
  const append = appendOf(state, progress.next, entries, progress.retireRound > 0);
  state.outbox.send(to, append);
  const tail = (append.previous.height + entries.length) as Height;
  progress.via = undefined;
  progress.heartbeatDue = false;
  progress.toldCommitted = Math.min(append.committed, tail) as Height;
  if (entries.length > 0 || progress.probing) progress.sent(tail);
}

/** Handles a peer's answer to an append. */
export function handleAppendResponse(
  state: RaftState,
  from: NodeId,
  response: AppendResponse,
): Refusal | undefined {
  if (response.view > state.view) {
    becomeFollower(state, response.view, undefined);
    return undefined;
  }
  if (response.view < state.view || state.role !== 'leader') {
    return { code: 'STALE_VIEW', message: `append response of view ${response.view}` };
  }
  const progress = state.progress.get(from);
  if (!progress)
    return { code: 'UNKNOWN_PEER', message: 'append response of a node we do not feed' };
  if (response.received > state.log.lastHeight || response.match > response.received) {
    return { code: 'MALFORMED', message: `acknowledges ${response.received} beyond the log` };
  }
  // Any answer counts for check-quorum, a NACK too: a long search for agreement is not silence.
  progress.heardAt = state.now;
  progress.active = true;
  if (response.round > progress.round) progress.round = response.round;
  if (response.committed > progress.committed) progress.committed = response.committed;

  if (isOvertaken(progress)) progress.install = undefined;
  if (response.rejected) backOff(state, progress, response);
  else {
    const matchBefore = progress.match;
    progress.acknowledged(response.match, response.received);
    if (progress.match > matchBefore) {
      if (progress.match > state.committed) commitWhatIsDurable(state);
      finishTransfer(state, from, progress);
    }
  }
  noteCommittedByAll(state);
  confirmReads(state);
  const { retireRound } = progress;
  const told = !response.rejected && retireRound > 0 && response.round >= retireRound;
  if (told && progress.committed >= state.configurations.oldest.height) forgetRetired(state, from);
  return undefined;
}

/** Goes back to the last position both logs may share: one round trip a view, not an entry. */
function backOff(
  state: RaftState,
  progress: Progress,
  { rejected, received }: AppendResponse,
): void {
  if (!rejected) return;
  const from = Math.min(rejected.estimate.height, state.log.lastHeight) as Height;
  const shared = state.log.lastNotAbove(rejected.estimate.view, from);
  progress.rejected(rejected.previousHeight, (shared + 1) as Height, received);
}
