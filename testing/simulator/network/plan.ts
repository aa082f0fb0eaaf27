import type { Random } from '../random.ts';
import type { WireQuality } from './wire.ts';

/** How hostile one run of a network is; drawn from its seed. */
export interface NetworkPlan {
  /** Nodes at the beginning. */
  readonly nodes: number;
  readonly members: number;
  readonly tickMs: number;
  readonly chunkBytes: number;
  /** Policies of the genesis constitution. */
  readonly policies: Readonly<Record<string, unknown>>;
  readonly clients: number;
  /** Time between two requests of a client at most, milliseconds. */
  readonly thinkMs: number;
  readonly wire: WireQuality;
  readonly disk: DiskQuality;
  /** How often the key of an epoch that a leader sends is lost on its way: 0 to 1. */
  readonly lostKeys: number;
  /** How often each fault comes in a second. */
  readonly faults: Readonly<Record<FaultKind, number>>;
  /** What clocks are ahead or behind at most, milliseconds. */
  readonly clockSkewMs: number;
  /** How much faster or slower clocks run at most, as a fraction. */
  readonly clockDrift: number;
}

/** How well disks work. */
export interface DiskQuality {
  /** A sync takes so long at most, milliseconds. */
  readonly syncMs: number;
  /** Any other operation. */
  readonly otherMs: number;
}

/** Everything the director can do to a network. */
export const faultKinds = [
  'partition',
  'crash',
  'kill',
  'pause',
  'pause-host',
  'stop-all',
  'crash-majority',
  'slow-disk',
  'full-disk',
  'disk-error',
  'bit-rot',
  'truncation',
  'rollback',
  'stale-reads',
  'torn-pages',
  'false-sync',
  'false-frame',
  'wipe',
  'clock-step',
  'transfer',
  'break-channel',
  'add-node',
  'remove-node',
  'add-member',
  'remove-member',
  'policy',
  'roll-over',
  'revocation-list',
] as const;

/** Something the director does. */
export type FaultKind = (typeof faultKinds)[number];

/** How often a fault comes in a second, in a run that has it. */
const mostPerSecond: Readonly<Record<FaultKind, number>> = {
  partition: 0.3,
  crash: 0.08,
  kill: 0.08,
  pause: 0.2,
  'pause-host': 0.1,
  'stop-all': 0.015,
  'crash-majority': 0.015,
  'slow-disk': 0.1,
  'full-disk': 0.03,
  'disk-error': 0.03,
  'bit-rot': 0.03,
  truncation: 0.03,
  rollback: 0.03,
  'stale-reads': 0.05,
  'torn-pages': 0.03,
  'false-sync': 0.03,
  'false-frame': 0.03,
  wipe: 0.015,
  'clock-step': 0.05,
  transfer: 0.2,
  'break-channel': 0.2,
  'add-node': 0.05,
  'remove-node': 0.04,
  'add-member': 0.02,
  'remove-member': 0.02,
  policy: 0.05,
  'roll-over': 0.03,
  'revocation-list': 0.03,
};

/** Draws a plan: most runs mix everything, some leave a kind of fault out altogether. */
export function drawNetworkPlan(random: Random): NetworkPlan {
  const some = (most: number): number => (random.chance(0.4) ? 0 : random.fraction() * most);
  const nodes = random.pick([1, 2, 3, 3, 3, 3, 4, 5]);
  const electionTimeoutMs = random.pick([200, 400, 1000]);
  return {
    nodes,
    members: random.pick([1, 2, 3, 3]),
    tickMs: random.pick([10, 20, 20]),
    chunkBytes: random.pick([4096, 16_384, 262_144]),
    policies: {
      electionTimeoutMs,
      heartbeatMs: Math.floor(electionTimeoutMs / random.pick([4, 8])),
      maxBatchTransactions: random.pick([1, 5, 100]),
      maxBatchDelayMs: random.pick([0, 5, 20]),
      snapshotBlocks: random.pick([0, 20, 50, 200]),
      distribution: random.pick(['direct', 'direct', 'tree']),
      distributionFanOut: 2,
      epochBlocks: random.pick([0, 10, 25, 60]),
      epochDuration: random.pick([0, 3, 86_400]),
      sessionKeyTtl: random.pick([0, 0, 3_600]),
      keyCeremonyDuration: random.pick([1, 3, 10]),
    },
    lostKeys: random.pick([0, 0.3, 1]),
    clients: random.between(1, 6),
    thinkMs: random.pick([20, 100, 400]),
    wire: {
      loss: some(0.2),
      duplication: some(0.2),
      replay: some(0.05),
      leastDelayMs: random.pick([0.1, 1, 5]),
      jitterMs: random.pick([0, 1, 5, 40]),
    },
    disk: { syncMs: random.pick([0.2, 2, 20]), otherMs: random.pick([0, 0.1]) },
    faults: Object.fromEntries(
      faultKinds.map((kind) => [kind, some(mostPerSecond[kind])]),
    ) as Record<FaultKind, number>,
    clockSkewMs: some(2_000),
    clockDrift: some(0.1),
  };
}
