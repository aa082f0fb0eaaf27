import {
  type Consensus,
  createRaft,
  type Effects,
  type Entry,
  type Outgoing,
  type PlacedConfiguration,
  type RaftOptions,
  type SnapshotPosition,
} from '@concordat/consensus';
import type { Height, NodeId, View } from '@concordat/std';
import { chunkOf, SnapshotShelf } from './snapshots.ts';

/** What the disk does, in the order it was given, each at its tick. */
interface DiskJob {
  readonly doneAt: number;
  /** Makes it durable. */
  readonly apply: () => void;
  /** Tells the machine, once all that is done by now is durable. */
  readonly tell?: () => void;
  readonly send: readonly Outgoing[];
}

/** Something the disk gives back at its tick. */
interface DiskRead {
  readonly doneAt: number;
  readonly answer: () => void;
}

/** Entries above a height, and the snapshot they stand on. */
export class LogImage {
  /** Height of the snapshot below the first entry; 0 = none. */
  base = 0;
  entries: Entry[] = [];

  /** Height of the last entry, or of the snapshot. */
  get lastHeight(): number {
    return this.base + this.entries.length;
  }

  /** The entry at a height; undefined where there is none, or only a snapshot of it. */
  at(height: number): Entry | undefined {
    return this.entries[height - this.base - 1];
  }

  /** Whether it holds what was committed at a height, as this entry or in its snapshot. */
  holds({ height, view }: Entry): boolean {
    return height <= this.base || this.at(height)?.view === view;
  }

  /** Drops the entries above a height. */
  truncate(after: number): void {
    this.entries.length = Math.max(0, after - this.base);
  }

  /** Forgets the entries up to a height: the snapshot of it stands for them. */
  rebase(height: number): void {
    this.entries = this.entries.slice(Math.max(0, height - this.base));
    this.base = Math.max(this.base, height);
  }
}

/** One validating node as the simulator sees it: a machine, a log and a slow disk. */
export class SimulatedNode {
  readonly id: NodeId;
  readonly name: string;
  readonly raft: Consensus;
  /** The log as handed to the disk. */
  readonly log = new LogImage();
  /** The log as the disk certainly has it. */
  readonly durable = new LogImage();
  /** Configurations of the log, oldest first, beginning with the genesis or a snapshot's. */
  configurations: PlacedConfiguration[];
  hardState: { view: View; votedFor?: NodeId } = { view: 0 as View };
  committed = 0;
  pausedUntil = 0;
  ledView = 0;
  readonly snapshots = new SnapshotShelf();
  /** The state of a snapshot has become this node's. */
  onRestored: (position: SnapshotPosition) => void = () => undefined;
  readonly #jobs: DiskJob[] = [];
  readonly #reads: DiskRead[] = [];

  constructor(name: string, options: RaftOptions) {
    this.id = options.self;
    this.name = name;
    const { configuration } = options.initial;
    this.configurations = [{ height: 0 as Height, configuration }];
    this.raft = createRaft(options);
  }

