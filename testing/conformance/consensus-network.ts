import assert from 'node:assert/strict';
import {
  type Configuration,
  type Consensus,
  type Effects,
  type Entry,
  type InitialState,
  type Message,
  quorumSizesOf,
  type RaftOptions,
  type Role,
  type SnapshotPosition,
} from '@concordat/consensus';
import { type Height, type NodeId, toHeight, toNodeId, toView, type View } from '@concordat/std';

/** An ordering algorithm under test. */
export interface ConsensusImplementation {
  readonly name: string;
  create(options: RaftOptions): Consensus;
  /** How it orders entries among these voters. */
  configuration(voters: readonly NodeId[]): Configuration;
}

/** Identity of the node with this number, from 1. */
export const nodeOf = (number: number): NodeId => toNodeId(number.toString(16).padStart(64, '0'));

/** Identities of nodes 1 to `count`. */
export const nodesTo = (count: number): NodeId[] =>
  Array.from({ length: count }, (_, at) => nodeOf(at + 1));

/** Pseudo-random numbers from a seed, uniform in [0, 1) (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const chunkOf = (digest: string, index: number): Uint8Array =>
  Buffer.from(`chunk ${index} of ${digest}`);

/** One machine with its disk, driven as {@link Effects} asks; it watches that promise as it goes. */
export class SuiteNode {
  readonly id: NodeId;
  readonly machine: Consensus;
  /** Entries after `base`, in the order of the log. */
  log: Entry[] = [];
  /** Height the log begins after: of a snapshot, or 0. */
  base = 0;
  /** Height up to which its disk has the log. */
  durable = 0;
  hardState: { view: View; votedFor?: NodeId };
  committed = 0;
  committedByAll = 0;
  /** Whether its disk works. */
  persists = true;
  readonly snapshots = new Map<string, SnapshotPosition>();
  readonly reads = new Map<string, number>();
  readonly failedReads = new Set<string>();
  restored = 0;
  fetches = 0;
  readonly #chunks = new Map<string, number>();

  constructor(
    implementation: ConsensusImplementation,
    options: RaftOptions,
    log: readonly Entry[],
  ) {
    const { initial, self } = options;
    this.id = self;
    this.log = [...log];
    this.durable = initial.lastHeight;
    this.committed = initial.committed;
    this.hardState = {
      view: initial.view,
      ...(initial.votedFor !== undefined && { votedFor: initial.votedFor }),
    };
    this.machine = implementation.create(options);
  }

  get role(): Role {
    return this.machine.status.role;
  }

  get lastHeight(): number {
    return this.base + this.log.length;
  }

  entryAt(height: number): Entry | undefined {
    return this.log[height - 1 - this.base];
  }

  /** Does what is owed and answers what is to be sent. */
  work(): { to: NodeId; message: Message }[] {
    const out: { to: NodeId; message: Message }[] = [];
    for (let owed = this.machine.takeEffects(); owed; owed = this.machine.takeEffects()) {
      this.#hardState(owed);
      this.#log(owed);
      this.#reads(owed);
      // The disk of hard states is fast here, so these messages may go as well.
      out.push(...owed.messages, ...owed.afterHardState);
      if (this.persists) this.persist();
      this.#snapshots(owed);
    }
    return out;
  }

