import { type CheckOptions, checkHistory, describeVerdict } from '@concordat/linearizability';
import type { Audit } from '../checks/audit.ts';
import { Violation } from '../checks/violation.ts';
import { Random } from '../random.ts';
import { Clients } from './clients.ts';
import { Director } from './director.ts';
import { auditNetwork } from './examination.ts';
import { defaultHealingMs, heal } from './healing.ts';
import { Network } from './network.ts';
import { drawNetworkPlan, type NetworkPlan } from './plan.ts';
import { ReceiptSampler } from './receipt-sampler.ts';
import { World } from './world.ts';

/** What one run of a whole network did. */
export interface NetworkSummary {
  readonly seed: number;
  /** Digest of every event and every byte that travelled, hex. */
  readonly trace: string;
  readonly virtualMs: number;
  readonly events: number;
  readonly blocks: number;
  readonly transactions: number;
  readonly epochs: number;
  readonly views: number;
  readonly machines: number;
  readonly launches: number;
  readonly requests: number;
  readonly acknowledged: number;
  readonly receipts: number;
  /** Damaged chunks that were set aside, to be fetched again. */
  readonly chunksSetAside: number;
  readonly decisions: number;
  readonly searchedBytes: number;
  readonly seals: number;
  /** Session keys that enclaves held; nobody else saw one. */
  readonly sessionKeys: number;
  /** Virtual time from the end of all faults until all was well, milliseconds. */
  readonly healedAfterMs: number;
  /** Keys whose history could not be judged in time. */
  readonly undecidedKeys: number;
  /** Faults by kind, those of network and disk included. */
  readonly faults: Readonly<Record<string, number>>;
  /** Damage that nodes found, by code. */
  readonly alarms: Readonly<Record<string, number>>;
}

/** How a run is made. */
export interface NetworkRunOptions {
  /** Virtual time with faults, milliseconds. */
  readonly chaosMs: number;
  /** Virtual time within which all must be well again, milliseconds; default 240,000. */
  readonly healingMs?: number;
  /** Replaces parts of the plan that the seed gives. */
  readonly plan?: Partial<NetworkPlan>;
  /** Gets the world before anything happens in it. */
  readonly onStart?: (world: World) => void;
  /** For a seed that is replayed: gets the world once the run is over, however it ended. */
  readonly onEnd?: (world: World) => void;
  readonly linearizability?: CheckOptions;
}

/**
 * Runs a whole network from one seed: it is founded, grows, serves clients under faults, heals, and
 * is examined in every respect.
 * @throws Violation when a promise was broken
 */
export async function simulateNetwork(
  seed: number,
  options: NetworkRunOptions,
): Promise<NetworkSummary> {
  const plan = { ...drawNetworkPlan(new Random(seed)), ...options.plan };
  const world = new World(seed, plan);
  try {
    options.onStart?.(world);
    const ran = await play(world, options);
    world.end();
    const undecidedKeys = requireLinearizable(ran.clients, options.linearizability);
    return summaryOf(world, ran, undecidedKeys);
  } finally {
    world.end();
    options.onEnd?.(world);
  }
}

interface Played {
  readonly network: Network;
  readonly clients: Clients;
  readonly director: Director;
  readonly sampler: ReceiptSampler;
  readonly healedAfterMs: number;
  readonly audit: Audit;
}

async function play(
  world: World,
  { chaosMs, healingMs = defaultHealingMs }: NetworkRunOptions,
): Promise<Played> {
  const network = new Network(world);
  await network.found();
  const clients = new Clients(world);
  const director = new Director(network);
  const sampler = new ReceiptSampler(network, clients);
  clients.start(world.plan.clients, network.operator.members);
  sampler.start();
  network.takeCare();
  await director.direct(chaosMs);
  const healedAfterMs = await heal(network, clients, healingMs);
  const audit = await auditNetwork(network, clients);
  return { network, clients, director, sampler, healedAfterMs, audit };
}

/** @throws Violation NOT_LINEARIZABLE @returns keys that could not be judged */
function requireLinearizable({ history }: Clients, options: CheckOptions = {}): number {
  const verdict = checkHistory(history, options);
  if (verdict.result === 'not linearizable') {
    throw new Violation('NOT_LINEARIZABLE', describeVerdict(verdict));
  }
  return verdict.result === 'undecided' ? verdict.undecidedKeys.length : 0;
}

function summaryOf(world: World, played: Played, undecidedKeys: number): NetworkSummary {
  const { wire, health, machines, clock, secrets, ledger } = world;
  const { network, clients, director, sampler, healedAfterMs, audit } = played;
  const { lost, duplicated, replayed, cut } = wire.counts;
  return {
    seed: world.seed,
    trace: world.trace,
    virtualMs: Math.round(clock.nowMs),
    events: clock.events,
    blocks: ledger.height,
    transactions: audit.transactions,
    epochs: audit.epochs.size,
    views: ledger.views,
    machines: machines.length,
    launches: machines.reduce((sum, { launches }) => sum + launches, 0),
    requests: clients.recorder.size,
    acknowledged: clients.acknowledged.length,
    receipts: sampler.verified,
    chunksSetAside: world.chunksSetAside,
    decisions: network.operator.decisions,
    searchedBytes: secrets.searchedBytes,
    seals: secrets.seals,
    sessionKeys: secrets.sessionKeys,
    healedAfterMs: Math.round(healedAfterMs),
    undecidedKeys,
    faults: {
      'message-lost': lost,
      'message-doubled': duplicated,
      'message-replayed': replayed,
      'message-cut-off': cut,
      'false-read': health.falseReads,
      ...Object.fromEntries(director.counts),
    },
    alarms: Object.fromEntries(world.alarms),
  };
}
