import { assert, type Height, type NodeId, type View } from '@concordat/std';
import { Configurations } from './configurations.ts';
import type { RaftOptions, Role, SnapshotPosition } from './consensus.ts';
import { type Distribution, directDistribution } from './distribution.ts';
import { Log } from './log.ts';
import type { LogPosition } from './message.ts';
import { Outbox } from './outbox.ts';
import type { Progress } from './progress.ts';
import { hasQuorum, quorumSizesOf } from './quorum.ts';
import type { Reception } from './snapshot-receive.ts';

/** A linearizable read that waits for a quorum to confirm the leader; round 0 = not asked yet. */
export interface PendingRead {
  readonly requestId: string;
  readonly height: Height;
  round: number;
}

/** Everything a node knows. The other files of this room are the rules that change it. */
export class RaftState {
  readonly options: RaftOptions;
  readonly self: NodeId;
  readonly log: Log;
  readonly configurations: Configurations;
  readonly outbox = new Outbox();
  distribution: Distribution;
  /** Ticks since the machine was made. */
  now = 0;
  view: View;
  votedFor: NodeId | undefined;
  role: Role;
  leader: NodeId | undefined;
  committed: Height;
  /** Nodes the driver wants to be fed although they do not vote. */
  readonly learners = new Set<NodeId>();
  /** Nodes that ceased to vote and may not have heard of it. */
  readonly retiring = new Set<NodeId>();
  /** This node's removal is committed; it stays until it hears that its successors know. */
  removed = false;
  retired = false;

  /** Ticks since the leader was heard, a vote granted or a campaign begun. */
  electionElapsed = 0;
  electionTimeout = 0;
  /** The connection to the leader broke and it has not been heard since. */
  leaderLost = false;
  /** Follower: agrees with the leader of this view up to here. */
  received: Height;
  /** Follower: durable agreement last acknowledged. */
  acknowledged = 0 as Height;
  acknowledgementOwed = false;
  /** Follower: the leader's latest round of reads. */
  leaderRound = 0;

  /** A snapshot on its way in. */
  reception: Reception | undefined;
  /** The newest snapshot this node can send. */
  offered: SnapshotPosition | undefined;

  /** Candidate: who granted. */
  readonly votes = new Set<NodeId>();

  /** Leader: every peer it feeds. */
  readonly progress = new Map<NodeId, Progress>();
  heartbeatElapsed = 0;
  round = 0;
  transferee: NodeId | undefined;
  transferUntil = 0;
  /** Leader: an entry of this view is committed. */
  committedInView = false;
  committedByAll = 0 as Height;
  /** Leader: reads that wait for `committedInView`. */
  readonly earlyReads: string[] = [];
  readonly reads: PendingRead[] = [];
  /** Leader: ids of the reads in both lists. */
  readonly waitingReads = new Set<string>();

  constructor(options: RaftOptions) {
    const { initial } = options;
    assert(options.electionTicks > options.heartbeatTicks, 'heartbeats outpace elections');
    assert(options.heartbeatTicks >= 1, 'a heartbeat takes at least a tick');
    assert(options.maxInflightAppends >= 1, 'at least one append in flight');
    assert(initial.view >= initial.lastView, 'the view is at least that of the log');
    this.options = options;
    this.self = options.self;
    this.distribution = options.distribution ?? directDistribution;
    this.log = new Log(initial, options.maxMemoryBytes);
    this.configurations = new Configurations(initial);
    this.view = initial.view;
    this.votedFor = initial.votedFor;
    this.committed = initial.committed;
    this.received = initial.committed;
    this.role = this.isVoter() ? 'follower' : 'learner';
    resetElectionTimeout(this);
  }

  /** The driver is replacing log and state: neither changes, nor decides anything, meanwhile. */
  get restoring(): boolean {
    return this.reception?.restoring === true;
  }

  /** Whether this node counts in some active configuration. */
  isVoter(): boolean {
    return this.configurations.voters.has(this.self);
  }
}

/** Draws the next election timeout from [electionTicks, 2 electionTicks). */
export function resetElectionTimeout(state: RaftState): void {
  const { electionTicks, random } = state.options;
  state.electionElapsed = 0;
  state.leaderLost = false;
  state.electionTimeout = electionTicks + Math.floor(random() * electionTicks);
}

/** The leader was heard: its silence counts anew, and that a connection broke says nothing more. */
export function heardLeader(state: RaftState): void {
  if (state.leaderLost) resetElectionTimeout(state);
  else state.electionElapsed = 0;
}