  #hardState({ hardState }: Effects): void {
    if (!hardState) return;
    const { view, votedFor } = this.hardState;
    assert.ok(hardState.view >= view, 'a view never falls');
    const repeats = hardState.view > view || votedFor === undefined;
    assert.ok(repeats || hardState.votedFor === votedFor, 'nobody votes twice in a view');
    this.hardState = hardState;
  }

  #log({ truncateAfter, append, committed, committedByAll, fetch }: Effects): void {
    if (truncateAfter !== undefined) {
      assert.ok(truncateAfter >= this.committed, 'what is committed is not taken back');
      this.log.length = truncateAfter - this.base;
      this.durable = Math.min(this.durable, truncateAfter);
    }
    for (const entry of append) {
      assert.equal(entry.height, this.lastHeight + 1, 'entries come in order');
      this.log.push(entry);
    }
    if (committed !== undefined) {
      assert.ok(committed > this.committed, 'the commit height rises');
      assert.ok(committed <= this.lastHeight, 'what is committed is in the log');
      this.committed = committed;
    }
    if (committedByAll !== undefined) this.committedByAll = committedByAll;
    for (const { peer, from, maxBytes } of fetch) {
      this.fetches += 1;
      this.machine.provide(peer, this.#read(from, maxBytes));
    }
  }

  #reads({ reads, failedReads }: Effects): void {
    for (const { requestId, height } of reads) this.reads.set(requestId, height);
    for (const requestId of failedReads) this.failedReads.add(requestId);
  }

  #snapshots({ chunkFetch, receptionDropped, chunkReceived, restore }: Effects): void {
    if (receptionDropped) this.#chunks.clear();
    for (const { peer, digest, index } of chunkFetch) {
      const bytes = this.snapshots.has(digest) ? chunkOf(digest, index) : undefined;
      this.machine.provideChunk(peer, digest, index, bytes);
    }
    for (const { position, index, bytes } of chunkReceived) {
      const { digest } = position;
      assert.equal(index, index === 0 ? 0 : this.#chunks.get(digest), 'chunks come in order');
      assert.deepEqual(bytes, chunkOf(digest, index), 'chunks come unchanged');
      this.#chunks.set(digest, index + 1);
      this.machine.chunkStored(digest, index);
    }
    if (!restore) return;
    assert.equal(this.#chunks.get(restore.digest), restore.chunks, 'a whole snapshot is restored');
    assert.ok(restore.height > this.committed, 'a snapshot brings something new');
    this.log = [];
    this.base = restore.height;
    this.durable = restore.height;
    this.committed = restore.height;
    this.restored += 1;
    this.#chunks.delete(restore.digest);
    this.machine.restored(restore.digest);
  }

  /** All that was handed to the disk is durable. */
  persist(): void {
    if (this.durable === this.lastHeight) return;
    this.durable = this.lastHeight;
    const last = this.log.at(-1) as Entry;
    this.machine.persisted(last.height, last.view);
  }

  /** The state after everything committed, as a snapshot others can get; older entries are gone. */
  snapshot(chunks: number, configuration: Configuration): SnapshotPosition {
    const last = this.entryAt(this.committed) as Entry;
    const digest = `${last.view}${String(last.height).padStart(9, '0')}`.padStart(64, '0');
    const position = {
      height: last.height,
      view: last.view,
      configuration,
      configurationHeight: toHeight(0),
      chunks,
      digest,
    };
    this.snapshots.set(digest, position);
    this.machine.offerSnapshot(position);
    return position;
  }

  /** Has a snapshot no more. */
  withdraw(digest: string): void {
    this.snapshots.delete(digest);
    this.machine.withdrawSnapshot(digest);
  }

  /** Digests of the snapshots of which it holds what it received. */
  get receiving(): readonly string[] {
    return [...this.#chunks.keys()];
  }

  /** Forgets the entries up to a height, as a driver does that has a snapshot of them. */
  prune(upTo: number): void {
    this.log.splice(0, upTo - this.base);
    this.base = upTo;
  }

  #read(from: Height, maxBytes: number): Entry[] {
    if (from <= this.base) return [];
    const entries: Entry[] = [];
    let bytes = 0;
    for (const entry of this.log.slice(from - 1 - this.base, this.committed - this.base)) {
      bytes += entry.payload.length;
      if (entries.length > 0 && bytes > maxBytes) break;
      entries.push(entry);
    }
    return entries;
  }

  /** What this node would start from again, had its disk survived. */
  remains(configuration: Configuration): InitialState {
    const kept = this.log.slice(0, this.durable - this.base);
    const last = kept.at(-1);
    return {
      view: this.hardState.view,
      ...(this.hardState.votedFor !== undefined && { votedFor: this.hardState.votedFor }),
      lastHeight: last?.height ?? toHeight(0),
      lastView: last?.view ?? toView(0),
      committed: toHeight(Math.min(this.committed, this.durable)),
      configuration,
      configurationHeight: toHeight(0),
      viewHistory: kept
        .filter((entry, at) => kept[at - 1]?.view !== entry.view)
        .map(({ view, height }) => ({ view, fromHeight: height })),
    };
  }
}

/** How a network of the suite behaves. */
export interface NetworkOptions {
  readonly seed?: number;
  readonly change?: Partial<RaftOptions>;
}

/** Several machines, a wire that a test can cut, and what must hold at every step. */
export class SuiteNetwork {
  readonly implementation: ConsensusImplementation;
  readonly nodes = new Map<NodeId, SuiteNode>();
  readonly random: () => number;
  /** Answers false for a message that is lost. */
  delivers: (from: NodeId, to: NodeId, message: Message) => boolean = () => true;
  /** Entry that anyone committed at each height, from 1, and by whom it is to be ordered. */
  readonly history: Entry[] = [];
  readonly #change: Partial<RaftOptions>;
  readonly #leaders = new Map<number, NodeId>();
  #voters: readonly NodeId[];

