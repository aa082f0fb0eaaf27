import type { Role } from '@concordat/consensus';
import { type Constitution, currentEpoch, newestEpoch } from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import type { OpenedBlock, SessionKey } from '@concordat/ledger';
import {
  assert,
  CodedError,
  type Epoch,
  type Height,
  type NodeId,
  parseTransactionId,
  toHeight,
  utf8,
  type View,
} from '@concordat/std';
import { type Announcement, announcementOf } from './announcement.ts';
import { distributionUnder } from './distribution-policy.ts';
import { entropy } from './enclave-sources.ts';
import { ManagerError } from './errors.ts';
import { requireGenesis } from './genesis-check.ts';
import type { LedgerEvents } from './ledger-duties.ts';
import type { NodeContext } from './node-context.ts';
import { deploymentsIn, deploymentsOf } from './program-projection.ts';

/** What the rest of the manager does with what the ledger brings. */
export interface LedgerConsequences {
  /** Blocks up to a height are final. */
  onCommitted(height: Height): void;
  /** The state is about to be replaced by that of a snapshot at this height. */
  onRestoring(height: number): void;
  /** Tells those who watch the administrative channel; undefined: a snapshot passed some over. */
  onAnnouncement(announcement: Announcement | undefined): void;
  /** The committed constitution changed and lists this node. */
  onConstitution(constitution: Constitution): void;
  /** Role, view or leader changed. */
  onStanding(): void;
  /** A peer sent something it must not. */
  onRefusedMessage(peer: NodeId, code: string, message: string): void;
  /** This launch has no way on. */
  onBroken(error: Error): void;
}

/** What the parts of the manager do as the ledger moves forwards and backwards. */
export class LedgerReactions implements LedgerEvents {
  readonly #context: NodeContext;
  readonly #consequences: LedgerConsequences;
  /** Administrative blocks not yet committed, for those who watch. */
  readonly #announcements = new Map<number, Announcement>();
  #toldWorkers = '';
  /** View this node opened as leader last; 0 = none. */
  #openedView = 0;
  #leads = false;
  /** View that began as it had to, so that what follows may be sealed; 0 = none. */
  #begunView = 0;
  /** This leader lacks the key in force: its view is opened once that was gathered. */
  #viewToOpen = false;

  constructor(context: NodeContext, consequences: LedgerConsequences) {
    this.#context = context;
    this.#consequences = consequences;
  }

  /**
   * An epoch is in force once the block that began it is committed. A node that this block removes
   * does not get the new key, and its vote may be needed for that very commit: it must go on reading.
   * @throws ManagerError SESSION_KEY_MISSING
   */
  sessionKey(): SessionKey {
    const key = this.sessionKeyIfHeld();
    if (key) return key;
    const epoch = this.#inForce;
    throw new ManagerError('SESSION_KEY_MISSING', `no session key for epoch ${epoch}`, { epoch });
  }

  sessionKeyIfHeld(): SessionKey | undefined {
    return this.#context.sessionKeys.get(this.#inForce);
  }

