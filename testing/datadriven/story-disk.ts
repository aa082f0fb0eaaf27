import type {
  Configuration,
  Effects,
  Entry,
  InitialState,
  LogPosition,
  Outgoing,
  PlacedConfiguration,
  SnapshotPosition,
  ViewStart,
} from '@concordat/consensus';
import type { Height, NodeId, View } from '@concordat/std';

/** What one set of effects asks of the disk, done as a whole. */
interface Job {
  readonly hardState: Effects['hardState'];
  readonly truncateAfter: Height | undefined;
  readonly append: readonly Entry[];
  readonly chunks: Effects['chunkReceived'];
  /** To be sent once this and everything before it is done. */
  readonly send: readonly Outgoing[];
}

/** What became of jobs that are done. */
export interface Synced {
  readonly last: Entry | undefined;
  readonly chunks: Effects['chunkReceived'];
  readonly send: readonly Outgoing[];
}

/** A disk that can be looked at: entries handed to it, those of them that are durable, the vote. */
export class StoryDisk {
  hardState: { readonly view: View; readonly votedFor?: NodeId } = { view: 0 as View };
  /** The newest view and vote handed over, durable or not. */
  vote: { readonly view: View; readonly votedFor?: NodeId } = { view: 0 as View };
  /** Chunks of snapshots that are on this disk: `digest:index`. */
  readonly chunks = new Set<string>();
  /** Entries up to here were thrown away: a peer that needs one cannot have it from this disk. */
  compactedTo = 0;
  /** Position before the first entry: that of the snapshot this disk was restored from. */
  #base: LogPosition = { height: 0 as Height, view: 0 as View };
  #first: PlacedConfiguration;
  #log: Entry[] = [];
  #durable: Entry[] = [];
  #jobs: Job[] = [];
  /** Those of `chunks` that came of the snapshot on its way in. */
  #arrived = new Set<string>();

  constructor(genesis: Configuration) {
    this.#first = { height: 0 as Height, configuration: genesis };
  }

  /** Entries handed over, in order: what the node holds as long as it runs. */
  get log(): readonly Entry[] {
    return this.#log;
  }

  /** Jobs given and not done. */
  get waiting(): number {
    return this.#jobs.length;
  }

  /** Height up to which entries are durable. */
  get durableHeight(): Height {
    return (this.#base.height + this.#durable.length) as Height;
  }

  /** Position before the first entry of the log. */
  get base(): LogPosition {
    return this.#base;
  }

  entry(height: number): Entry | undefined {
    return this.#log[height - 1 - this.#base.height];
  }

  isDurable(entry: Entry): boolean {
    return this.#durable[entry.height - 1 - this.#base.height] === entry;
  }

  /** The entries that a truncation takes away. */
  above(height: Height): Entry[] {
    return this.#log.slice(height - this.#base.height);
  }

  give(effects: Effects): void {
    const {
      hardState,
      truncateAfter,
      append,
      chunkReceived: chunks,
      afterHardState: send,
    } = effects;
    if (hardState) this.vote = hardState;
    if (truncateAfter !== undefined) this.#log.length = truncateAfter - this.#base.height;
    this.#log.push(...append);
    const owed = append.length + chunks.length + send.length;
    if (!hardState && truncateAfter === undefined && owed === 0) return;
    this.#jobs.push({ hardState, truncateAfter, append, chunks, send });
  }

  /** Does the oldest `count` jobs. */
  sync(count = this.#jobs.length): Synced {
    const send: Outgoing[] = [];
    const chunks: Effects['chunkReceived'][number][] = [];
    let last: Entry | undefined;
    for (const job of this.#jobs.splice(0, count)) {
      if (job.hardState) this.hardState = job.hardState;
      if (job.truncateAfter !== undefined) {
        this.#durable.length = job.truncateAfter - this.#base.height;
      }
      this.#durable.push(...job.append);
      last = job.append[job.append.length - 1] ?? last;
      send.push(...job.send);
      chunks.push(...job.chunks);
    }
    for (const { position, index } of chunks) {
      this.chunks.add(`${position.digest}:${index}`);
      this.#arrived.add(`${position.digest}:${index}`);
    }
    return { last, chunks, send };
  }

  /** What came of the snapshot on its way in is not kept, nor what of it is still to be done. */
  forgetReception(): void {
    for (const chunk of this.#arrived) this.chunks.delete(chunk);
    this.#arrived.clear();
    this.#jobs = this.#jobs.map((job) => ({ ...job, chunks: [] }));
  }

  /** The state is that of a snapshot, and the log begins after it. */
  restore({ height, view, configuration, configurationHeight }: SnapshotPosition): void {
    const following = this.#log.filter((entry) => entry.height > height);
    this.#base = { height, view };
    this.#first = { height: configurationHeight, configuration };
    this.#log = following;
    this.#durable = [...following];
    this.#arrived.clear();
  }

  /** Durable entries from a height on: at least one, then as many as `maxBytes` of payload allow. */
  read(from: Height, maxBytes: number): Entry[] {
    if (from <= Math.max(this.#base.height, this.compactedTo)) return [];
    const entries: Entry[] = [];
    let bytes = 0;
    for (const entry of this.#durable.slice(from - 1 - this.#base.height)) {
      bytes += entry.payload.length;
      if (entries.length > 0 && bytes > maxBytes) break;
      entries.push(entry);
    }
    return entries;
  }

  /** The process dies: what was not synced is gone. */
  crash(): void {
    this.#jobs = [];
    this.vote = this.hardState;
    this.#log = [...this.#durable];
  }

  /** What a node that starts on this disk knows; `committed` is what it can be sure of. */
  initial(committed: Height): InitialState {
    const placed = this.configurations();
    const settled = placed.findLastIndex(({ height }) => height <= committed);
    const active = placed.slice(settled) as [PlacedConfiguration, ...PlacedConfiguration[]];
    const newest = active[active.length - 1] as PlacedConfiguration;
    const lastView = this.#durable[this.#durable.length - 1]?.view ?? this.#base.view;
    const view = Math.max(this.hardState.view, lastView) as View;
    const votedFor = view === this.hardState.view ? this.hardState.votedFor : undefined;
    return {
      view,
      ...(votedFor !== undefined && { votedFor }),
      lastHeight: this.durableHeight,
      lastView,
      committed,
      configuration: newest.configuration,
      configurationHeight: newest.height,
      earlierConfigurations: active.slice(0, -1),
      viewHistory: this.#viewHistory(),
    };
  }

  /** Every configuration the log names, oldest first, beginning with the one it starts from. */
  configurations(): PlacedConfiguration[] {
    const placed = [this.#first];
    for (const { height, configuration } of this.#log) {
      if (configuration) placed.push({ height, configuration });
    }
    return placed;
  }

  #viewHistory(): ViewStart[] {
    const { height, view } = this.#base;
    const starts: ViewStart[] = height > 0 ? [{ view, fromHeight: height }] : [];
    for (const entry of this.#durable) {
      if (starts[starts.length - 1]?.view !== entry.view) {
        starts.push({ view: entry.view, fromHeight: entry.height });
      }
    }
    return starts;
  }
}
