import { assert, type Height, isHex64, type NodeId, type View } from '@concordat/std';
import type { Refusal, SnapshotPosition, ViewStart } from './consensus.ts';
import type { Install, InstallRefusal } from './message.ts';
import { configurationFault, sameConfiguration } from './quorum.ts';
import {
  becomeFollower,
  configurationChanged,
  dropReception,
  heardLeader,
  learnCommit,
  type RaftState,
} from './state.ts';

/** Most bytes of one chunk. */
export const maxChunkBytes = 4 * 1024 * 1024;
/** Most chunks of one snapshot. */
export const maxSnapshotChunks = 1 << 20;
/** Chunks that may wait to be stored; more are refused until some are. */
const maxUnstoredChunks = 16;

/** A snapshot on its way in. It outlives its leader: the next one goes on where that one stopped. */
export interface Reception {
  readonly position: SnapshotPosition;
  /** View of the leader that sent of it last. */
  view: View;
  /** Chunks handed to the driver. */
  received: number;
  /** Chunks the driver has stored. */
  stored: number;
  /** Every chunk is stored and the driver is making their state its own. */
  restoring: boolean;
}

/** Handles a leader's chunk, or its question how far this node is. Raft, section 7. */
export function handleInstall(
  state: RaftState,
  from: NodeId,
  install: Install,
): Refusal | undefined {
  const { view, position } = install;
  if (view < state.view) {
    // The answer carries our view, so that a leader that was cut off steps down.
    answer(state, from, { digest: position.digest });
    return { code: 'STALE_VIEW', message: `snapshot of view ${view}, now ${state.view}` };
  }
  const malformed = malformedInstall(install);
  if (malformed) return { code: 'MALFORMED', message: malformed };
  if (view === state.view) {
    const other = state.role === 'leader' ? state.self : state.leader;
    if (other !== undefined && other !== from) {
      return { code: 'SECOND_LEADER', message: `view ${view} is led by ${other}` };
    }
  }
  if (view > state.view || state.leader !== from) becomeFollower(state, view, from);
  heardLeader(state);
  const refused = outdated(state, position) ?? admit(state, install);
  if (refused) {
    answer(state, from, { digest: position.digest, refused: refused.code });
    return refused;
  }
  if (position.height > state.committed) take(state, from, install);
  else answer(state, from, { digest: position.digest, have: position.chunks });
  return undefined;
}

/** The driver stored a chunk: the leader may send more. */
export function chunkStored(state: RaftState, digest: string, index: number): void {
  const { reception } = state;
  if (!reception || reception.position.digest !== digest || reception.stored !== index) return;
  // One that was begun anew: this chunk was stored for the one before.
  if (index >= reception.received) return;
  reception.stored += 1;
  if (state.leader !== undefined && state.leader !== state.self) {
    answer(state, state.leader, { digest });
  }
}

/**
 * Asks the driver to restore what is complete, while nothing here depends on the log as it is: a
 * candidate has described its log to others, so it waits for the outcome. And a later leader may
 * have sent the entries meanwhile, without knowing them as committed: those after the snapshot are
 * acknowledged, and must not go.
 */
export function startRestoring(state: RaftState): void {
  const { reception } = state;
  if (!reception || reception.restoring || reception.stored < reception.position.chunks) return;
  if (state.role !== 'follower' && state.role !== 'learner') return;
  learnCommit(state, reception.position);
  if (state.reception === undefined) return;
  reception.restoring = true;
  state.outbox.restore(reception.position);
}

/** The driver's state is that of the snapshot: the log begins after it. */
export function restored(
  state: RaftState,
  digest: string,
  viewHistory: readonly ViewStart[] | undefined,
): void {
  const { reception, outbox, configurations } = state;
  assert(reception?.restoring === true, 'a restoration was asked for');
  const { position } = reception;
  assert(position.digest === digest && position.height > state.committed, 'what is restored');
  const wasVoter = state.isVoter();
  state.reception = undefined;
  state.log.reset(position, viewHistory);
  state.committed = position.height;
  state.received = position.height;
  state.acknowledged = 0 as Height;
  const { configuration, configurationHeight: height } = position;
  for (const node of configurations.reset({ height, configuration })) {
    if (node !== state.self) state.retiring.add(node);
  }
  state.removed = wasVoter && !state.isVoter();
  for (const node of configurations.voters) state.learners.delete(node);
  configurationChanged(state);
  outbox.changed();
  state.acknowledgementOwed = true;
  if (state.leader !== undefined && state.leader !== state.self) {
    answer(state, state.leader, { digest });
  }
}