  get #inForce(): Epoch {
    const { isCommitted, committedState, head } = this.#context.administration;
    return currentEpoch(isCommitted ? committedState : head);
  }

  canOpen(epoch: Epoch, block: Uint8Array): boolean {
    return this.#context.sessionKeys.opens(epoch, block);
  }

  /**
   * Also of another node's resumption, as long as it is not known to be final. A node that resumes while
   * this one leads had no part in its election: that concerns the next view.
   */
  reopens(): boolean {
    const { reopening, administration, driver } = this.#context;
    if (reopening.isNeeded && driver.status.view !== this.#begunView) return true;
    if (!administration.isCommitted) return false;
    const newest = newestEpoch(administration.head);
    return newest?.reason === 'resume' && newest.epoch > this.#inForce;
  }

  #resumeEpoch(set: TransactionSet): void {
    const { sessionKeys, control } = this.#context;
    const { epoch } = sessionKeys.begin(set, { reason: 'resume', nowMs: this.nowMs(), entropy });
    control.log('epoch.begun', { epoch, reason: 'resume' });
  }

  /** The epoch that this view began with is in force. */
  #reopened(from: Height, to: Height): void {
    const { administration, reopening, log, driver } = this.#context;
    if (!reopening.isNeeded || !administration.isCommitted) return;
    const newest = newestEpoch(administration.committedState);
    if (newest?.reason !== 'resume' || newest.height < from || newest.height > to) return;
    const { view } = driver.status;
    if (log.viewAt(newest.height) !== view) return;
    reopening.settled();
    this.#begunView = view;
  }

  onUnreadable(epoch: Epoch, block: Uint8Array): void {
    this.#context.epochs.want(epoch, block);
  }

  nowMs(): number {
    return Date.now();
  }

  saveHardState(state: { view: View; votedFor?: NodeId }): Promise<void> {
    return this.#context.records.put('hard-state', state);
  }

  onRefusedMessage(peer: NodeId, code: string, message: string): void {
    this.#consequences.onRefusedMessage(peer, code, message);
  }

  onBroken(error: CodedError): void {
    const { administration, identity } = this.#context;
    // A removed node has no key of the epoch its removal began: that is not damage.
    const isLeft =
      error.details.reason === 'UNKNOWN_EPOCH' &&
      administration.node(identity.nodeId)?.status === 'retired';
    const why = 'the node list has retired this node';
    this.#consequences.onBroken(isLeft ? new ManagerError('NODE_REMOVED', why) : error);
  }

  onDamagedStore({ code, message, details }: CodedError): void {
    const { control, driver } = this.#context;
    control.log('ledger.damaged', { level: 'error', code, why: message, ...details });
    // Whoever has a sound copy can feed the newcomers: this node leads only until another can.
    driver.transferLeadership();
  }

  onOpened(block: OpenedBlock): void {
    const { administration, epochs, feed, network, start } = this.#context;
    const { height, source } = block.header;
    if (source > 0) {
      feed.opened(block);
      return;
    }
    administration.apply(height, block.transactions);
    if (height === 1) requireGenesis(administration, network);
    for (const deployed of deploymentsOf(block, administration.head, start.workers)) {
      feed.opened(deployed);
    }
    this.#announcements.set(height, announcementOf(block));
    epochs.stateChanged();
  }

  /** The leader's own administrative block, for those who watch. */
  placed(height: Height, announcement: Announcement): void {
    this.#announcements.set(height, announcement);
    this.#deployed(height, announcement);
    this.#context.epochs.placed();
  }

  #deployed(height: Height, { transactionId, timeMs, publicWrites }: Announcement): void {
    const { administration, feed, start } = this.#context;
    const id = parseTransactionId(transactionId);
    assert(id !== undefined, 'a block without its place');
    const header = { height, timeMs, view: id.view, firstSeqno: id.seqno };
    const placed = { header, publicWrites };
    for (const block of deploymentsIn(placed, administration.head, start.workers)) {
      feed.placedHere(block);
    }
  }

  /** A transaction was executed but not placed. */
  takenBack(): void {
    this.#context.epochs.stateChanged();
  }

  onRollback(height: Height): void {
    const { administration, epochs, feed, queue } = this.#context;
    for (const at of this.#announcements.keys()) if (at > height) this.#announcements.delete(at);
    administration.rollback(height);
    epochs.stateChanged();
    feed.rollback(height);
    queue.rolledBack(height);
  }

  nextStop(from: number): number {
    return this.#context.snapshots.nextStop(from);
  }

  onCommitted(from: Height, to: Height): void {
    const { administration, feed, queue, pages, snapshots } = this.#context;
    const changed = administration.commit(to);
    if (changed) this.#reopened(from, to);
    feed.committed(from, to);
    // Nothing may come between: this is the state after exactly these blocks.
    snapshots.reached(to);
    pages.keepCompleted();
    queue.committed(to);
    if (changed) {
      snapshots.judge();
      this.#constitutionChanged(administration.committedConstitution);
      this.#announce(to);
    }
    this.#context.epochs.committed();
    this.#consequences.onCommitted(to);
  }

  #announce(to: Height): void {
    for (const [height, announcement] of this.#announcements) {
      if (height > to) continue;
      this.#announcements.delete(height);
      this.#consequences.onAnnouncement(announcement);
    }
  }

  /** A newcomer replays history: what the node list said long ago is nothing to act on. */
  #constitutionChanged(constitution: Constitution): void {
    const { driver, identity } = this.#context;
    driver.distributeBy(distributionUnder(constitution.policies));
    const { nodeId } = identity;
    const own = constitution.nodes.find((node) => node.nodeId === nodeId);
    if (own && own.status !== 'admitted') this.#consequences.onConstitution(constitution);
  }

  onCommittedByAll(height: Height): void {
    for (const link of this.#context.feed.links) link.send({ kind: 'committedByAll', height });
  }

  onRole(role: Role, view: View, leader: NodeId | undefined): void {
    const { feed, queue, control, leaderChanges } = this.#context;
    leaderChanges.seen(leader);
    const leads = role === 'leader';
    if (this.#leads && !leads) queue.leadershipLost();
    this.#leads = leads;
    if (leads && view !== this.#openedView) {
      this.#openedView = view;
      feed.giveSpeculatively();
      this.#openView();
    }
    const told = JSON.stringify([leads, view, leader]);
    if (told === this.#toldWorkers) return;
    this.#toldWorkers = told;
    control.log('consensus.role', { role, view, leader });
    const json = utf8(JSON.stringify({ leaderNode: leader }));
    for (const link of feed.links) link.send({ kind: 'role', leader: leads, view, json });
    this.#consequences.onStanding();
  }

  /** A session key came. */
  keyCame(): void {
    if (this.#viewToOpen && this.#leads) this.#openView();
  }

  /** The state of this node is that of a snapshot. */
  restored(height: number): void {
    const { administration, queue, epochs } = this.#context;
    this.#announcements.clear();
    this.#consequences.onAnnouncement(undefined);
    epochs.stateChanged();
    queue.committed(toHeight(height));
    this.#constitutionChanged(administration.committedConstitution);
    epochs.committed();
    this.#consequences.onCommitted(toHeight(height));
  }

  /** Only an entry of its own view lets a leader commit what earlier leaders left. */
  #openView(): void {
    const { administration, queue, control, epochs, driver } = this.#context;
    if (!administration.exists) return;
    this.#viewToOpen = false;
    try {
      if (this.reopens()) queue.placeNow((set) => this.#resumeEpoch(set), { resumption: true });
      else {
        queue.placeNow(() => undefined);
        this.#begunView = driver.status.view;
      }
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      if (error.code === 'SESSION_KEY_MISSING') {
        this.#viewToOpen = true;
        epochs.want(this.#inForce);
      }
      // Without it nothing commits and check-quorum or the next election ends this leadership.
      control.log('consensus.view-not-opened', { level: 'error', code: error.code });
    }
  }
}
