import type { PendingRead, RaftState } from './state.ts';

/** Reads that may wait at a time; more are refused. */
const maxPendingReads = 65_536;

/**
 * ReadIndex (thesis, 6.4): a read at the commit height of now is linearizable once a quorum has
 * confirmed, after now, that this node still leads; and only when an entry of its own view is
 * committed, because before that its commit height may lag behind what its predecessors answered.
 */
export function requestRead(state: RaftState, requestId: string): boolean {
  // Two reads of one id would be taken for one, and the later answered at the height of the earlier.
  if (state.waitingReads.has(requestId)) return false;
  if (state.role !== 'leader' || state.waitingReads.size >= maxPendingReads) {
    state.outbox.failRead(requestId);
    return true;
  }
  state.waitingReads.add(requestId);
  if (state.committedInView) startRead(state, requestId);
  else state.earlyReads.push(requestId);
  return true;
}

function startRead(state: RaftState, requestId: string): void {
  state.reads.push({ requestId, height: state.committed, round: 0 });
  if (quorumAlone(state)) confirmReads(state);
}

/** The first entry of the own view is committed: the reads that waited for it start. */
export function startEarlyReads(state: RaftState): void {
  const waiting = state.earlyReads.splice(0);
  for (const requestId of waiting) startRead(state, requestId);
}

/** Opens one round of confirmation for all reads that have none yet. */
export function openReadRound(state: RaftState): void {
  const last = state.reads[state.reads.length - 1];
  if (last === undefined || last.round !== 0) return;
  state.round += 1;
  for (let at = state.reads.length - 1; at >= 0; at -= 1) {
    const read = state.reads[at] as PendingRead;
    if (read.round !== 0) break;
    read.round = state.round;
  }
  for (const peer of state.progress.values()) peer.heartbeatDue = true;
}

/** Answers the reads whose round a quorum of every active configuration has echoed. */
export function confirmReads(state: RaftState): void {
  if (state.reads.length === 0) return;
  const { configurations, progress, self } = state;
  const confirmed = configurations.quorumValue((voter) =>
    voter === self ? Number.POSITIVE_INFINITY : (progress.get(voter)?.round ?? 0),
  );
  let answered = 0;
  for (const read of state.reads) {
    if (confirmed !== Number.POSITIVE_INFINITY && (read.round === 0 || read.round > confirmed)) {
      break;
    }
    state.outbox.read(read.requestId, read.height);
    state.waitingReads.delete(read.requestId);
    answered += 1;
  }
  if (answered > 0) state.reads.splice(0, answered);
}

const quorumAlone = (state: RaftState): boolean =>
  state.configurations.haveQuorum('replication', (voter) => voter === state.self);
