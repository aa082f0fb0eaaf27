import type { Constitution } from '@concordat/governance';
import type { NodeId } from '@concordat/std';
import type { LedgerDriver } from './ledger-driver.ts';
import type { PeerTarget } from './node-channel.ts';

/** The node channel as the roster uses it. */
export interface RosterChannel {
  set targets(targets: readonly PeerTarget[]);
  refuse(nodeId: NodeId, code: string, message: string): void;
  /** Whether an answer of that node is waited for. */
  isAsking(nodeId: NodeId): boolean;
}

/** A removed node is told by consensus that it may go, if it listens, within this time. */
const farewellMs = 5_000;

/** Keeps channels and learners in step with the committed node list. */
export class PeerRoster {
  readonly #self: NodeId;
  readonly #channel: RosterChannel;
  readonly #driver: Pick<LedgerDriver, 'addLearner' | 'removeLearner' | 'status'>;
  #present = new Map<NodeId, PeerTarget>();
  readonly #departing = new Map<
    NodeId,
    { readonly target: PeerTarget; readonly untilMs: number }
  >();

  constructor(
    self: NodeId,
    channel: RosterChannel,
    driver: Pick<LedgerDriver, 'addLearner' | 'removeLearner' | 'status'>,
  ) {
    this.#self = self;
    this.#channel = channel;
    this.#driver = driver;
  }

  /** Takes up a committed node list. */
  update({ nodes }: Pick<Constitution, 'nodes'>, nowMs: number): void {
    const present = new Map<NodeId, PeerTarget>();
    for (const { nodeId, status, address } of nodes) {
      if (nodeId === this.#self || (status !== 'learning' && status !== 'trusted')) continue;
      present.set(nodeId, { nodeId, address });
      this.#departing.delete(nodeId);
    }
    const left = [...this.#present.values()].filter(({ nodeId }) => !present.has(nodeId));
    this.#present = present;
    for (const target of left) {
      this.#departing.set(target.nodeId, { target, untilMs: nowMs + farewellMs });
    }
    this.#connect();
    for (const { nodeId, status } of nodes) {
      if (status === 'learning' && present.has(nodeId)) this.#driver.addLearner(nodeId);
    }
    for (const { nodeId } of left) this.#driver.removeLearner(nodeId);
    this.dismiss(nowMs);
  }

  /**
   * Cuts off removed nodes that consensus needs no longer; called at intervals. One that led when it was
   * removed still owes answers, that of its own removal for instance; it is asked nothing more.
   */
  dismiss(nowMs: number): void {
    if (this.#departing.size === 0) return;
    const { progress } = this.#driver.status;
    for (const [nodeId, { untilMs }] of this.#departing) {
      const isNeeded = progress.has(nodeId) || this.#channel.isAsking(nodeId);
      if (isNeeded && nowMs < untilMs) continue;
      this.#departing.delete(nodeId);
      this.#connect();
      this.#channel.refuse(nodeId, 'NODE_NOT_ADMITTED', 'the node list no longer has this node');
    }
  }

  #connect(): void {
    const leaving = Array.from(this.#departing.values(), ({ target }) => target);
    this.#channel.targets = [...this.#present.values(), ...leaving];
  }
}
