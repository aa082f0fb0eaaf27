import { type Height, type NodeId, toHeight, toNodeId, toView, type View } from '@concordat/std';
import {
  type Configuration,
  type Consensus,
  createRaft,
  type Effects,
  type Entry,
  type InitialState,
  type Install,
  type Message,
  type RaftOptions,
  type Refusal,
  type SnapshotPosition,
} from '../index.ts';

/** Identity of the node with this one-letter hex name. */
export const id = (name: string): NodeId => toNodeId(name.repeat(64));
export const ids = (names: string): NodeId[] => [...names].map(id);
/** Configuration of these voters, by majorities or by the sizes given. */
export const among = (names: string, replication?: number, election?: number): Configuration =>
  replication === undefined || election === undefined
    ? { voters: ids(names) }
    : { voters: ids(names), quorums: { replication, election } };
export const height = (value: number): Height => toHeight(value);
export const view = (value: number): View => toView(value);
export const payload = (text: string): Uint8Array => Buffer.from(text);
export const entry = (entryView: number, entryHeight: number, voters?: string): Entry => ({
  view: view(entryView),
  height: height(entryHeight),
  payload: payload(`${entryView}.${entryHeight}`),
  ...(voters !== undefined && { configuration: among(voters) }),
});

export const empty = (voters: string): InitialState => ({
  view: view(0),
  lastHeight: height(0),
  lastView: view(0),
  committed: height(0),
  configuration: among(voters),
  configurationHeight: height(0),
  viewHistory: [],
});

export const options = (name: string, voters: string): RaftOptions => ({
  self: id(name),
  electionTicks: 10,
  heartbeatTicks: 2,
  random: () => (name.charCodeAt(0) % 8) / 8,
  maxAppendBytes: 1 << 20,
  maxInflightAppends: 16,
  maxMemoryBytes: 1 << 24,
  initial: empty(voters),
});

/** Chunks of the snapshot at a height: the same on every node, as their digest is. */
export const chunkOf = (position: SnapshotPosition, index: number): Uint8Array =>
  Buffer.from(`chunk ${index} of ${position.digest}`);

/** A snapshot of so many chunks at a position of a log ordered by these voters. */
export const snapshotAt = (
  at: { height: number; view: number; chunks: number },
  configuration: Configuration,
  configurationHeight = 0,
): SnapshotPosition => ({
  height: height(at.height),
  view: view(at.view),
  configuration,
  configurationHeight: height(configurationHeight),
  chunks: at.chunks,
  digest: `${at.view}${at.height.toString().padStart(9, '0')}`.padStart(64, '0'),
});

let build: (raftOptions: RaftOptions) => Consensus = createRaft;

/** Runs something with another build of the machine in every new {@link TestNode}. */
export function withBuild(other: typeof createRaft, body: () => void): void {
  build = other;
  try {
    body();
  } finally {
    build = createRaft;
  }
}

/** One machine, a log as its disk, and everything it did. */
export class TestNode {
  readonly name: string;
  readonly raft: Consensus;
  /** Entries after `base`. */
  readonly disk: Entry[] = [];
  /** Height of the snapshot the log begins after. */
  base = 0;
  /** Snapshots it can send, by digest. */
  readonly snapshots = new Map<string, SnapshotPosition>();
  /** Chunks it was handed and has stored, by digest. */
  readonly chunks = new Map<string, Uint8Array[]>();
  readonly restored: SnapshotPosition[] = [];
  /** Whether it stores chunks at once, and restores what is complete. */
  storesChunks = true;
  restores = true;
  readonly seen: Effects[] = [];
  readonly reads: string[] = [];
  readonly failedReads: string[] = [];
  readonly refusals: Refusal[] = [];
  committed = 0;
  committedByAll = 0;
  votedFor: NodeId | undefined;
  persists = true;

  constructor(name: string, raftOptions: RaftOptions) {
    this.name = name;
    this.raft = build(raftOptions);
  }

  get status() {
    return this.raft.status;
  }

  /** Takes effects, does what they ask of the disk, and answers what is to be sent. */
  work(): { to: NodeId; message: Message }[] {
    const out: { to: NodeId; message: Message }[] = [];
    for (let effects = this.raft.takeEffects(); effects; effects = this.raft.takeEffects()) {
      this.seen.push(effects);
      if (effects.hardState) this.votedFor = effects.hardState.votedFor;
      if (effects.truncateAfter !== undefined) {
        this.disk.length = effects.truncateAfter - this.base;
      }
      this.disk.push(...effects.append);
      if (effects.committed !== undefined) this.committed = effects.committed;
      if (effects.committedByAll !== undefined) this.committedByAll = effects.committedByAll;
      for (const read of effects.reads) this.reads.push(`${read.requestId}@${read.height}`);
      this.failedReads.push(...effects.failedReads);
      out.push(...effects.messages, ...effects.afterHardState);
      if (this.persists && effects.append.length > 0) this.persist();
      for (const { peer, from, maxBytes } of effects.fetch) {
        this.raft.provide(peer, this.#read(from, maxBytes));
      }
      this.#carrySnapshots(effects);
    }
    return out;
  }

  #carrySnapshots({ chunkFetch, receptionDropped, chunkReceived, restore }: Effects): void {
    if (receptionDropped) this.chunks.clear();
    for (const { peer, digest, index } of chunkFetch) {
      const position = this.snapshots.get(digest);
      this.raft.provideChunk(peer, digest, index, position && chunkOf(position, index));
    }
    for (const { position, index, bytes } of chunkReceived) {
      const stored = (index > 0 && this.chunks.get(position.digest)) || [];
      this.chunks.set(position.digest, stored);
      if (stored.length !== index) throw new Error(`chunk ${index} after ${stored.length}`);
      stored.push(bytes);
      if (this.storesChunks) this.raft.chunkStored(position.digest, index);
    }
    if (restore && this.restores) this.restore(restore);
  }

