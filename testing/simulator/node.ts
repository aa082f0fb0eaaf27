import {
  type Configuration,
  type Consensus,
  createRaft,
  type Effects,
  type Entry,
  type Outgoing,
  type RaftOptions,
} from '@concordat/consensus';
import type { Height, NodeId, View } from '@concordat/std';

/** A batch of work of the disk: done in order, each at its tick. */
interface DiskJob {
  readonly doneAt: number;
  readonly truncateAfter: Height | undefined;
  readonly append: readonly Entry[];
  readonly send: readonly Outgoing[];
}

interface DiskRead {
  readonly doneAt: number;
  readonly peer: NodeId;
  readonly from: Height;
  readonly maxBytes: number;
}

/** One validating node as the simulator sees it: a machine, a log and a slow disk. */
export class SimulatedNode {
  readonly id: NodeId;
  readonly name: string;
  readonly raft: Consensus;
  /** Entries handed to the disk, in order. */
  readonly log: Entry[] = [];
  /** Entries that are durable. */
  readonly durable: Entry[] = [];
  /** Configurations of the log, oldest first, beginning with the genesis. */
  readonly configurations: { height: number; configuration: Configuration }[];
  hardState: { view: View; votedFor?: NodeId } = { view: 0 as View };
  committed = 0;
  pausedUntil = 0;
  ledView = 0;
  readonly #jobs: DiskJob[] = [];
  readonly #reads: DiskRead[] = [];

  constructor(name: string, options: RaftOptions) {
    this.id = options.self;
    this.name = name;
    this.configurations = [{ height: 0, configuration: options.initial.configuration }];
    this.raft = createRaft(options);
  }

  /** Notes effects; their disk work is done `ticks` from now, after all that was given before. */
  accept(effects: Effects, now: number, ticks: number): void {
    if (effects.hardState) this.hardState = effects.hardState;
    if (effects.truncateAfter !== undefined) this.#truncate(effects.truncateAfter);
    for (const entry of effects.append) this.#append(entry);
    if (effects.committed !== undefined) this.committed = effects.committed;
    const owes =
      effects.truncateAfter !== undefined ||
      effects.append.length > 0 ||
      effects.afterHardState.length > 0;
    if (owes) {
      const { truncateAfter, append, afterHardState: send } = effects;
      const doneAt = Math.max(now + ticks, this.#jobs[this.#jobs.length - 1]?.doneAt ?? 0);
      this.#jobs.push({ doneAt, truncateAfter, append, send });
    }
    for (const { peer, from, maxBytes } of effects.fetch) {
      this.#reads.push({ doneAt: now + ticks, peer, from, maxBytes });
    }
  }

  /** Does what the disk has finished by now; answers the messages that waited for it. */
  finishDisk(now: number): readonly Outgoing[] {
    const sends: Outgoing[] = [];
    let last: Entry | undefined;
    while ((this.#jobs[0]?.doneAt ?? now + 1) <= now) {
      const job = this.#jobs.shift() as DiskJob;
      if (job.truncateAfter !== undefined) this.durable.length = job.truncateAfter;
      for (const entry of job.append) this.durable.push(entry);
      last = job.append[job.append.length - 1] ?? last;
      sends.push(...job.send);
    }
    if (last) this.raft.persisted(last.height, last.view);
    while ((this.#reads[0]?.doneAt ?? now + 1) <= now) {
      const { peer, from, maxBytes } = this.#reads.shift() as DiskRead;
      this.raft.provide(peer, this.#read(from, maxBytes));
    }
    return sends;
  }

  #truncate(after: Height): void {
    this.log.length = after;
    const { configurations } = this;
    while ((configurations[configurations.length - 1]?.height ?? 0) > after) configurations.pop();
  }

  #append(entry: Entry): void {
    this.log.push(entry);
    const { height, configuration } = entry;
    if (configuration) this.configurations.push({ height, configuration });
  }

  /** What the active configurations must be, given the log and the commit height. */
  expectedConfigurations(): { height: number; configuration: Configuration }[] {
    const committed = this.configurations.findLastIndex((one) => one.height <= this.committed);
    return this.configurations.slice(committed);
  }

  #read(from: Height, maxBytes: number): Entry[] {
    const entries: Entry[] = [];
    let bytes = 0;
    for (let at = from - 1; at < this.durable.length; at += 1) {
      const entry = this.durable[at] as Entry;
      bytes += entry.payload.length;
      if (entries.length > 0 && bytes > maxBytes) break;
      entries.push(entry);
    }
    return entries;
  }
}