/** What was received does not hold: it is forgotten, and begun anew if the leader insists. */
export function restoreFailed(state: RaftState, digest: string): void {
  if (state.reception?.position.digest !== digest) return;
  state.reception.restoring = false;
  dropReception(state);
  if (state.leader === undefined || state.leader === state.self) return;
  answer(state, state.leader, { digest, refused: 'SNAPSHOT_REJECTED' });
}

type InstallRefused = Refusal & { readonly code: InstallRefusal };

/** A log that has the snapshot's last entry has all it covers: that is committed, and kept. */
function outdated(state: RaftState, position: SnapshotPosition): InstallRefused | undefined {
  const { height } = position;
  const before = state.committed;
  if (height > before) learnCommit(state, position);
  if (height >= before) return undefined;
  return { code: 'OLD_SNAPSHOT', message: `snapshot of height ${height}, committed is ${before}` };
}

/** Makes the snapshot the one that is received, or answers why it is not. */
function admit(state: RaftState, { position, view }: Install): InstallRefused | undefined {
  if (position.height <= state.committed) return undefined;
  const current = state.reception;
  if (current) {
    if (samePosition(current.position, position)) {
      current.view = view;
      return undefined;
    }
    const { height, digest } = current.position;
    if (current.restoring) return { code: 'RESTORING', message: `height ${height} is restored` };
    // A new leader may have an older one, or describe it otherwise: what the last one said is void.
    if (view === current.view && position.height < height) {
      return { code: 'OLD_SNAPSHOT', message: `snapshot of height ${height} is being received` };
    }
    if (view === current.view && (position.height === height || position.digest === digest)) {
      return { code: 'SNAPSHOT_MISMATCH', message: `snapshot ${digest} was described otherwise` };
    }
  }
  dropReception(state);
  state.reception = { position, view, received: 0, stored: 0, restoring: false };
  return undefined;
}

function take(state: RaftState, from: NodeId, install: Install): void {
  const reception = state.reception as Reception;
  const { position } = reception;
  const { index, bytes } = install;
  const inTurn =
    bytes.length > 0 &&
    index === reception.received &&
    reception.received - reception.stored < maxUnstoredChunks;
  if (!inTurn) {
    // A question, a chunk that came twice, or one after a gap: the leader learns where to go on.
    answer(state, from, { digest: position.digest });
    return;
  }
  reception.received += 1;
  state.outbox.chunkReceived(position, index, bytes);
}

function answer(
  state: RaftState,
  to: NodeId,
  { digest, refused, have }: { digest: string; refused?: InstallRefusal; have?: number },
): void {
  const reception = state.reception?.position.digest === digest ? state.reception : undefined;
  state.outbox.send(to, {
    type: 'install-response',
    view: state.view,
    digest,
    next: have ?? reception?.stored ?? 0,
    received: have ?? reception?.received ?? 0,
    height: state.committed,
    ...(refused && { refused }),
  });
}

function samePosition(one: SnapshotPosition, other: SnapshotPosition): boolean {
  return (
    one.digest === other.digest &&
    one.height === other.height &&
    one.view === other.view &&
    one.chunks === other.chunks &&
    one.configurationHeight === other.configurationHeight &&
    sameConfiguration(one.configuration, other.configuration)
  );
}

/** Why a position describes no snapshot; undefined when it may. */
export function positionFault(position: SnapshotPosition): string | undefined {
  const { height, view, chunks, configuration, configurationHeight, digest } = position;
  if (height < 1 || view < 1) return `snapshot at ${view}.${height}`;
  if (configurationHeight > height) return 'the configuration is newer than the snapshot';
  if (!Number.isSafeInteger(chunks) || chunks < 1 || chunks > maxSnapshotChunks) {
    return `snapshot of ${chunks} chunks`;
  }
  if (!isHex64(digest)) return 'the digest is no digest';
  return configurationFault(configuration);
}

function malformedInstall({ view, position, index, bytes }: Install): string | undefined {
  if (position.view > view) return 'the snapshot is of a later view';
  if (bytes.length > maxChunkBytes) return `chunk of ${bytes.length} bytes`;
  if (bytes.length > 0 && index >= position.chunks) return `chunk ${index} of ${position.chunks}`;
  return positionFault(position);
}
