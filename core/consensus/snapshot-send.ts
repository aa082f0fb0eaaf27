import { assert, type Height, type NodeId } from '@concordat/std';
import type { Refusal, SnapshotPosition } from './consensus.ts';
import type { InstallResponse } from './message.ts';
import type { Progress } from './progress.ts';
import { maxChunkBytes, positionFault } from './snapshot-receive.ts';
import { becomeFollower, type RaftState } from './state.ts';

/** Chunks on their way to one peer, or about to be, that it has not stored yet. */
const maxInflightChunks = 4;

/** A snapshot on its way to one peer. */
export class Sending {
  readonly position: SnapshotPosition;
  /** Chunks the peer has stored. */
  stored = 0;
  /** Next chunk to fetch from the driver. */
  next = 0;
  /** A question how far the peer is has been asked, or is due: nothing else is sent before the answer. */
  question: 'due' | 'asked' | 'answered' = 'due';
  /** Whether the peer answered since the last heartbeat. */
  heard = false;
  /** Chunks that the driver has been asked for. */
  readonly fetching = new Set<number>();

  constructor(position: SnapshotPosition) {
    this.position = position;
  }
}

/** This node has a snapshot it can send. */
export function offerSnapshot(state: RaftState, position: SnapshotPosition): void {
  assert(positionFault(position) === undefined, 'an offered snapshot is one');
  assert(position.height <= state.committed, 'what a snapshot covers is committed');
  if (state.offered && state.offered.height >= position.height) return;
  state.offered = position;
}

/** This node has that snapshot no more: whoever was being sent it gets what else there is. */
export function withdrawSnapshot(state: RaftState, digest: string): void {
  if (state.offered?.digest === digest) state.offered = undefined;
  for (const progress of state.progress.values()) {
    if (progress.install?.position.digest === digest) progress.install = undefined;
  }
}

/**
 * Whether a peer gets the offered snapshot: it lacks more entries up to there than are worth
 * sending one by one, or these are not to be had.
 */
export function wantsSnapshot(
  state: RaftState,
  progress: Progress,
  entries: 'at hand' | 'missing',
): boolean {
  const { offered, options, now } = state;
  if (!offered || offered.height < progress.next || now < progress.installFrom) return false;
  if (entries === 'missing') return true;
  const gap = options.snapshotGap ?? Number.POSITIVE_INFINITY;
  return offered.height - (progress.next - 1) > gap;
}

/** Begins to send the offered snapshot. The peer may have a part of it: it is asked first. */
export function startInstall(state: RaftState, progress: Progress): void {
  progress.install = new Sending(state.offered as SnapshotPosition);
  progress.fetching = false;
}

/** Sends, and has fetched, as much as may be on its way. */
export function driveInstall(state: RaftState, peer: NodeId, sending: Sending): void {
  const { position } = sending;
  if (sending.question === 'due') {
    sending.question = 'asked';
    sendInstall(state, peer, { position, index: 0, bytes: nothing });
  }
  if (sending.question === 'asked') return;
  while (sending.next < position.chunks && sending.next < sending.stored + maxInflightChunks) {
    const index = sending.next;
    sending.next += 1;
    if (sending.fetching.has(index)) continue;
    sending.fetching.add(index);
    state.outbox.chunkFetch(peer, position.digest, index);
  }
}

/** A heartbeat is due: a peer that was silent since the last one is asked how far it is. */
export function tickInstall(sending: Sending): void {
  if (!sending.heard) sending.question = 'due';
  sending.heard = false;
}

/** The driver answered `chunkFetch`. */
export function provideChunk(
  state: RaftState,
  peer: NodeId,
  chunk: {
    readonly digest: string;
    readonly index: number;
    readonly bytes: Uint8Array | undefined;
  },
): void {
  const progress = state.progress.get(peer);
  const sending = progress?.install;
  const { digest, index, bytes } = chunk;
  if (!progress || sending?.position.digest !== digest || !sending.fetching.delete(index)) return;
  if (bytes) {
    assert(bytes.length > 0 && bytes.length <= maxChunkBytes, 'a chunk of a size to be sent');
    sendInstall(state, peer, { position: sending.position, index, bytes });
    return;
  }
  if (state.offered && state.offered.digest !== digest) {
    // The driver keeps the newest ones only: the peer begins anew with what there is.
    startInstall(state, progress);
    return;
  }
  // What was offered is not to be had: meanwhile the peer gets what entries there are.
  progress.install = undefined;
  progress.installFrom = state.now + state.options.electionTicks;
}

/** Handles a peer's answer about a snapshot. */
export function handleInstallResponse(
  state: RaftState,
  from: NodeId,
  response: InstallResponse,
): Refusal | undefined {
  if (response.view > state.view) {
    becomeFollower(state, response.view, undefined);
    return undefined;
  }
  if (response.view < state.view || state.role !== 'leader') {
    return { code: 'STALE_VIEW', message: `install response of view ${response.view}` };
  }
  const progress = state.progress.get(from);
  if (!progress)
    return { code: 'UNKNOWN_PEER', message: 'install response of a node we do not feed' };
  const { height, next, received } = response;
  if (height > state.log.lastHeight || next > received) {
    return { code: 'MALFORMED', message: `has ${height} and ${next} of ${received} chunks` };
  }
  progress.heardAt = state.now;
  progress.active = true;
  const sending = progress.install;
  if (!sending || sending.position.digest !== response.digest) {
    return { code: 'UNEXPECTED', message: 'install response about a snapshot that is not sent' };
  }
  if (received > sending.position.chunks) {
    return { code: 'MALFORMED', message: `has ${received} chunks of ${sending.position.chunks}` };
  }
  if (height > progress.committed) progress.committed = height;
  advance(state, progress, response);
  return undefined;
}

function advance(state: RaftState, progress: Progress, response: InstallResponse): void {
  const sending = progress.install as Sending;
  if (response.height >= sending.position.height) {
    progress.installed(response.height);
    return;
  }
  if (response.refused === 'SNAPSHOT_REJECTED' || response.refused === 'SNAPSHOT_MISMATCH') {
    progress.install = undefined;
    progress.installFrom = state.now + state.options.electionTicks;
    return;
  }
  sending.heard = true;
  sending.stored = response.next;
  if (sending.question === 'answered') return;
  // What was on its way when the question was asked may be lost, so the answer says where to go on.
  sending.question = 'answered';
  sending.next = response.received;
}

function sendInstall(
  state: RaftState,
  to: NodeId,
  chunk: {
    readonly position: SnapshotPosition;
    readonly index: number;
    readonly bytes: Uint8Array;
  },
): void {
  state.outbox.send(to, { type: 'install', view: state.view, ...chunk });
}

const nothing = new Uint8Array(0);

/** Whether a peer has, by other ways, what the snapshot on its way to it covers. */
export const isOvertaken = (progress: Progress): boolean =>
  progress.install !== undefined &&
  progress.received >= (progress.install.position.height as Height);
