import type { Height, NodeId } from '@concordat/std';
import type { Entry, Refusal } from './consensus.ts';
import type { Append, AppendResponse, LogPosition } from './message.ts';
import { configurationFault } from './quorum.ts';
import {
  advanceCommit,
  becomeFollower,
  configurationChanged,
  heardLeader,
  type RaftState,
} from './state.ts';

/** Handles an append of a leader. Raft, figure 2, receiver implementation. */
export function handleAppend(state: RaftState, from: NodeId, append: Append): Refusal | undefined {
  if (append.view < state.view) {
    // The answer carries our view, so that a leader that was cut off steps down.
    state.outbox.send(from, response(state));
    return { code: 'STALE_VIEW', message: `append of view ${append.view}, now ${state.view}` };
  }
  const malformed = malformedAppend(append);
  if (malformed) return { code: 'MALFORMED', message: malformed };
  if (append.view === state.view) {
    const other = state.role === 'leader' ? state.self : state.leader;
    if (other !== undefined && other !== from) {
      return { code: 'SECOND_LEADER', message: `view ${append.view} is led by ${other}` };
    }
  }
  if (append.view > state.view || state.leader !== from) becomeFollower(state, append.view, from);
  heardLeader(state);
  if (append.round > state.leaderRound) state.leaderRound = append.round;

  retireIfTold(state, append);
  if (!holds(state, append.previous)) {
    const rejected = {
      previousHeight: append.previous.height,
      estimate: estimateAgreement(state, append.previous),
    };
    state.outbox.send(from, { ...response(state), rejected });
    return undefined;
  }
  if (state.restoring) {
    state.acknowledgementOwed = true;
    return undefined;
  }
  return accept(state, append);
}

/** The acknowledgement that is owed to the leader, once for everything since the last one. */
export function sendOwedAcknowledgement(state: RaftState): void {
  if (!state.acknowledgementOwed) return;
  state.acknowledgementOwed = false;
  if (state.leader === undefined || state.leader === state.self) return;
  const message = response(state);
  state.acknowledged = message.match;
  state.outbox.send(state.leader, message);
}

/** The log became durable further: the leader is to know. */
export function acknowledgeDurable(state: RaftState): void {
  if (Math.min(state.received, state.log.persistedHeight) > state.acknowledged) {
    state.acknowledgementOwed = true;
  }
}

function accept(state: RaftState, append: Append): Refusal | undefined {
  const { log, outbox, configurations } = state;
  let added = false;
  let reconfigured = false;
  for (const entry of append.entries) {
    if (entry.height <= log.lastHeight) {
      // An early or old append only repeats what is here. Its end says nothing about what follows
      // it, so nothing but an entry of another view at the same height truncates.
      const view = log.viewAt(entry.height);
      if (view === entry.view || (view === undefined && entry.height <= state.committed)) continue;
      if (entry.height <= Math.max(state.committed, state.received)) {
        return { code: 'CONFLICT', message: `leader rewrites agreed height ${entry.height}` };
      }
      const after = (entry.height - 1) as Height;
      if (entry.view < (log.viewAt(after) ?? 0)) return fallingView(entry);
      log.truncate(after);
      outbox.truncate(after);
      reconfigured = configurations.truncate(after) || reconfigured;
    }
    if (entry.view < log.lastView) return fallingView(entry);
    log.append(entry);
    outbox.append(entry);
    added = true;
    if (entry.configuration) {
      configurations.append(entry.height, entry.configuration);
      reconfigured = true;
    }
  }
  if (reconfigured) configurationChanged(state);
  const tail = (append.previous.height + append.entries.length) as Height;
  if (tail > state.received) state.received = tail;
  // Beyond the tail of this append our log may still differ from the leader's.
  const committed = Math.min(append.committed, tail) as Height;
  if (committed > state.committed) advanceCommit(state, committed);
  retireIfTold(state, append);
  // New entries are acknowledged when they are durable; everything else at once.
  if (!added) state.acknowledgementOwed = true;
  return undefined;
}

/** The leader says that this node's removal is known to those who stay, whatever else it sends. */
function retireIfTold(state: RaftState, { retire }: Append): void {
  if (!retire || state.retired || state.isVoter()) return;
  state.retired = true;
  state.outbox.changed();
}

/** Below our commit height any position is taken for ours, so a leader's may be a false one. */
const fallingView = ({ height, view }: Entry): Refusal => ({
  code: 'CONFLICT',
  message: `view falls to ${view} at height ${height}`,
});

function response(state: RaftState): AppendResponse {
  return {
    type: 'append-response',
    view: state.view,
    round: state.leaderRound,
    // Never beyond what appends of this view have proved equal, however long our log is.
    match: Math.min(state.received, state.log.persistedHeight) as Height,
    received: state.received,
    committed: state.committed,
  };
}

/** Whether this log has the position; below our commit every leader's log agrees with it. */
function holds(state: RaftState, position: LogPosition): boolean {
  if (position.height <= state.committed) return true;
  return (
    position.height <= state.log.lastHeight && state.log.viewAt(position.height) === position.view
  );
}

/** The last of our positions that may be in the leader's log, given one of its positions. */
function estimateAgreement(state: RaftState, position: LogPosition): LogPosition {
  const from = Math.min(position.height, state.log.lastHeight) as Height;
  const candidate = state.log.lastNotAbove(position.view, from);
  const height = Math.max(candidate, state.committed) as Height;
  return { height, view: state.log.viewAt(height) ?? position.view };
}

function malformedAppend(append: Append): string | undefined {
  let { height, view } = append.previous;
  if (view > append.view) return 'position before the append is of a later view';
  for (const entry of append.entries) {
    if (entry.height !== height + 1) return `height ${entry.height} after ${height}`;
    if (entry.view < view || entry.view > append.view) return `view ${entry.view} after ${view}`;
    const fault = entry.configuration && configurationFault(entry.configuration);
    if (fault) return fault;
    height = entry.height;
    view = entry.view;
  }
  return undefined;
}
