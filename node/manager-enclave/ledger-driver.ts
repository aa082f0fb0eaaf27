import {
  type Consensus,
  decodeMessage,
  type Effects,
  type Entry,
  encodeMessage,
  type ProposalRefusalCode,
  type Role,
} from '@concordat/consensus';
import {
  decodeHeader,
  type OpenedBlock,
  openPublicPart,
  type SessionKey,
  type TransactionRecord,
} from '@concordat/ledger';
import {
  assert,
  DecodeError,
  type Height,
  type NodeId,
  type Seqno,
  toHeight,
  type View,
} from '@concordat/std';
import { configurationOf } from './administration.ts';
import { type BlockLog, reconfigures } from './block-log.ts';
import { ManagerError } from './errors.ts';

/** What the driver needs of the disk (through the host). */
export interface LedgerDisk {
  append(height: number, block: Uint8Array): void;
  truncate(after: number): void;
  committed(height: number): void;
  read(from: number, to: number, maxBytes: number): Promise<Uint8Array[]>;
  flush(): void;
}

/** What the driver needs of the network. */
export interface LedgerPeers {
  send(nodeId: NodeId, parts: readonly Uint8Array[]): void;
  flush(): void;
}

/** What the rest of the manager does as the ledger moves. */
export interface LedgerEvents {
  /** A block made elsewhere was opened and is the newest now. */
  onOpened(block: OpenedBlock): void;
  /** Blocks above this height are taken back. */
  onRollback(height: Height): void;
  /** Blocks `from`..`to` are committed. */
  onCommitted(from: Height, to: Height): void;
  /** Every voter knows blocks up to here as committed. */
  onCommittedByAll(height: Height): void;
  /** Role, view or leader changed; `opened` blocks are in the log but not committed. */
  onRole(role: Role, view: View, leader: NodeId | undefined): void;
  /** Persists consensus's hard state durably. */
  saveHardState(state: { view: View; votedFor?: NodeId }): Promise<void>;
  /** A peer sent something it must not; named for the log. */
  onRefusedMessage(peer: NodeId, code: string, message: string): void;
  /** The key new blocks are sealed with. */
  sessionKey(): SessionKey;
  nowMs(): number;
}

/** Where a block was placed, or why it was not. */
export type Placed =
  | {
      readonly ok: true;
      readonly view: View;
      readonly height: Height;
      readonly firstSeqno: Seqno;
      readonly timeMs: number;
    }
  | { readonly ok: false; readonly code: ProposalRefusalCode };

const maxFetchBytes = 8 * 1024 * 1024;

/**
 * Carries out what consensus decides: seals and opens blocks, keeps disk and peers supplied, and
 * tells the rest of the manager what is final. The order of duties is that of {@link Effects}.
 */
export class LedgerDriver {
  readonly #consensus: Consensus;
  readonly #log: BlockLog;
  readonly #disk: LedgerDisk;
  readonly #peers: LedgerPeers;
  readonly #events: LedgerEvents;
  #hardStateSaved: Promise<void> = Promise.resolve();
  #truncationsPending = 0;
  #working = false;
  #lastTimeMs = 0;
  #blocksSealed = 0;

  constructor(parts: {
    readonly consensus: Consensus;
    readonly log: BlockLog;
    readonly disk: LedgerDisk;
    readonly peers: LedgerPeers;
    readonly events: LedgerEvents;
  }) {
    this.#consensus = parts.consensus;
    this.#log = parts.log;
    this.#disk = parts.disk;
    this.#peers = parts.peers;
    this.#events = parts.events;
  }

  /** The consensus machine's state. */
  get status() {
    return this.#consensus.status;
  }

  /** Blocks this node sealed as leader since it started. */
  get blocksSealed(): number {
    return this.#blocksSealed;
  }

  /** Whether this node leads and may seal blocks. */
  get leads(): boolean {
    return this.#consensus.status.role === 'leader';
  }

  /** One unit of consensus time passed. */
  tick(): void {
    this.#consensus.tick();
    this.#work();
  }

