import type { NodeId } from '@concordat/std';
import type { Random } from '../random.ts';

/** How hostile one run is; drawn from its seed. Probabilities are per message or per tick. */
export interface FaultPlan {
  readonly loss: number;
  readonly duplication: number;
  /** Ticks a message takes at most; different delays reorder. */
  readonly maxDelayTicks: number;
  readonly partition: number;
  readonly crash: number;
  readonly pause: number;
  readonly reconfigure: number;
  readonly transfer: number;
  readonly read: number;
  readonly propose: number;
  /** Ticks until appended entries are durable at most. */
  readonly maxPersistTicks: number;
  /** Probability that a reconfiguration names other quorums than majorities. */
  readonly flexible: number;
  /** Heights between two snapshots; 0 = none are taken. */
  readonly snapshotEvery: number;
  /** Entries below a snapshot that are kept on the disk. */
  readonly keptEntries: number;
  /** Probability that a chunk of a snapshot is damaged before it is stored. */
  readonly damagedChunk: number;
  /** Probability that a node's clock misses a tick. */
  readonly clockSkew: number;
}

/** Draws a plan: most runs mix everything, some leave a kind of fault out altogether. */
export function drawPlan(random: Random): FaultPlan {
  const some = (most: number) => (random.chance(0.25) ? 0 : random.fraction() * most);
  return {
    loss: some(0.3),
    duplication: some(0.2),
    maxDelayTicks: random.pick([0, 1, 3, 8]),
    partition: some(0.02),
    crash: some(0.008),
    pause: some(0.01),
    reconfigure: some(0.03),
    transfer: some(0.01),
    read: some(0.3),
    propose: 0.05 + random.fraction() * 0.9,
    maxPersistTicks: random.pick([0, 1, 3, 12]),
    flexible: some(1),
    snapshotEvery: random.pick([0, 5, 20, 60]),
    keptEntries: random.pick([0, 5, 1_000]),
    damagedChunk: some(0.1),
    clockSkew: some(0.3),
  };
}

/** Same plan, with every fault gone: what remains must come to an agreement. */
export const healed = (plan: FaultPlan): FaultPlan => ({
  ...plan,
  loss: 0,
  duplication: 0,
  maxDelayTicks: Math.min(plan.maxDelayTicks, 1),
  partition: 0,
  crash: 0,
  pause: 0,
  reconfigure: 0,
  transfer: 0,
  clockSkew: 0,
  damagedChunk: 0,
  maxPersistTicks: Math.min(plan.maxPersistTicks, 1),
});

/** A partition: which of the directed connections are cut, and until when. */
export class Partition {
  readonly until: number;
  readonly #side: ReadonlySet<NodeId>;
  readonly #oneWay: boolean;

  constructor(nodes: readonly NodeId[], until: number, random: Random) {
    this.until = until;
    this.#side = new Set(random.shuffle(nodes).slice(0, random.between(1, nodes.length)));
    this.#oneWay = random.chance(0.3);
  }

  /** Whether a message is cut off. One-way: only what leaves the side. */
  cuts(from: NodeId, to: NodeId): boolean {
    const [fromSide, toSide] = [this.#side.has(from), this.#side.has(to)];
    return fromSide !== toSide && (!this.#oneWay || fromSide);
  }
}
