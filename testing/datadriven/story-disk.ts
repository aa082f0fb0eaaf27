import type {
  Configuration,
  Effects,
  Entry,
  InitialState,
  Outgoing,
  PlacedConfiguration,
  ViewStart,
} from '@concordat/consensus';
import type { Height, NodeId, View } from '@concordat/std';

/** What one set of effects asks of the disk, done as a whole. */
interface Job {
  readonly hardState: Effects['hardState'];
  readonly truncateAfter: Height | undefined;
  readonly append: readonly Entry[];
  /** To be sent once this and everything before it is done. */
  readonly send: readonly Outgoing[];
}

/** What became of jobs that are done. */
export interface Synced {
  readonly last: Entry | undefined;
  readonly send: readonly Outgoing[];
}

/** A disk that can be looked at: entries handed to it, those of them that are durable, the vote. */
export class StoryDisk {
  /** Entries handed over, in order: what the node holds as long as it runs. */
  readonly log: Entry[] = [];
  /** Entries that would survive a crash. */
  readonly durable: Entry[] = [];
  hardState: { readonly view: View; readonly votedFor?: NodeId } = { view: 0 as View };
  /** The newest view and vote handed over, durable or not. */
  vote: { readonly view: View; readonly votedFor?: NodeId } = { view: 0 as View };
  readonly #genesis: Configuration;
  #jobs: Job[] = [];

  constructor(genesis: Configuration) {
    this.#genesis = genesis;
  }

  /** Jobs given and not done. */
  get waiting(): number {
    return this.#jobs.length;
  }

  /** Height up to which entries are durable. */
  get durableHeight(): Height {
    return this.durable.length as Height;
  }

  give(effects: Effects): void {
    const { hardState, truncateAfter, append, afterHardState: send } = effects;
    if (hardState) this.vote = hardState;
    if (truncateAfter !== undefined) this.log.length = truncateAfter;
    this.log.push(...append);
    if (!hardState && truncateAfter === undefined && append.length + send.length === 0) return;
    this.#jobs.push({ hardState, truncateAfter, append, send });
  }

  /** Does the oldest `count` jobs. */
  sync(count = this.#jobs.length): Synced {
    const send: Outgoing[] = [];
    let last: Entry | undefined;
    for (const job of this.#jobs.splice(0, count)) {
      if (job.hardState) this.hardState = job.hardState;
      if (job.truncateAfter !== undefined) this.durable.length = job.truncateAfter;
      this.durable.push(...job.append);
      last = job.append[job.append.length - 1] ?? last;
      send.push(...job.send);
    }
    return { last, send };
  }

  /** Durable entries from a height on: at least one, then as many as `maxBytes` of payload allow. */
  read(from: Height, maxBytes: number): Entry[] {
    const entries: Entry[] = [];
    let bytes = 0;
    for (const entry of this.durable.slice(from - 1)) {
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
    this.log.length = 0;
    this.log.push(...this.durable);
  }

  /** What a node that starts on this disk knows; `committed` is what it can be sure of. */
  initial(committed: Height): InitialState {
    const placed = this.configurations();
    const settled = placed.findLastIndex(({ height }) => height <= committed);
    const active = placed.slice(settled) as [PlacedConfiguration, ...PlacedConfiguration[]];
    const newest = active[active.length - 1] as PlacedConfiguration;
    const last = this.durable[this.durable.length - 1];
    const lastView = last?.view ?? (0 as View);
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
      viewHistory: viewHistoryOf(this.durable),
    };
  }

  /** Every configuration the log names, oldest first, beginning with the genesis. */
  configurations(): PlacedConfiguration[] {
    const placed = [{ height: 0 as Height, configuration: this.#genesis }];
    for (const { height, configuration } of this.log) {
      if (configuration) placed.push({ height, configuration });
    }
    return placed;
  }
}

function viewHistoryOf(entries: readonly Entry[]): ViewStart[] {
  const starts: ViewStart[] = [];
  for (const { view, height } of entries) {
    if (starts[starts.length - 1]?.view !== view) starts.push({ view, fromHeight: height });
  }
  return starts;
}
