import { type Constitution, isOpen } from '@concordat/governance';
import { type Height, type NodeId, toHeight } from '@concordat/std';
import { ManagerError } from './errors.ts';
import type { LifeCycle } from './life-cycle.ts';
import type { NodeContext } from './node-context.ts';
import type { PeerRoster } from './peer-roster.ts';
import type { RecordKeeper } from './record-keeper.ts';
import { discarding } from './rejoining.ts';
import type { Doors } from './ways.ts';
import type { WorkerDesk } from './worker-desk.ts';

/** Failures of a channel that say nothing about this node's place in the network. */
const passing: ReadonlySet<string> = new Set(['DIAL_FAILED', 'CHANNEL_FAILED', 'PEER_TIMEOUT']);
/** How long a node that was removed stays for consensus to end without it. */
const farewellMs = 3_000;
const farewellCheckMs = 100;

/** The parts of a node that follow its standing in the network. */
export interface StandingNode extends NodeContext {
  readonly lifeCycle: LifeCycle;
  readonly keeper: RecordKeeper;
  readonly doors: Doors;
  readonly workers: WorkerDesk;
  readonly electionTimeoutMs: number;
  /** View of the newest block when a resumption began; a committed one of a later view ends it. */
  readonly resumedView: number;
  /** Absent until this node takes part. */
  readonly roster: PeerRoster | undefined;
  publishStatus(): void;
  every(intervalMs: number, action: () => void): void;
}

/** What the network says of this node, and what the node does about it. */
export class NodeStanding {
  readonly #node: StandingNode;
  /** It served before its state was replaced. */
  #served = false;

  constructor(node: StandingNode) {
    this.#node = node;
  }

  /** What is done about once a second. */
  takeStock(): void {
    const { lifeCycle, leader, electionTimeoutMs, keeper, snapshots } = this.#node;
    this.#node.publishStatus();
    const nowMs = Date.now();
    lifeCycle.hearsLeader(leader !== undefined, nowMs);
    lifeCycle.checkDisowned(leader !== undefined, nowMs);
    lifeCycle.checkNetworkLive(electionTimeoutMs, nowMs);
    snapshots.judge();
    // What is promised to be found again must not end above what would survive a power cut.
    const { log, driver } = this.#node;
    this.#keep(keeper.keepProgress(log.progressAt(toHeight(driver.durableHeight))));
  }

  /** A record that could not be kept is told; the next one may be. */
  #keep(kept: Promise<void>): void {
    kept.catch((error: unknown) => {
      this.#node.control.log('node.record-not-kept', { level: 'warn', why: String(error) });
    });
  }

  /** Blocks up to a height are final. */
  committed(height: Height): void {
    const { phase, resumedView, log, lifeCycle } = this.#node;
    const resuming = phase === 'resuming' && resumedView > 0;
    if (resuming && (log.viewAt(height) ?? 0) > resumedView) lifeCycle.isLive();
  }

  /** The state of this node is about to be replaced by that of a snapshot: it serves nobody. */
  restoring(height: number): void {
    const { lifeCycle } = this.#node;
    this.#served ||= lifeCycle.phase === 'running' || lifeCycle.phase === 'recovering';
    // A node that resumes still does: it waits for the network to commit, and serves then.
    const phase = lifeCycle.phase === 'resuming' ? 'resuming' : 'learning';
    lifeCycle.enter(phase, `taking up the snapshot of block ${height}`);
  }

  /** The ledger has confirmed that snapshot: a node that served goes on to. */
  proven(): void {
    if (!this.#served) return;
    this.#served = false;
    const { feed, administration } = this.#node;
    const isServed = isOpen(administration.committedState);
    if (isServed) for (const link of feed.links) link.send({ kind: 'start' });
    this.serves();
    this.#node.backfill.start();
  }

  /** The ledger contradicts it: nothing of this node's state is of use. */
  unproven(height: number): void {
    const { lifeCycle } = this.#node;
    const why = `the ledger has another digest of the snapshot ${height} than this node was given`;
    discarding(this.#node, why).then(
      (reason) => lifeCycle.fail(reason),
      (error: Error) => lifeCycle.fail(error),
    );
  }

  /** A committed change of the constitution takes effect on this node, now and completely. */
  constitutionChanged(constitution: Constitution): void {
    const { identity, roster, doors, control, workers, keeper, lifeCycle } = this.#node;
    const own = constitution.nodes.find(({ nodeId }) => nodeId === identity.nodeId);
    roster?.update(constitution, Date.now());
    doors.constitutionChanged();
    this.#openedByVote();
    control.durability(constitution.policies.durability);
    if (own?.status === 'retired') {
      this.#depart();
      return;
    }
    try {
      workers.configure(constitution);
    } catch (error) {
      // The workers' code is no longer listed: it gets no more plaintext.
      lifeCycle.fail(error as Error);
      return;
    }
    this.#keep(keeper.keepConstitution(constitution));
    if (own) lifeCycle.nodeStatus(own.status);
  }

  /** This node serves: everybody, or operators alone until the members voted the network open. */
  serves(): void {
    const { lifeCycle, administration } = this.#node;
    const isServed = isOpen(administration.committedState);
    if (isServed) lifeCycle.enter('running');
    else lifeCycle.enter('recovering', 'the members have not voted the recovered network open yet');
  }

  #openedByVote(): void {
    const { lifeCycle, administration } = this.#node;
    if (lifeCycle.phase === 'recovering' && isOpen(administration.committedState)) this.serves();
  }

  /** The network removed this node: it serves nobody any more, and leaves when consensus can spare it. */
  #depart(): void {
    const { doors, lifeCycle } = this.#node;
    doors.close();
    const leaveAtMs = Date.now() + farewellMs;
    this.#node.every(farewellCheckMs, () => {
      if (!this.#node.driver.status.retired && Date.now() < leaveAtMs) return;
      lifeCycle.fail(new ManagerError('NODE_REMOVED', 'the node list has retired this node'));
    });
  }

  /** A channel this node keeps came up, or could not be made. */
  channelChanged(peer: NodeId, up: boolean, reason?: Error): void {
    const { control, lifeCycle } = this.#node;
    const code = reason && 'code' in reason ? String(reason.code) : undefined;
    control.log(up ? 'channel.up' : 'channel.down', {
      peer,
      ...(reason && { code, why: reason.message }),
    });
    lifeCycle.channelChanged(peer, { up, code, nowMs: Date.now() });
    if (!up && this.#node.takesPart) this.#node.driver.connectionLost(peer);
    // A refusal says more than that one waits: who operates the node must see it.
    if (lifeCycle.phase === 'resuming' && reason && code && !passing.has(code)) {
      lifeCycle.enter('resuming', `${code}: ${reason.message}`);
    }
  }
}