  /** Seals transactions into the next block and has it ordered. */
  place(
    source: number,
    transactions: readonly TransactionRecord[],
    options: { readonly configuration?: readonly NodeId[]; readonly sessionKey?: SessionKey } = {},
  ): Placed {
    const { configuration, sessionKey } = options;
    // Asked before sealing: one position of one view is sealed once, or its nonce would repeat.
    const code = this.#consensus.proposalRefusal(configuration);
    if (code !== undefined) return { ok: false, code };
    const { view } = this.#consensus.status;
    this.#lastTimeMs = Math.max(this.#lastTimeMs, this.#events.nowMs());
    const sealed = this.#log.seal({
      view,
      timeMs: this.#lastTimeMs,
      source,
      flags: configuration ? 1 : 0,
      transactions,
      sessionKey: sessionKey ?? this.#events.sessionKey(),
    });
    const proposed = this.#consensus.propose(sealed.bytes, configuration);
    assert(
      proposed.ok && proposed.height === sealed.header.height,
      'log and consensus agree on the next position',
    );
    this.#blocksSealed += 1;
    this.#work();
    const { height, firstSeqno, timeMs } = sealed.header;
    return { ok: true, view, height, firstSeqno, timeMs };
  }

  /** A consensus message of an authenticated peer. */
  received(peer: NodeId, bytes: Buffer): void {
    let refusal: { code: string; message: string } | undefined;
    try {
      refusal = this.#consensus.step(peer, decodeMessage(bytes));
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      refusal = { code: error.code, message: error.message };
    }
    if (refusal) this.#events.onRefusedMessage(peer, refusal.code, refusal.message);
    this.#work();
  }

  /** The host made blocks up to this height durable. */
  synced(height: number): void {
    // Heights are used again after a truncation: what was synced before it says nothing.
    if (this.#truncationsPending > 0) return;
    const view = this.#log.viewAt(height);
    if (view === undefined) return;
    this.#consensus.persisted(toHeight(height), view);
    this.#work();
  }

  /** The host carried out a truncation. */
  truncated(): void {
    this.#truncationsPending -= 1;
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

  /** Hands leadership over, if another voter can take it. */
  transferLeadership(): boolean {
    const done = this.#consensus.transferLeadership();
    this.#work();
    return done;
  }

  /** Carries out everything owed. Callbacks may come back here: the outer call goes on. */
  #work(): void {
    if (this.#working) return;
    this.#working = true;
    try {
      for (;;) {
        const effects = this.#consensus.takeEffects();
        if (!effects) break;
        this.#carryOut(effects);
      }
    } finally {
      this.#working = false;
    }
    this.#disk.flush();
    this.#peers.flush();
  }

  #carryOut(effects: Effects): void {
    const { hardState, afterHardState } = effects;
    if (hardState) {
      this.#hardStateSaved = this.#hardStateSaved.then(() => this.#events.saveHardState(hardState));
    }
    if (effects.truncateAfter !== undefined) this.#truncate(effects.truncateAfter);
    for (const entry of effects.append) this.#append(entry);
    for (const { to, message } of effects.messages) this.#peers.send(to, encodeMessage(message));
    if (afterHardState.length > 0) {
      void this.#hardStateSaved.then(() => {
        for (const { to, message } of afterHardState) this.#peers.send(to, encodeMessage(message));
        this.#peers.flush();
      });
    }
    if (effects.committed !== undefined) this.#commit(effects.committed);
    if (effects.committedByAll !== undefined) {
      this.#events.onCommittedByAll(effects.committedByAll);
    }
    for (const request of effects.fetch) void this.#fetch(request);
    if (effects.changed) {
      const { role, view, leader } = this.#consensus.status;
      this.#events.onRole(role, view, leader);
    }
  }

  #truncate(after: Height): void {
    this.#log.truncate(after);
    this.#events.onRollback(after);
    this.#truncationsPending += 1;
    this.#disk.truncate(after);
  }

  #append(entry: Entry): void {
    if (entry.height > this.#log.lastHeight) {
      const opened = this.#log.open(entry.payload);
      this.#checkEntry(entry, opened);
      this.#events.onOpened(opened);
    }
    this.#disk.append(entry.height, entry.payload);
  }

  /** What consensus was told about an entry must be what the sealed block says. */
  #checkEntry(entry: Entry, opened: OpenedBlock): void {
    const { header, transactions } = opened;
    const named =
      header.flags & 1 ? configurationOf(transactions.map((t) => t.publicWrites)) : undefined;
    const agrees =
      header.view === entry.view &&
      header.height === entry.height &&
      named?.join() === entry.configuration?.join();
    if (agrees) return;
    throw new ManagerError('LEDGER_CORRUPT', 'a block does not say what its leader claims of it', {
      height: entry.height,
    });
  }

  #commit(height: Height): void {
    const from = toHeight(this.#log.committedHeight + 1);
    if (height < from) return;
    this.#log.commit(height);
    this.#disk.committed(height);
    this.#events.onCommitted(from, height);
  }

  async #fetch({ peer, from, maxBytes }: Effects['fetch'][number]): Promise<void> {
    let blocks: Uint8Array[] = [];
    try {
      const to = Math.min(this.#log.committedHeight, from + 4095);
      blocks = await this.#disk.read(from, to, Math.min(maxBytes, maxFetchBytes));
    } catch (error) {
      if (!(error instanceof ManagerError)) throw error;
      this.#events.onRefusedMessage(peer, error.code, error.message);
    }
    this.#consensus.provide(peer, blocks.map(entryOf));
    this.#work();
  }
}

/** The consensus entry a stored block stands for. */
export function entryOf(block: Uint8Array): Entry {
  const { view, height } = decodeHeader(block);
  const entry = { view, height, payload: block };
  if (!reconfigures(block)) return entry;
  const configuration = configurationOf(openPublicPart(block).publicWrites);
  return configuration ? { ...entry, configuration } : entry;
}
