import {
  type Consensus,
  type Distribution,
  decodeMessage,
  type Effects,
  type Entry,
  encodeMessage,
  type Message,
  type Refusal,
  type SnapshotPosition,
} from '@concordat/consensus';
import type { TransactionRecord } from '@concordat/ledger';
import { CodedError, DecodeError, type Height, type NodeId, toHeight } from '@concordat/std';
import { entriesFor } from './block-feed.ts';
import type { BlockLog } from './block-log.ts';
import { DiskProgress } from './disk-progress.ts';
import type {
  LedgerDisk,
  LedgerEvents,
  LedgerPeers,
  LedgerReader,
  LedgerReads,
  Placed,
} from './ledger-duties.ts';
import { requireAgreement } from './log-entry.ts';
import { type Readability, readablePart } from './readable-append.ts';
import { type PlacementOptions, Sealing } from './sealing.ts';
import { type SnapshotDuties, SnapshotTraffic } from './snapshot-traffic.ts';
import { damaged } from './stored-blocks.ts';

/**
 * Carries out what consensus decides: seals and opens blocks, keeps disk and peers supplied, and
 * tells the rest of the manager what is final. The order of duties is that of {@link Effects}.
 */
export class LedgerDriver {
  readonly #consensus: Consensus;
  readonly #log: BlockLog;
  readonly #disk: LedgerDisk;
  readonly #onDisk: DiskProgress;
  readonly #stored: LedgerReader;
  readonly #peers: LedgerPeers;
  readonly #events: LedgerEvents;
  readonly #reads: LedgerReads;
  readonly #sealing: Sealing;
  readonly #traffic: SnapshotTraffic;
  #hardStateSaved: Promise<void> = Promise.resolve();
  #working = false;
  /** The newest append that has blocks nobody here could open. */
  #unread: { readonly peer: NodeId; readonly message: Message } | undefined;
  #stopped = false;
  /** A block waits to be written: it starts now, while all else may share the turn's one write. */
  #blockWaits = false;
  /** What is owed is carried out at the end of this turn. */
  #scheduled = false;

  constructor(parts: {
    readonly consensus: Consensus;
    readonly log: BlockLog;
    readonly disk: LedgerDisk;
    readonly stored: LedgerReader;
    readonly peers: LedgerPeers;
    readonly events: LedgerEvents;
    readonly reads: LedgerReads;
    readonly snapshots: SnapshotDuties;
  }) {
    this.#consensus = parts.consensus;
    this.#log = parts.log;
    this.#disk = parts.disk;
    this.#onDisk = new DiskProgress(parts.disk);
    this.#stored = parts.stored;
    this.#peers = parts.peers;
    this.#events = parts.events;
    this.#reads = parts.reads;
    this.#sealing = new Sealing(parts);
    this.#traffic = new SnapshotTraffic({
      consensus: parts.consensus,
      duties: parts.snapshots,
      turn: (answer) => {
        if (this.#stopped) return;
        answer();
        this.#work();
      },
      broken: (error) => {
        if (this.#stopped) return;
        this.stop();
        this.#events.onBroken(error);
      },
    });
  }

  /** The consensus machine's state. */
  get status() {
    return this.#consensus.status;
  }