  /** Makes a snapshot's state its own; the log begins after it. */
  restore(position: SnapshotPosition): void {
    const expected = Array.from({ length: position.chunks }, (_, at) => chunkOf(position, at));
    const stored = this.chunks.get(position.digest) ?? [];
    if (Buffer.compare(Buffer.concat(stored), Buffer.concat(expected)) !== 0) {
      throw new Error('restores other chunks than were offered');
    }
    this.disk.length = 0;
    this.base = position.height;
    this.committed = position.height;
    this.restored.push(position);
    this.raft.restored(position.digest);
  }

  /** Has this snapshot from now on. */
  offer(position: SnapshotPosition): void {
    this.snapshots.set(position.digest, position);
    this.raft.offerSnapshot(position);
  }

  /** Everything handed to the disk so far is durable. */
  persist(): void {
    const last = this.disk[this.disk.length - 1];
    if (last) this.raft.persisted(last.height, last.view);
  }

  step(from: string, message: Message): Refusal | undefined {
    const refusal = this.raft.step(id(from), message);
    if (refusal) this.refusals.push(refusal);
    return refusal;
  }

  #read(from: Height, maxBytes: number): Entry[] {
    const entries: Entry[] = [];
    let bytes = 0;
    if (from <= this.base) return [];
    for (const one of this.disk.slice(from - 1 - this.base)) {
      bytes += one.payload.length;
      if (entries.length > 0 && bytes > maxBytes) break;
      entries.push(one);
    }
    return entries;
  }
}

/** Several machines and a wire that delivers in order, unless a filter drops. */
export class TestNetwork {
  readonly nodes = new Map<NodeId, TestNode>();
  /** Answers false for a message that is lost. */
  delivers: (from: string, to: string, message: Message) => boolean = () => true;
  delivered = 0;

  constructor(names: string, change: Partial<RaftOptions> = {}) {
    for (const name of names) this.add(name, names, change);
  }

  add(name: string, voters: string, change: Partial<RaftOptions> = {}): TestNode {
    const node = new TestNode(name, { ...options(name, voters), ...change });
    this.nodes.set(id(name), node);
    return node;
  }

  node(name: string): TestNode {
    return this.nodes.get(id(name)) as TestNode;
  }

  /** Delivers until nobody has anything to say. */
  settle(): void {
    for (let busy = true; busy; ) {
      busy = false;
      for (const node of this.nodes.values()) {
        for (const { to, message } of node.work()) {
          busy = true;
          const receiver = this.nodes.get(to);
          if (receiver && this.delivers(node.name, receiver.name, message)) {
            this.delivered += 1;
            receiver.step(node.name, message);
          }
        }
      }
    }
  }

  /** One tick of every node, then all messages; as often as told. */
  run(ticks: number): void {
    for (let tick = 0; tick < ticks; tick += 1) {
      for (const node of this.nodes.values()) node.raft.tick();
      this.settle();
    }
  }

  /** Ticks one node until it leads, and gets an entry of its view committed. */
  elect(name: string): TestNode {
    const node = this.node(name);
    for (let tick = 0; tick < 100 && node.status.role !== 'leader'; tick += 1) {
      node.raft.tick();
      this.settle();
    }
    if (node.status.role !== 'leader') throw new Error(`${name} was not elected`);
    node.raft.propose(payload('no-op'));
    this.settle();
    return node;
  }

  /** Nobody reaches these nodes, and they reach nobody. */
  isolate(names: string): void {
    this.delivers = (from, to) => names.includes(from) === names.includes(to);
  }

  heal(): void {
    this.delivers = () => true;
  }
}

/** A leader with `entries` committed entries in view 1 that keeps next to none in memory. */
export function established(names: string, entries: number, change = {}): [TestNetwork, TestNode] {
  const network = new TestNetwork(names, { maxMemoryBytes: 1, ...change });
  const a = network.elect('a');
  while (a.status.lastHeight < entries) {
    a.raft.propose(payload(`${a.status.lastHeight + 1}`));
    network.settle();
  }
  network.run(2);
  return [network, a];
}

/** Forgets the entries up to a height, as a driver does that keeps a snapshot instead. */
export function prune(node: TestNode, upTo: number): void {
  node.disk.splice(0, upTo - node.base);
  node.base = upTo;
}

/** The message that brings one chunk. */
export const install = (position: SnapshotPosition, index: number, inView = 1): Install => ({
  type: 'install',
  view: view(inView),
  position,
  index,
  bytes: chunkOf(position, index),
});
