import type { Height, NodeId } from '@concordat/std';
import type { InitialState, PlacedConfiguration } from './consensus.ts';
import { hasQuorum, quorumValue } from './quorum.ts';

/** Most voters of one configuration. */
export const maxVoters = 1024;

/**
 * The active configurations: the newest one whose entry is committed, and every later one of the
 * log. Elections and commits need a quorum in each of them, counted apart: never over their union.
 */
export class Configurations {
  #active: PlacedConfiguration[];
  #lists: readonly (readonly NodeId[])[] = [];
  #voters: ReadonlySet<NodeId> = new Set();

  constructor(initial: InitialState) {
    const newest = { height: initial.configurationHeight, voters: [...initial.configuration] };
    this.#active = [...(initial.earlierConfigurations ?? []), newest];
    this.committed(initial.committed);
    this.#refresh();
  }

  /** Voters of each active configuration, oldest first. */
  get lists(): readonly (readonly NodeId[])[] {
    return this.#lists;
  }

  /** Everyone who votes in some active configuration. */
  get voters(): ReadonlySet<NodeId> {
    return this.#voters;
  }

  /** The oldest active configuration: the one that is committed. */
  get oldest(): PlacedConfiguration {
    return this.#active[0] as PlacedConfiguration;
  }

  /** The voters once everything in the log is committed. */
  get newest(): PlacedConfiguration {
    return this.#active[this.#active.length - 1] as PlacedConfiguration;
  }

  /** Whether a reconfiguration waits for its commit. */
  get pending(): boolean {
    return this.#active.length > 1;
  }

  append(height: Height, voters: readonly NodeId[]): void {
    this.#active.push({ height, voters: [...voters] });
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

  /** Whether a quorum of every active configuration satisfies the predicate. */
  haveQuorum(agrees: (voter: NodeId) => boolean): boolean {
    for (const voters of this.#lists) if (!hasQuorum(voters, agrees)) return false;
    return true;
  }

  /** The highest value that a quorum of every active configuration has reached. */
  quorumValue(reached: (voter: NodeId) => number): number {
    let least = Number.POSITIVE_INFINITY;
    for (const voters of this.#lists) least = Math.min(least, quorumValue(voters, reached));
    return least;
  }

  #refresh(): void {
    this.#lists = this.#active.map((configuration) => configuration.voters);
    this.#voters = new Set(this.#lists.flat());
  }
}
