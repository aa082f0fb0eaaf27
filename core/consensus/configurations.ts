import type { Height, NodeId } from '@concordat/std';
import type { Configuration, InitialState, PlacedConfiguration, QuorumSizes } from './consensus.ts';
import { hasQuorum, type QuorumKind, quorumSizesOf, quorumValue } from './quorum.ts';

/** One configuration that counts, with the quorum sizes that hold in it. */
interface Active extends PlacedConfiguration {
  readonly sizes: QuorumSizes;
}

/**
 * The active configurations: the newest one whose entry is committed, and every later one of the
 * log. Elections and commits need a quorum in each of them, counted apart: never over their union.
 */
export class Configurations {
  #active: Active[];
  #list: readonly Configuration[] = [];
  #voters: ReadonlySet<NodeId> = new Set();

  constructor(initial: InitialState) {
    const { configurationHeight: height, configuration } = initial;
    const earlier = initial.earlierConfigurations ?? [];
    this.#active = [...earlier, { height, configuration }].map(active);
    this.committed(initial.committed);
    this.#refresh();
  }

  /** The active configurations, oldest first. */
  get list(): readonly Configuration[] {
    return this.#list;
  }

  /** Everyone who votes in some active configuration. */
  get voters(): ReadonlySet<NodeId> {
    return this.#voters;
  }

  /** The oldest active configuration: the one that is committed. */
  get oldest(): PlacedConfiguration {
    return this.#active[0] as Active;
  }

  /** The configuration once everything in the log is committed. */
  get newest(): PlacedConfiguration {
    return this.#active[this.#active.length - 1] as Active;
  }

  /** Whether a reconfiguration waits for its commit. */
  get pending(): boolean {
    return this.#active.length > 1;
  }

  append(height: Height, configuration: Configuration): void {
    this.#active.push(active({ height, configuration }));
    this.#refresh();
  }

  /** Entries above `height` were removed; answers whether a configuration was among them. */
  truncate(height: Height): boolean {
    const before = this.#active.length;
    while (this.#active.length > 1 && this.newest.height > height) this.#active.pop();
    if (this.#active.length === before) return false;
    this.#refresh();
    return true;
  }

  /** Entries up to `height` are committed; answers the nodes that no longer vote at all. */
  committed(height: Height): NodeId[] | undefined {
    let superseded = 0;
    while ((this.#active[superseded + 1]?.height ?? Number.POSITIVE_INFINITY) <= height) {
      superseded += 1;
    }
    if (superseded === 0) return undefined;
    const before = this.#voters;
    this.#active.splice(0, superseded);
    this.#refresh();
    return [...before].filter((node) => !this.#voters.has(node));
  }

  /** Only this one counts from now on; answers the nodes that no longer vote at all. */
  reset(placed: PlacedConfiguration): NodeId[] {
    const before = this.#voters;
    this.#active = [active(placed)];
    this.#refresh();
    return [...before].filter((node) => !this.#voters.has(node));
  }

  /** Whether a quorum of this kind, of every active configuration, satisfies the predicate. */
  haveQuorum(kind: QuorumKind, agrees: (voter: NodeId) => boolean): boolean {
    for (const { configuration, sizes } of this.#active) {
      if (!hasQuorum(configuration.voters, sizes[kind], agrees)) return false;
    }
    return true;
  }

  /** The highest value that a replication quorum of every active configuration has reached. */
  quorumValue(reached: (voter: NodeId) => number): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { configuration, sizes } of this.#active) {
      least = Math.min(least, quorumValue(configuration.voters, sizes.replication, reached));
    }
    return least;
  }

  #refresh(): void {
    this.#list = this.#active.map(({ configuration }) => configuration);
    this.#voters = new Set(this.#list.flatMap(({ voters }) => voters));
  }
}

const active = ({ height, configuration }: PlacedConfiguration): Active => ({
  height,
  configuration,
  sizes: quorumSizesOf(configuration),
});