  /**
   * How far the ledger is final and on this node's own disk: a follower learns that a block is
   * committed when others have it, maybe before its own host has synced it.
   */
  get durableHeight(): number {
    return Math.min(this.#log.committedHeight, this.#onDisk.syncedTo);
  }

  /** Blocks this node sealed as leader since it started. */
  get blocksSealed(): number {
    return this.#sealing.blocksSealed;
  }

  /** Whether this node leads and may seal blocks. */
  get leads(): boolean {
    return !this.#stopped && this.#consensus.status.role === 'leader';
  }

  /** Takes no more part: nothing is sealed, opened, acknowledged or voted from now on. */
  stop(): void {
    this.#stopped = true;
  }

  /** One unit of consensus time passed. */
  tick(): void {
    if (this.#stopped) return;
    this.#onDisk.tellCommitted();
    this.#consensus.tick();
    this.#work();
  }

  /** Seals transactions into the next block and has it ordered. */
  place(
    source: number,
    transactions: readonly TransactionRecord[],
    options: PlacementOptions = {},
  ): Placed {
    if (this.#stopped) return { ok: false, code: 'NOT_LEADER' };
    const placed = this.#sealing.place(source, transactions, options);
    if (!placed.ok) return placed;
    if (options.withOthers) this.#workLater();
    else this.#work();
    return placed;
  }

  /** A consensus message of an authenticated peer; {@link flush} ends a burst of them. */
  received(peer: NodeId, bytes: Buffer): void {
    if (this.#stopped) return;
    let message: Message;
    try {
      message = decodeMessage(bytes);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#events.onRefusedMessage(peer, error.code, error.message);
      return;
    }
    const refusal = this.#step(peer, message);
    if (refusal) this.#events.onRefusedMessage(peer, refusal.code, refusal.message);
  }

  /** Steps a message as far as its blocks can be opened, and keeps what is left of it. */
  #step(peer: NodeId, message: Message): Refusal | undefined {
    for (;;) {
      const { message: part, next, lacks } = readablePart(message, this.#readability);
      const refusal = this.#consensus.step(peer, part);
      this.#carryOutAll();
      if (refusal || !next) return refusal;
      if (lacks !== undefined) {
        this.#unread = { peer, message };
        this.#events.onUnreadable(lacks, next.payload);
        return undefined;
      }
      // The block that begins an epoch is open now, unless consensus took no entries at all.
      if (this.#stopped || this.#log.lastHeight < next.height - 1) return undefined;
    }
  }

  readonly #readability: Readability = {
    holds: ({ height, view }) =>
      height <= this.#log.lastHeight && this.#log.viewAt(height) === view,
    canOpen: (epoch, block) => this.#events.canOpen(epoch, block),
  };

  /**
   * A session key came: what could not be opened is looked at again. The leader sends it again too,
   * and whatever is out of date by now is nothing new to consensus.
   */
  keyCame(): void {
    const unread = this.#unread;
    if (!unread || this.#stopped) return;
    this.#unread = undefined;
    this.#step(unread.peer, unread.message);
    this.flush();
  }

  /**
   * Writes blocks for disk and peers now: the disk is the longest stage. What else was collected
   * goes out once at the end of the turn, in one write a connection.
   */
  flush(): void {
    if (!this.#blockWaits) return;
    this.#blockWaits = false;
    this.#disk.flush();
    this.#peers.flush();
  }

  /** The host made blocks up to this height durable. */
  synced(height: number): void {
    if (this.#stopped || !this.#onDisk.synced(height, this.#log.lastHeight)) return;
    const view = this.#log.viewAt(height);
    if (view === undefined) return;
    this.#consensus.persisted(toHeight(height), view);
    this.#work();
  }

  /**
   * The host carried out a truncation.
   * @throws ManagerError HOST_FAULT when none was asked for
   */
  truncated(): void {
    this.#onDisk.truncated();
  }

  /** See {@link Consensus}. */
  addLearner(peer: NodeId): void {
    this.#consensus.addLearner(peer);
    this.#work();
  }

  /** See {@link Consensus}. */
  removeLearner(peer: NodeId): void {
    this.#consensus.removeLearner(peer);
    this.#work();
  }

  /** A snapshot of this node can be given to peers that lack too much. */
  offerSnapshot(position: SnapshotPosition): void {
    if (this.#stopped) return;
    this.#consensus.offerSnapshot(position);
    this.#work();
  }

  /** A snapshot of this node cannot be given to peers any more. */
  withdrawSnapshot(digest: string): void {
    if (this.#stopped) return;
    this.#consensus.withdrawSnapshot(digest);
    this.#work();
  }

  /** See {@link Consensus}. */
  distributeBy(distribution: Distribution): void {
    this.#consensus.distributeBy(distribution);
  }

  /** Hands leadership over, if another voter can take it. */
  transferLeadership(): boolean {
    if (this.#stopped) return false;
    const done = this.#consensus.transferLeadership();
    this.#work();
    return done;
  }

  /** The connection kept to a peer broke; see {@link Consensus}. */
  connectionLost(peer: NodeId): void {
    if (!this.#stopped) this.#consensus.connectionLost(peer);
  }

  /** Asks for a linearizable read; see {@link Consensus}. The answer goes to `reads`. */
  readIndex(requestId: string): void {
    if (this.#stopped) {
      this.#reads.failed(requestId);
      return;
    }
    this.#consensus.readIndex(requestId);
    this.#work();
  }

  /** At the end of this turn of the event loop: blocks that came together go on together. */
  #workLater(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#work();
    });
  }

  #work(): void {
    this.#carryOutAll();
    this.flush();
  }

  /** Carries out everything owed. Callbacks may come back here: the outer call goes on. */
  #carryOutAll(): void {
    if (this.#working || this.#stopped) return;
    this.#working = true;
    try {
      for (;;) {
        const effects = this.#consensus.takeEffects();
        if (!effects) break;
        this.#carryOut(effects);
      }
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      // Consensus holds an entry that the log does not: this launch has no way on.
      this.stop();
      this.#events.onBroken(error);
    } finally {
      this.#working = false;
    }
  }

  #carryOut(effects: Effects): void {
    const { hardState, afterHardState } = effects;
    if (hardState) {
      this.#hardStateSaved = this.#hardStateSaved.then(() => this.#events.saveHardState(hardState));
    }
    if (effects.truncateAfter !== undefined) this.#truncate(effects.truncateAfter);
    for (const entry of effects.append) this.#append(entry);
    for (const { to, message } of effects.messages) this.#peers.send(to, encodeMessage(message));
    if (hardState || afterHardState.length > 0) this.#sendAfterHardState(afterHardState);
    if (effects.receptionDropped) this.#traffic.dropReception();
    if (effects.committed !== undefined) this.#commit(effects.committed);
    if (effects.committedByAll !== undefined) {
      this.#events.onCommittedByAll(effects.committedByAll);
    }
    // After the commit: whoever is told a height finds everything up to it handed on already.
    for (const { requestId, height } of effects.reads) this.#reads.confirmed(requestId, height);
    for (const requestId of effects.failedReads) this.#reads.failed(requestId);
    for (const request of effects.fetch) void this.#fetch(request);
    if (effects.restore) this.#dropTail();
    this.#traffic.carryOut(effects);
    if (effects.changed) {
      const { role, view, leader } = this.#consensus.status;
      this.#events.onRole(role, view, leader);
    }
  }

  #sendAfterHardState(messages: Effects['afterHardState']): void {
    this.#hardStateSaved.then(
      () => {
        if (this.#stopped) return;
        for (const { to, message } of messages) this.#peers.send(to, encodeMessage(message));
      },
      (error: unknown) => {
        if (this.#stopped) return;
        this.stop();
        this.#events.onBroken(error as CodedError);
      },
    );
  }

  #truncate(after: Height): void {
    this.#log.truncate(after);
    this.#events.onRollback(after);
    this.#onDisk.truncate(after);
  }

  /**
   * The state is about to be replaced. What of the log is not final may be final elsewhere: nobody
   * is told that it was lost.
   */
  #dropTail(): void {
    const { committedHeight, lastHeight } = this.#log;
    if (lastHeight > committedHeight) this.#onDisk.truncate(committedHeight);
  }

  #append(entry: Entry): void {
    if (entry.height > this.#log.lastHeight) {
      try {
        const opened = this.#log.open(entry.payload);
        requireAgreement(entry, opened);
        this.#events.onOpened(opened);
      } catch (error) {
        throw damaged(error, entry.height);
      }
    }
    this.#onDisk.append(entry.height, entry.payload);
    this.#blockWaits = true;
  }

  #commit(height: Height): void {
    while (this.#log.committedHeight < height) {
      const from = toHeight(this.#log.committedHeight + 1);
      const to = toHeight(Math.min(height, this.#events.nextStop(from)));
      this.#log.commit(to);
      this.#onDisk.committed(to);
      this.#events.onCommitted(from, to);
    }
  }

  async #fetch({ peer, from, maxBytes }: Effects['fetch'][number]): Promise<void> {
    let entries: readonly Entry[] = [];
    try {
      // Up to the end: what a resumed node had stored and not yet committed is only on its disk.
      entries = await entriesFor(this.#stored, { from, to: this.#log.lastHeight, maxBytes });
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      // What cannot be had here is no damage: the peer gets a snapshot instead. And what another
      // leader has had taken back meanwhile is not missing.
      const isDamage = !isNotHere(error.code) && this.leads;
      if (isDamage) this.#events.onDamagedStore(error);
    }
    if (this.#stopped) return;
    this.#consensus.provide(peer, entries);
    this.#work();
  }
}

/** Blocks, or the keys that check them, that this node could not get hold of. */
const isNotHere = (code: string): boolean =>
  code === 'BLOCK_NOT_HELD' || code === 'KEY_SHARES_MISSING' || code === 'SESSION_KEY_MISSING';