  constructor(
    implementation: ConsensusImplementation,
    voters: number,
    options: NetworkOptions = {},
  ) {
    this.implementation = implementation;
    this.random = randomOf(options.seed ?? 1);
    this.#change = options.change ?? {};
    this.#voters = nodesTo(voters);
    for (const id of this.#voters) this.start(id);
  }

  /** The voters of the newest committed configuration. */
  get voters(): readonly NodeId[] {
    return this.#voters;
  }

  /** Adds a node with an empty log that knows the genesis configuration, or with what remains. */
  start(
    id: NodeId,
    remains?: { readonly initial: InitialState; readonly log: Entry[] },
  ): SuiteNode {
    const initial = remains?.initial ?? {
      view: toView(0),
      lastHeight: toHeight(0),
      lastView: toView(0),
      committed: toHeight(0),
      configuration: this.configuration(this.#voters),
      configurationHeight: toHeight(0),
      viewHistory: [],
    };
    const options: RaftOptions = {
      self: id,
      electionTicks: 10,
      heartbeatTicks: 2,
      random: this.random,
      maxAppendBytes: 1 << 16,
      maxInflightAppends: 8,
      maxMemoryBytes: 1 << 20,
      initial,
      ...this.#change,
    };
    const node = new SuiteNode(this.implementation, options, remains?.log ?? []);
    this.nodes.set(id, node);
    return node;
  }

  configuration(voters: readonly NodeId[]): Configuration {
    return this.implementation.configuration(voters);
  }

  node(number: number): SuiteNode {
    return this.nodes.get(nodeOf(number)) as SuiteNode;
  }

  /** Delivers until nobody has anything to say. */
  settle(): void {
    for (let busy = true; busy; ) {
      busy = false;
      for (const node of [...this.nodes.values()]) {
        for (const { to, message } of this.work(node)) {
          const receiver = this.nodes.get(to);
          if (!receiver || !this.delivers(node.id, to, message)) continue;
          busy = true;
          receiver.machine.step(node.id, message);
        }
      }
    }
  }

  /** One node does what it owes, and what it did is checked. */
  work(node: SuiteNode): { to: NodeId; message: Message }[] {
    const before = node.committed;
    const out = node.work();
    for (let height = before + 1; height <= node.committed; height += 1) this.#check(node, height);
    const { role, view } = node.machine.status;
    if (role === 'leader') {
      const other = this.#leaders.get(view) ?? node.id;
      assert.equal(other, node.id, `view ${view} has one leader`);
      this.#leaders.set(view, node.id);
    }
    return out;
  }

  #check(node: SuiteNode, height: number): void {
    const entry = node.entryAt(height);
    // What came with a snapshot was checked when it was committed elsewhere.
    if (!entry) return;
    const known = this.history[height - 1];
    if (known) {
      assert.equal(entry.view, known.view, `all agree on height ${height}`);
      assert.deepEqual(entry.payload, known.payload, `all agree on height ${height}`);
      return;
    }
    assert.equal(height, this.history.length + 1, 'nothing is committed out of order');
    const governing = [this.configuration(this.#voters)];
    if (entry.configuration) governing.push(entry.configuration);
    for (const configuration of governing) this.#requireDurable(entry, configuration);
    if (entry.configuration) this.#voters = entry.configuration.voters;
    this.history.push(entry);
  }

  #requireDurable(entry: Entry, configuration: Configuration): void {
    const holders = configuration.voters.filter((voter) => {
      const node = this.nodes.get(voter);
      const held = node?.entryAt(entry.height);
      return (
        node &&
        node.durable >= entry.height &&
        (held ? held.view === entry.view : node.base >= entry.height)
      );
    });
    const { replication } = quorumSizesOf(configuration);
    assert.ok(
      holders.length >= replication,
      `height ${entry.height} is on ${holders.length} disks`,
    );
  }

  /** One tick of every node, then all messages; as often as told. */
  run(ticks: number): void {
    for (let tick = 0; tick < ticks; tick += 1) {
      for (const node of [...this.nodes.values()]) node.machine.tick();
      this.settle();
    }
  }

  /** Runs until something holds. */
  until(holds: () => boolean, what: string, ticks = 400): void {
    for (let tick = 0; tick < ticks && !holds(); tick += 1) this.run(1);
    assert.ok(holds(), `within ${ticks} ticks: ${what}`);
  }

  /** The one that leads among these nodes, once it got an entry of its view committed. */
  leader(among: readonly NodeId[] = [...this.nodes.keys()]): SuiteNode {
    let found: SuiteNode | undefined;
    this.until(() => {
      found = among.map((id) => this.nodes.get(id)).find((node) => node?.role === 'leader');
      if (!found) return false;
      if (
        found.machine.proposalRefusal() === undefined &&
        found.log.at(-1)?.view !== found.machine.status.view
      ) {
        found.machine.propose(Buffer.from('opens its view'));
        this.settle();
      }
      return (
        found.role === 'leader' &&
        found.entryAt(found.committed)?.view === found.machine.status.view
      );
    }, 'a leader that can commit');
    return found as SuiteNode;
  }

  /** Has the leader order a payload, and answers its height. */
  propose(text: string): number {
    const leader = this.leader();
    const proposed = leader.machine.propose(Buffer.from(text));
    assert.ok(proposed.ok, 'a leader takes a proposal');
    this.settle();
    return proposed.height;
  }

  /** Whether every node of the network knows everything as committed. */
  get agreed(): boolean {
    const heights = [...this.nodes.values()].map(({ committed }) => committed);
    return heights.every((height) => height === this.history.length);
  }

  /** Messages between this node and the others are lost. */
  isolate(...ids: NodeId[]): void {
    this.delivers = (from, to) => ids.includes(from) === ids.includes(to);
  }

  heal(): void {
    this.delivers = () => true;
  }

  /** A node is gone for good. */
  crash(node: SuiteNode): void {
    this.nodes.delete(node.id);
  }
}
