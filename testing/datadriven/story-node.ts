import {
  type Configuration,
  type Consensus,
  createRaft,
  type LogPosition,
  type Message,
  type RaftOptions,
  type Role,
  type SnapshotPosition,
  treeDistribution,
} from '@concordat/consensus';
import type { Height, NodeId, View } from '@concordat/std';
import { configurationsText, idOf, nameOf } from './names.ts';
import { StoryDisk } from './story-disk.ts';

/** What all nodes of a story have in common. Times in ticks, sizes in bytes. */
export interface StorySettings {
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  readonly maxAppendBytes: number;
  readonly maxInflightAppends: number;
  readonly maxMemoryBytes: number;
  /** `auto`: everything is durable at once; `manual`: when the story says so. */
  readonly disk: 'auto' | 'manual';
  readonly genesis: Configuration;
  /** Entries a peer may lack before it is sent a snapshot instead. */
  readonly snapshotGap: number | undefined;
  /** `auto`: a snapshot is restored at once; `manual`: when the story says so. */
  readonly restore: 'auto' | 'manual';
  /** Branches of the broadcast tree; undefined: everybody is sent to directly. */
  readonly treeFanOut: number | undefined;
}

/** How a node looked before something happened to it. */
export interface Picture {
  readonly role: Role;
  readonly view: View;
  readonly leader: string | undefined;
  readonly votedFor: string | undefined;
  readonly last: LogPosition;
  readonly committed: Height;
  readonly configurations: string;
  readonly retired: boolean;
  readonly fed: readonly string[];
}

/** One machine of a story, its disk, and what can be known of it from outside. */
export class StoryNode {
  readonly name: string;
  readonly id: NodeId;
  readonly disk: StoryDisk;
  machine: Consensus;
  /** Chunks on this disk whose bytes are wrong: `digest:index`. */
  readonly spoiled = new Set<string>();
  /** The snapshot whose state this node is to make its own. */
  restoring: SnapshotPosition | undefined;
  up = true;
  ticks = 0;
  /** Who said yes in the present campaign, itself included. */
  readonly yes = new Set<string>();
  /** Why the newest entries are not committed, as it was told last. */
  toldDoubt: string | undefined;
  /** Leader: the tick at which a peer was last heard. */
  readonly heardAt = new Map<string, number>();
  /** Ticks of silence after which it campaigns. */
  readonly timeoutTicks: number;
  readonly #settings: StorySettings;

  constructor(name: string, settings: StorySettings, timeoutTicks: number) {
    this.name = name;
    this.id = idOf(name);
    this.#settings = settings;
    this.timeoutTicks = timeoutTicks;
    this.disk = new StoryDisk(settings.genesis);
    this.machine = this.#machine(0 as Height);
  }

  /** Starts anew on what the disk kept. */
  restart(committed: Height): void {
    this.up = true;
    this.ticks = 0;
    this.heardAt.clear();
    this.restoring = undefined;
    this.machine = this.#machine(committed);
  }

  picture(): Picture {
    const { role, view, leader, lastHeight, lastView, committed, configurations, retired } =
      this.machine.status;
    const votedFor = this.disk.vote;
    return {
      role,
      view,
      leader: leader && nameOf(leader),
      votedFor:
        votedFor?.view === view && votedFor.votedFor ? nameOf(votedFor.votedFor) : undefined,
      last: { height: lastHeight, view: lastView },
      committed,
      configurations: configurationsText(configurations),
      retired,
      fed: [...this.machine.status.progress.keys()].map(nameOf),
    };
  }

  /** Notes what a message says of others, once the machine has taken it. */
  heard(from: string, message: Message): void {
    if (message.type === 'append-response' || message.type === 'install-response') {
      this.heardAt.set(from, this.ticks);
    }
    if (message.type === 'vote-response' && message.granted) this.yes.add(from);
  }

  /** Peers a leader has heard within an election timeout, itself included. */
  recentlyHeard(): string[] {
    const recent = [...this.heardAt].filter(
      ([, at]) => this.ticks - at < this.#settings.electionTicks,
    );
    return [this.name, ...recent.map(([name]) => name)].sort();
  }

  /** Nodes that hold this leader's log durably up to a height, itself included. */
  holders(height: number): string[] {
    const { progress } = this.machine.status;
    const peers = [...progress].filter(([, { match }]) => match >= height);
    const names = peers.map(([id]) => nameOf(id));
    if (this.disk.durableHeight >= height) names.push(this.name);
    return names.sort();
  }

  #machine(committed: Height): Consensus {
    const { electionTicks, heartbeatTicks, maxAppendBytes, maxInflightAppends, maxMemoryBytes } =
      this.#settings;
    const { snapshotGap, treeFanOut } = this.#settings;
    const spread = (this.timeoutTicks - electionTicks) / electionTicks;
    const options: RaftOptions = {
      self: this.id,
      electionTicks,
      heartbeatTicks,
      // Half a tick more, so that rounding down gives the ticks asked for.
      random: () => spread + 0.5 / electionTicks,
      maxAppendBytes,
      maxInflightAppends,
      maxMemoryBytes,
      ...(snapshotGap !== undefined && { snapshotGap }),
      ...(treeFanOut !== undefined && { distribution: treeDistribution(treeFanOut) }),
      initial: this.disk.initial(committed),
    };
    return createRaft(options);
  }
}