/** Last position this node knows as committed. */
export const committedPosition = (state: RaftState): LogPosition => ({
  height: state.committed,
  view: state.log.viewAt(state.committed) ?? (0 as View),
});

/**
 * Follows in `view`. The vote is forgotten only with a *newer* view: a step down within a view that
 * cleared it would let this node vote twice.
 */
export function becomeFollower(state: RaftState, view: View, leader: NodeId | undefined): void {
  if (state.role === 'leader') stopLeading(state);
  if (view > state.view) enterView(state, view, undefined);
  state.leader = leader;
  state.role = state.isVoter() ? 'follower' : 'learner';
  state.votes.clear();
  resetElectionTimeout(state);
  state.outbox.changed();
}

/** Enters a newer view; whatever was agreed with the leader of the one before is void. */
export function enterView(state: RaftState, view: View, votedFor: NodeId | undefined): void {
  assert(view > state.view, 'views only grow');
  state.view = view;
  state.votedFor = votedFor;
  state.outbox.hardState(view, votedFor);
  state.received = state.committed;
  state.acknowledged = 0 as Height;
  state.acknowledgementOwed = false;
  state.leaderRound = 0;
}

function stopLeading(state: RaftState): void {
  if (!state.isVoter() && successorsKnow(state)) state.retired = true;
  for (const requestId of state.waitingReads) state.outbox.failRead(requestId);
  state.waitingReads.clear();
  state.earlyReads.length = 0;
  state.reads.length = 0;
  state.progress.clear();
  state.transferee = undefined;
  state.received = state.committed;
  state.acknowledged = 0 as Height;
}

/** Entries up to `height` are committed. Answers whether that ended a reconfiguration. */
export function advanceCommit(state: RaftState, height: Height): boolean {
  assert(height > state.committed && height <= state.log.lastHeight, 'commit moves forward');
  state.committed = height;
  if (state.received < height && state.role !== 'leader') state.received = height;
  state.outbox.committed(height);
  state.log.evict(height);
  // What a snapshot covers and this node has by other ways, it need not be sent.
  if (state.reception && state.reception.position.height <= height) dropReception(state);
  const removed = state.configurations.committed(height);
  if (!removed) return false;
  for (const node of removed) {
    if (node === state.self) state.removed = true;
    else state.retiring.add(node);
  }
  for (const node of state.configurations.voters) state.learners.delete(node);
  configurationChanged(state);
  return true;
}

/** What was received of a snapshot is of no use: the driver is told to forget it. */
export function dropReception(state: RaftState): void {
  if (!state.reception) return;
  assert(!state.reception.restoring, 'what the driver restores is left to it');
  state.reception = undefined;
  state.outbox.receptionDropped();
}

/** The active configurations are others than before: the role may be, too. */
export function configurationChanged(state: RaftState): void {
  const votes = state.isVoter();
  for (const node of state.configurations.voters) isToStay(state, node);
  if (votes) {
    state.removed = false;
    state.retired = false;
  }
  if (votes ? state.role === 'learner' : state.role !== 'leader') {
    state.role = votes ? 'follower' : 'learner';
  }
  state.outbox.changed();
}

/**
 * A node that was removed is wanted again: what it was told of its removal, and may still answer,
 * is void. Otherwise that answer would end the feeding of a node that counts.
 */
export function isToStay(state: RaftState, node: NodeId): void {
  state.retiring.delete(node);
  const progress = state.progress.get(node);
  if (progress) progress.retireRound = 0;
}

/**
 * A peer knows the entry at this position as committed; so is ours when it is the same entry. Vote
 * messages carry it, so that whoever needs a retired node's vote for want of this knowledge gets it
 * from any survivor that has it.
 */
export function learnCommit(state: RaftState, position: LogPosition): void {
  if (state.role === 'leader' || state.restoring) return;
  if (position.height <= state.committed || position.view === 0) return;
  if (state.log.viewAt(position.height) === position.view) advanceCommit(state, position.height);
}

/**
 * Leader: whether a quorum of the committed configuration knows that it is committed. Only then may
 * a removed node go: before, some successor could still need its vote.
 */
export function successorsKnow(state: RaftState): boolean {
  const { configuration, height } = state.configurations.oldest;
  if (state.committed < height) return false;
  // Every election quorum meets a replication quorum: some voter tells the candidate of the commit.
  return hasQuorum(configuration.voters, quorumSizesOf(configuration).replication, (voter) => {
    const known = voter === state.self ? state.committed : state.progress.get(voter)?.committed;
    return known !== undefined && known >= height;
  });
}