  /** Notes effects; their disk work is done `ticks` from now, after all that was given before. */
  accept(effects: Effects, now: number, ticks: number): void {
    const { truncateAfter, append, afterHardState: send, restore } = effects;
    if (effects.hardState) this.hardState = effects.hardState;
    if (truncateAfter !== undefined) this.#truncate(truncateAfter);
    for (const entry of append) this.#append(entry);
    if (effects.committed !== undefined) this.committed = effects.committed;
    const doneAt = Math.max(now + ticks, this.#jobs[this.#jobs.length - 1]?.doneAt ?? 0);
    if (truncateAfter !== undefined || append.length > 0 || send.length > 0) {
      const last = append[append.length - 1];
      const apply = (): void => {
        if (truncateAfter !== undefined) this.durable.truncate(truncateAfter);
        this.durable.entries.push(...append);
      };
      const tell = last && ((): void => this.raft.persisted(last.height, last.view));
      this.#jobs.push({ doneAt, apply, send, ...(tell && { tell }) });
    }
    if (effects.receptionDropped) {
      this.#jobs.push({ doneAt, apply: () => this.snapshots.forget(), send: [] });
    }
    for (const { position, index, bytes } of effects.chunkReceived) {
      const apply = (): void => this.snapshots.store(position, index, bytes);
      const tell = (): void => this.raft.chunkStored(position.digest, index);
      this.#jobs.push({ doneAt, apply, tell, send: [] });
    }
    if (restore) this.#restore(restore, doneAt);
    for (const { peer, from, maxBytes } of effects.fetch) {
      const answer = (): void => this.raft.provide(peer, this.#read(from, maxBytes));
      this.#reads.push({ doneAt: now + ticks, answer });
    }
    for (const { peer, digest, index } of effects.chunkFetch) {
      const answer = (): void => {
        const position = this.snapshots.taken.get(digest);
        this.raft.provideChunk(peer, digest, index, position && chunkOf(position, index));
      };
      this.#reads.push({ doneAt: now + ticks, answer });
    }
  }

  /** The state becomes the snapshot's once that is durable; a chunk that does not hold is told. */
  #restore(position: SnapshotPosition, doneAt: number): void {
    const { height, configuration, configurationHeight, digest } = position;
    const apply = (): void => {
      if (!this.snapshots.isWhole(position)) return;
      for (const image of [this.log, this.durable]) {
        image.entries = [];
        image.base = height;
      }
      this.configurations = [{ height: configurationHeight, configuration }];
      this.committed = height;
    };
    const tell = (): void => {
      if (!this.snapshots.isWhole(position)) {
        this.raft.restoreFailed(digest);
        return;
      }
      this.onRestored(position);
      this.raft.restored(digest);
      this.snapshots.taken.set(digest, position);
      this.raft.offerSnapshot(position);
    };
    this.#jobs.push({ doneAt, apply, tell, send: [] });
  }

  /** Has a snapshot of what is committed, and keeps so many entries below it. */
  offer(position: SnapshotPosition, keep: number, now: number): void {
    this.snapshots.taken.set(position.digest, position);
    const height = position.height - keep;
    if (height > this.log.base) this.log.rebase(height);
    const apply = (): void => {
      if (height > this.durable.base) this.durable.rebase(height);
    };
    this.#jobs.push({ doneAt: this.#jobs[this.#jobs.length - 1]?.doneAt ?? now, apply, send: [] });
    this.raft.offerSnapshot(position);
  }

  /** Does what the disk has finished by now; answers the messages that waited for it. */
  finishDisk(now: number): readonly Outgoing[] {
    const sends: Outgoing[] = [];
    while ((this.#jobs[0]?.doneAt ?? now + 1) <= now) {
      const { apply, tell, send } = this.#jobs.shift() as DiskJob;
      apply();
      tell?.();
      sends.push(...send);
    }
    while ((this.#reads[0]?.doneAt ?? now + 1) <= now) {
      (this.#reads.shift() as DiskRead).answer();
    }
    return sends;
  }

  #truncate(after: Height): void {
    this.log.truncate(after);
    const { configurations } = this;
    while ((configurations[configurations.length - 1]?.height ?? 0) > after) configurations.pop();
  }

  #append(entry: Entry): void {
    this.log.entries.push(entry);
    const { height, configuration } = entry;
    if (configuration) this.configurations.push({ height, configuration });
  }

  /** What the active configurations must be, given the log and the commit height. */
  expectedConfigurations(): PlacedConfiguration[] {
    const committed = this.configurations.findLastIndex((one) => one.height <= this.committed);
    return this.configurations.slice(committed);
  }

  /** The configuration in force after a height of its log. */
  configurationAt(height: number): PlacedConfiguration {
    const at = this.configurations.findLastIndex((one) => one.height <= height);
    return this.configurations[at] as PlacedConfiguration;
  }

  #read(from: Height, maxBytes: number): Entry[] {
    const entries: Entry[] = [];
    let bytes = 0;
    if (from <= this.durable.base) return entries;
    for (let at: number = from; at <= this.durable.lastHeight; at += 1) {
      const entry = this.durable.at(at) as Entry;
      bytes += entry.payload.length;
      if (entries.length > 0 && bytes > maxBytes) break;
      entries.push(entry);
    }
    return entries;
  }
}
