import type { Height, NodeId } from '@concordat/std';
import { appendOf } from './append-of.ts';
import { directDistribution } from './distribution.ts';
import type { Append, Relay } from './message.ts';
import type { Progress } from './progress.ts';
import type { RaftState } from './state.ts';

/** Heartbeats without an answer after which a peer is neither relied on nor reached by others. */
const silentHeartbeats = 2;
/** Election timeouts for which a peer is not relied on after others heard nothing through it. */
const distrustedFor = 10;

type Member = readonly [NodeId, Progress];

/**
 * Sends what several peers need alike down the distribution's branches. What is left is sent by
 * the leader itself: to peers that are searched, behind, silent, leaving, or alone in what they lack.
 */
export function distribute(state: RaftState): void {
  if (state.distribution === directDistribution || state.progress.size < 2) return;
  const groups = new Map<Height, Member[]>();
  for (const [peer, progress] of state.progress) {
    if (!isReliable(state, peer, progress)) continue;
    const group = groups.get(progress.next);
    if (group) group.push([peer, progress]);
    else groups.set(progress.next, [[peer, progress]]);
  }
  for (const group of groups.values()) sendEntries(state, group);
}

/** Leader: a peer that heard nothing through another is fed directly, and that other one less relied on. */
export function tickRelays(state: RaftState): void {
  for (const [peer, progress] of state.progress) {
    if (progress.via === undefined || !isSilent(state, progress)) continue;
    const via = progress.via === peer ? undefined : state.progress.get(progress.via);
    if (via && !isSilent(state, via)) {
      via.relayFrom = state.now + distrustedFor * state.options.electionTicks;
    }
    progress.via = undefined;
    progress.heartbeatDue = true;
  }
}

/** Sends the entries that a group lacks, then what is due beside them. */
function sendEntries(state: RaftState, group: readonly Member[]): void {
  const { log, options } = state;
  let members = group;
  for (;;) {
    const next = members[0]?.[1].next as Height;
    if (next > log.lastHeight) break;
    members = members.filter(([, { inflight }]) => inflight < options.maxInflightAppends);
    if (members.length < 2 || next < log.memoryFrom) return;
    sendDown(state, members, appendOf(state, next, log.slice(next, options.maxAppendBytes)));
  }
  const due = members.filter(([, progress]) => {
    const tellable = Math.min(state.committed, progress.next - 1);
    return progress.heartbeatDue || tellable > progress.toldCommitted;
  });
  if (due.length < 2) return;
  sendDown(state, due, appendOf(state, (due[0] as Member)[1].next, []));
}

function sendDown(state: RaftState, members: readonly Member[], append: Append): void {
  const tail = (append.previous.height + append.entries.length) as Height;
  for (const { to, relayTo } of state.distribution.plan(members.map(([peer]) => peer))) {
    const message: Append | Relay =
      relayTo.length === 0
        ? append
        : { type: 'relay', view: append.view, leader: state.self, targets: relayTo, append };
    state.outbox.send(to, message);
    for (const peer of [to, ...relayTo]) {
      const progress = state.progress.get(peer) as Progress;
      progress.via = relayTo.length === 0 ? undefined : to;
      progress.heartbeatDue = false;
      progress.toldCommitted = Math.min(append.committed, tail) as Height;
      if (append.entries.length > 0) progress.sent(tail);
    }
  }
}

function isReliable(state: RaftState, peer: NodeId, progress: Progress): boolean {
  return (
    !progress.probing &&
    !progress.install &&
    state.now >= progress.relayFrom &&
    !state.retiring.has(peer) &&
    !isSilent(state, progress)
  );
}

const isSilent = ({ now, options }: RaftState, { heardAt }: Progress): boolean =>
  now - heardAt > silentHeartbeats * options.heartbeatTicks;
