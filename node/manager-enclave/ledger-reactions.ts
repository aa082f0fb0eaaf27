import type { Role } from '@concordat/consensus';
import type { Constitution } from '@concordat/governance';
import type { OpenedBlock, SessionKey } from '@concordat/ledger';
import { formatTransactionId, type Height, type NodeId, utf8, type View } from '@concordat/std';
import type { LedgerEvents } from './ledger-driver.ts';
import type { Manager } from './manager.ts';

/** What a committed administrative block tells those who watch. */
export interface Announcement {
  /** `view.seqno` */
  readonly transactionId: string;
  readonly timeMs: number;
  readonly publicWrites: readonly Uint8Array[];
}

const announcementOf = ({ header, transactions }: OpenedBlock): Announcement => ({
  transactionId: formatTransactionId(header.view, header.firstSeqno),
  timeMs: header.timeMs,
  publicWrites: transactions.map(({ publicWrites }) => publicWrites),
});

/** What the parts of the manager do as the ledger moves forwards and backwards. */
export class LedgerReactions implements LedgerEvents {
  readonly #manager: Manager;
  /** Administrative blocks not yet committed, for those who watch. */
  readonly #announcements = new Map<number, Announcement>();
  #toldWorkers = '';
  #wasLeader = false;
  #targets = new Set<NodeId>();

  constructor(manager: Manager) {
    this.#manager = manager;
  }

  sessionKey(): SessionKey {
    const { sessionKeys, administration } = this.#manager;
    return sessionKeys.current(administration.head);
  }

  nowMs(): number {
    return Date.now();
  }

  saveHardState(state: { view: View; votedFor?: NodeId }): Promise<void> {
    return this.#manager.records.put('hard-state', state);
  }

  onRefusedMessage(peer: NodeId, code: string, message: string): void {
    this.#manager.control.log('consensus.refused', { peer, code, why: message });
  }

  onOpened(block: OpenedBlock): void {
    const { administration, sessionKeys, feed } = this.#manager;
    const { height, source } = block.header;
    if (source > 0) {
      feed.opened(block);
      return;
    }
    administration.apply(height, block.transactions);
    this.#announcements.set(height, announcementOf(block));
    sessionKeys.learnCurrent(administration.head);
  }

  /** The leader's own administrative block, for those who watch. */
  placed(height: Height, announcement: Announcement): void {
    this.#announcements.set(height, announcement);
  }

  onRollback(height: Height): void {
    const { administration, sessionKeys, feed, queue } = this.#manager;
    for (const at of this.#announcements.keys()) if (at > height) this.#announcements.delete(at);
    administration.rollback(height);
    sessionKeys.learnCurrent(administration.head);
    feed.rollback(height);
    queue.rolledBack(height);
  }

  onCommitted(from: Height, to: Height): void {
    const { administration, feed, queue } = this.#manager;
    const changed = administration.commit(to);
    feed.committed(from, to);
    queue.committed(to);
    if (changed) {
      this.#constitutionChanged(administration.committedConstitution);
      this.#announce(to);
    }
    this.#manager.committed(to);
  }

  #announce(to: Height): void {
    for (const [height, announcement] of this.#announcements) {
      if (height > to) continue;
      this.#announcements.delete(height);
      this.#manager.notify(announcement);
    }
  }

  onCommittedByAll(height: Height): void {
    for (const link of this.#manager.feed.links) link.send({ kind: 'committedByAll', height });
  }

  onRole(role: Role, view: View, leader: NodeId | undefined): void {
    const { feed, administration, queue, control } = this.#manager;
    const leads = role === 'leader';
    if (leads && !this.#wasLeader) {
      feed.giveSpeculatively();
      // Only an entry of its own view lets a leader commit what earlier leaders left.
      if (administration.exists) queue.placeNow(() => undefined);
    }
    this.#wasLeader = leads;
    const told = JSON.stringify([leads, view, leader]);
    if (told === this.#toldWorkers) return;
    this.#toldWorkers = told;
    control.log('consensus.role', { role, view, leader });
    const json = utf8(JSON.stringify({ leaderNode: leader }));
    for (const link of feed.links) link.send({ kind: 'role', leader: leads, view, json });
    this.#manager.publishStatus();
  }

  /** A committed change of the constitution takes effect on this node, now and completely. */
  #constitutionChanged(constitution: Constitution): void {
    const manager = this.#manager;
    const self = manager.identity.nodeId;
    const own = constitution.nodes.find(({ nodeId }) => nodeId === self);
    // A newcomer replays history: what the node list said long ago is nothing to act on.
    if (!own || own.status === 'admitted') return;
    this.#connectPeers(constitution, self);
    manager.actorsChanged();
    manager.configureWorkers(constitution);
    manager.nodeStatusChanged(own.status);
  }

  #connectPeers(constitution: Constitution, self: NodeId): void {
    const { channel, driver } = this.#manager;
    const present = constitution.nodes.filter(
      ({ nodeId, status }) => nodeId !== self && (status === 'learning' || status === 'trusted'),
    );
    const wanted = new Set(present.map(({ nodeId }) => nodeId));
    channel.targets = present.map(({ nodeId, address }) => ({ nodeId, address }));
    for (const { nodeId, status } of present) {
      if (status === 'learning') driver.addLearner(nodeId);
    }
    for (const nodeId of this.#targets) {
      if (wanted.has(nodeId)) continue;
      driver.removeLearner(nodeId);
      channel.refuse(nodeId, 'NODE_NOT_ADMITTED', 'the node list no longer has this node');
    }
    this.#targets = wanted;
  }
}
