import type { Height, NodeId, View } from '@concordat/std';
import type {
  Configuration,
  Consensus,
  Entry,
  ProposalRefusalCode,
  Proposed,
  RaftOptions,
  Refusal,
  SnapshotPosition,
  Status,
  ViewStart,
} from './consensus.ts';
import type { Distribution } from './distribution.ts';
import type { Effects } from './effects.ts';
import {
  handleTimeoutNow,
  handleVoteRequest,
  handleVoteResponse,
  leaderMayBeGone,
  tickElection,
} from './election.ts';
import { acknowledgeDurable, handleAppend, sendOwedAcknowledgement } from './follower.ts';
import {
  commitWhatIsDurable,
  proposalRefusal,
  propose,
  refreshPeers,
  startTransfer,
  tickLeader,
} from './leader.ts';
import type { Message } from './message.ts';
import { requestRead } from './reads.ts';
import { handleRelay } from './relay.ts';
import { handleAppendResponse, provide, replicate } from './replication.ts';
import {
  chunkStored,
  handleInstall,
  restored,
  restoreFailed,
  startRestoring,
} from './snapshot-receive.ts';
import {
  handleInstallResponse,
  offerSnapshot,
  provideChunk,
  withdrawSnapshot,
} from './snapshot-send.ts';
import { isToStay, RaftState } from './state.ts';

/** Views a network cannot reach, one a microsecond for eight years: views to come stay countable. */
const maxView = 2 ** 48;

/**
 * Raft (Ongaro and Ousterhout 2014; thesis 2014) for nodes that never restart under one identity,
 * with one-transaction reconfiguration from any set of voters to any other.
 */
export function createRaft(options: RaftOptions): Consensus {
  return new Raft(options);
}

class Raft implements Consensus {
  readonly #state: RaftState;

  constructor(options: RaftOptions) {
    this.#state = new RaftState(options);
  }

  tick(): void {
    const state = this.#state;
    state.now += 1;
    if (state.role === 'leader') tickLeader(state);
    else tickElection(state);
  }

  step(from: NodeId, message: Message): Refusal | undefined {
    const state = this.#state;
    if (from === state.self) return { code: 'UNEXPECTED', message: 'a message of our own' };
    if (message.view > maxView) return { code: 'MALFORMED', message: `view ${message.view}` };
    switch (message.type) {
      case 'append':
        return handleAppend(state, from, message);
      case 'append-response':
        return handleAppendResponse(state, from, message);
      case 'vote-request':
        return handleVoteRequest(state, from, message);
      case 'vote-response':
        return handleVoteResponse(state, from, message);
      case 'timeout-now':
        return handleTimeoutNow(state, from, message);
      case 'install':
        return handleInstall(state, from, message);
      case 'install-response':
        return handleInstallResponse(state, from, message);
      case 'relay':
        return handleRelay(state, from, message);
    }
  }

  proposalRefusal(configuration?: Configuration): ProposalRefusalCode | undefined {
    return proposalRefusal(this.#state, configuration);
  }

  propose(payload: Uint8Array, configuration?: Configuration): Proposed {
    return propose(this.#state, payload, configuration);
  }

  persisted(height: Height, view: View): void {
    const state = this.#state;
    if (!state.log.persist(height, view)) return;
    state.log.evict(state.committed);
    if (state.role === 'leader') commitWhatIsDurable(state);
    else acknowledgeDurable(state);
  }

  provide(peer: NodeId, entries: readonly Entry[]): void {
    if (this.#state.role === 'leader') provide(this.#state, peer, entries);
  }

  offerSnapshot(position: SnapshotPosition): void {
    offerSnapshot(this.#state, position);
  }

  withdrawSnapshot(digest: string): void {
    withdrawSnapshot(this.#state, digest);
  }

  provideChunk(peer: NodeId, digest: string, index: number, bytes: Uint8Array | undefined): void {
    if (this.#state.role === 'leader') provideChunk(this.#state, peer, { digest, index, bytes });
  }

  chunkStored(digest: string, index: number): void {
    chunkStored(this.#state, digest, index);
  }

  restored(digest: string, known?: { readonly viewHistory: readonly ViewStart[] }): void {
    restored(this.#state, digest, known?.viewHistory);
  }

  restoreFailed(digest: string): void {
    restoreFailed(this.#state, digest);
  }

  addLearner(peer: NodeId): void {
    if (peer === this.#state.self) return;
    this.#state.learners.add(peer);
    isToStay(this.#state, peer);
    if (this.#state.role === 'leader') refreshPeers(this.#state);
  }

  removeLearner(peer: NodeId): void {
    this.#state.learners.delete(peer);
    if (this.#state.role === 'leader') refreshPeers(this.#state);
  }

  transferLeadership(to?: NodeId): boolean {
    return startTransfer(this.#state, to);
  }

  connectionLost(peer: NodeId): void {
    leaderMayBeGone(this.#state, peer);
  }

  distributeBy(distribution: Distribution): void {
    this.#state.distribution = distribution;
  }

  readIndex(requestId: string): boolean {
    return requestRead(this.#state, requestId);
  }

  takeEffects(): Effects | undefined {
    const state = this.#state;
    if (state.role === 'leader') replicate(state);
    else {
      startRestoring(state);
      sendOwedAcknowledgement(state);
    }
    return state.outbox.take();
  }

  get status(): Status {
    const { role, view, leader, committed, log, configurations, progress, retired } = this.#state;
    const { offered, reception } = this.#state;
    const status: { -readonly [Name in keyof Status]: Status[Name] } = {
      role,
      view,
      committed,
      lastHeight: log.lastHeight,
      lastView: log.lastView,
      configurations: configurations.list,
      progress,
      retired,
    };
    if (leader !== undefined) status.leader = leader;
    if (offered) status.offered = offered;
    if (reception) status.receiving = reception;
    return status;
  }
}
