import { median, type Spread, spreadOf } from '../arithmetic.ts';
import { BenchNetwork } from '../bench-network.ts';
import { type Costs, measureCosts, medianCosts } from '../measure.ts';
import { EtcdCluster, etcdIsInstalled } from '../peers/etcd.ts';
import { medianLatency } from '../sections/median-latency.ts';
import type { SectionOptions } from '../sections/section.ts';
import {
  linearizableReadsOf,
  type Put,
  putsOf,
  runWrites,
  type WriteFigures,
} from '../workloads/key-value-load.ts';
import { benchChainId } from '../workloads/token-set.ts';

/** What one load on one system came to over all rounds. */
export interface LoadFigures {
  readonly perSecond: Spread;
  /** Milliseconds, medians of rounds. */
  readonly p50: number;
  readonly p99: number;
}

/** One line of the tables: a number of voters, a number of requests in flight. */
export interface Cell {
  readonly voters: number;
  /** `write` at the leader, or a linearizable read at one of the two. */
  readonly what: 'write' | 'read at the leader' | 'read at a follower';
  readonly inFlight: number;
  readonly own: LoadFigures;
  readonly costs: Costs;
  /** Name of the node that led. */
  readonly leader: string;
  /** etcd with as many members. */
  readonly etcd?: LoadFigures & EtcdCosts;
}

/** Processor microseconds a request. */
export interface EtcdCosts {
  /** Of all members. */
  readonly cpuMicros: number;
  /** Of this program, which speaks gRPC over Node's HTTP/2. */
  readonly clientMicros: number;
}

/** One load that is put on both systems in turn. */
interface Load {
  readonly what: Cell['what'];
  readonly inFlight: number;
  readonly requests: number;
  readonly own: Put;
  readonly etcd: Put | undefined;
}

const writeDepths: readonly (readonly [inFlight: number, requests: number])[] = [
  [1, 400],
  [10, 4_000],
  [100, 20_000],
  [1_000, 40_000],
];
const readDepths: readonly (readonly [inFlight: number, requests: number])[] = [
  [1, 1_000],
  [100, 20_000],
  [1_000, 40_000],
];
const warmUpWrites = 20_000;
const warmUpReads = 5_000;

/**
 * Writes to durable commit and linearizable reads of a network of so many voters, and of etcd with
 * as many members beside it; each load goes to one after the other in every round.
 */
export async function measureCommits(voters: number, options: SectionOptions): Promise<Cell[]> {
  const { say, withPeers } = options;
  say(`a network of ${voters}`);
  // The worker's image carries both adapters.
  const adapters = {
    keyvalue: {},
    ethereum: { chains: [{ name: 'main', chainId: benchChainId }] },
  };
  const network = await BenchNetwork.start({ adapters, nodes: voters });
  let etcd: EtcdCluster | undefined;
  try {
    if (withPeers && etcdIsInstalled()) etcd = await EtcdCluster.start(voters);
    return await measureLoads(network, etcd, options);
  } finally {
    await etcd?.stop();
    await network.stop();
  }
}

async function measureLoads(
  network: BenchNetwork,
  etcd: EtcdCluster | undefined,
  options: SectionOptions,
): Promise<Cell[]> {
  const leader = await network.sandbox.leader();
  const other = network.sandbox.nodes.find(({ name }) => name !== leader.name);
  const client = await network.keyValueClient(leader);
  const follower = other && (await network.keyValueClient(other));
  const share = options.quick ? 0.25 : 1;
  const loads: Load[] = writeDepths.map(([inFlight, requests]) => ({
    what: 'write',
    inFlight,
    requests: requests * share,
    own: putsOf(client),
    etcd: etcd?.put,
  }));
  for (const [inFlight, requests] of readDepths) {
    const load = { inFlight, requests: requests * share };
    const own = linearizableReadsOf(client);
    loads.push({ what: 'read at the leader', ...load, own, etcd: etcd?.reads('leader') });
    if (!follower) continue;
    const there = linearizableReadsOf(follower);
    loads.push({ what: 'read at a follower', ...load, own: there, etcd: etcd?.reads('follower') });
  }
  await warmUp(loads, share);
  const cells: Cell[] = [];
  for (const load of loads) {
    const voters = network.sandbox.nodes.length;
    options.say(`${voters} voters, ${load.what}, ${load.inFlight} in flight`);
    cells.push({
      voters,
      leader: leader.name,
      ...(await measureLoad(network, etcd, load, options)),
    });
  }
  client.close();
  follower?.close();
  return cells;
}

/** Code is compiled and every key has a value before anything counts. */
async function warmUp(loads: readonly Load[], share: number): Promise<void> {
  for (const { what, own, etcd, inFlight } of loads) {
    if (inFlight < 100) continue;
    const writes = (what === 'write' ? warmUpWrites : warmUpReads) * share;
    for (const put of [own, etcd]) if (put) await runWrites(put, { writes, inFlight: 100 });
  }
}

async function measureLoad(
  network: BenchNetwork,
  etcd: EtcdCluster | undefined,
  { what, inFlight, requests: writes, own, etcd: theirs }: Load,
  { rounds }: SectionOptions,
): Promise<Omit<Cell, 'voters' | 'leader'>> {
  const [mine, others]: [WriteFigures[], WriteFigures[]] = [[], []];
  const costs: Costs[] = [];
  const peerCosts: EtcdCosts[] = [];
  for (let round = 1; round <= rounds; round++) {
    const work = async (): Promise<number> => {
      mine.push(await runWrites(own, { writes, inFlight }));
      return writes;
    };
    costs.push(await measureCosts(network, work));
    if (!etcd || !theirs) continue;
    const before = etcd.cpuMicros();
    const clientBefore = process.cpuUsage();
    others.push(await runWrites(theirs, { writes, inFlight }));
    const { user, system } = process.cpuUsage(clientBefore);
    const clientMicros = (user + system) / writes;
    peerCosts.push({ cpuMicros: (etcd.cpuMicros() - before) / writes, clientMicros });
  }
  const cell = { what, inFlight, own: figuresOf(mine), costs: medianCosts(costs) };
  if (others.length === 0) return cell;
  const cpuMicros = median(peerCosts.map((one) => one.cpuMicros));
  const clientMicros = median(peerCosts.map((one) => one.clientMicros));
  return { ...cell, etcd: { ...figuresOf(others), cpuMicros, clientMicros } };
}

const figuresOf = (rounds: readonly WriteFigures[]): LoadFigures => ({
  perSecond: spreadOf(rounds.map(({ perSecond }) => perSecond)),
  ...medianLatency(rounds),
});
