import type { EngineName } from '@concordat/ethereum';
import type { ApplicationClient } from '@concordat/sdk';
import {
  bucketsBetween,
  percentileOfBuckets,
  perSecond as rateOf,
  spreadOf,
} from '../arithmetic.ts';
import {
  BenchNetwork,
  type BenchNetworkOptions,
  type WorkerStats,
  workerStats,
} from '../bench-network.ts';
import { type LoadFigures, runLoad } from '../json-rpc-load.ts';
import { type LatencyFigures, postOver } from '../mainnet-run.ts';
import { type Costs, measureCosts, medianCosts } from '../measure.ts';
import {
  anvilNode,
  hardhatNode,
  measureDevelopmentNode,
  slowAnvilNode,
} from '../peers/development-node.ts';
import { profileNetwork } from '../profile/profile-network.ts';
import { leaderThreads } from '../report.ts';
import { type TransferKind, type TransferSet, transferSet } from '../workloads/token-set.ts';
import { transferLanes } from '../workloads/transfer-lanes.ts';
import { BarePeers } from './bare-peers.ts';
import { medianLatency } from './median-latency.ts';
import {
  comparePeer,
  finished,
  type Peer,
  paperPeer,
  type Section,
  type SectionOptions,
} from './section.ts';

/** Lanes of requests, 100 transactions each, in flight: as many as keep batches full and together. */
const lanes = 16;
/** In flight where latency counts for more than the rate. */
const fewLanes = 4;
/** The runtime has compiled what a transfer needs after some twelve thousand. */
const warmUp = 16_000;
const perRound = 6_400;

const titles = {
  token: '(b) transfers of an OpenZeppelin ERC-20',
  plain: '(c) plain transfers',
} as const satisfies Partial<Record<TransferKind, string>>;

/** (b) and (c): transfers of 64 senders, all rounds on one network. */
export async function transferSection(
  kind: keyof typeof titles,
  options: SectionOptions,
): Promise<Section> {
  const set = transferSet(kind, warmUp + options.rounds * perRound);
  const bare = new BarePeers(options, (engine) => ({ kind, engine, warmUp, count: perRound }));
  const { rates, costs, commit, commitOnAll } = await measureNetwork(set, options, bare);
  const perSecond = spreadOf(rates);
  return finished({
    id: kind === 'token' ? 'tokens' : 'transfers',
    title: titles[kind],
    method: `64 senders, JSON-RPC batches of 100, ${lanes} requests in flight; ${warmUp} transfers before`,
    perSecond,
    rounds: options.rounds,
    latencies: [
      { what: 'receipt to durable commit', figures: commit },
      { what: 'receipt to commit on all nodes', figures: commitOnAll },
    ],
    costs,
    peers: [
      ...(await bare.results(perSecond.median)),
      ...(options.withPeers ? await variants(set, perSecond.median, options) : []),
      ...(options.withPeers ? await developmentNodes(set, perSecond.median, options) : []),
      paperPeer(perSecond.median),
    ],
    notes: ['the peers are single processes without consensus, TLS or anything on disk'],
  });
}

type Send = (raws: readonly Uint8Array[], first: number) => Promise<LoadFigures>;

interface Made extends Partial<BenchNetworkOptions> {
  readonly engine: EngineName;
  /** Default: {@link lanes}. */
  readonly inFlight?: number;
}

/** A network with the set's chain, warm. */
async function withNetwork<Result>(
  set: TransferSet,
  { engine, inFlight = lanes, ...options }: Made,
  measure: (network: BenchNetwork, client: ApplicationClient, send: Send) => Promise<Result>,
): Promise<Result> {
  const network = await BenchNetwork.start({
    adapters: { ethereum: { chains: [{ ...set.chain, engine }] }, keyvalue: {} },
    ...options,
  });
  try {
    const client = await network.client();
    const post = postOver(client);
    const send: Send = (raws, first) =>
      runLoad(transferLanes(raws, inFlight, '/', first), { post, lanesInFlight: inFlight });
    await runLoad(transferLanes(set.deployment, 1, '/'), { post, lanesInFlight: 1 });
    await send(set.transfers.slice(0, warmUp), 0);
    const result = await measure(network, client, send);
    client.close();
    return result;
  } finally {
    await network.stop();
  }
}

const measureNetwork = (
  set: TransferSet,
  { rounds, engine, say }: SectionOptions,
  bare: BarePeers,
) =>
  withNetwork(set, { engine }, async (network, client, send) => {
    const rates: number[] = [];
    const costs: Costs[] = [];
    const commit: LatencyFigures[] = [];
    const commitOnAll: LatencyFigures[] = [];
    for (let round = 0; round < rounds; round++) {
      say(`${set.kind} transfers, round ${round + 1} of ${rounds}`);
      const from = warmUp + round * perRound;
      const before = await workerStats(client);
      costs.push(
        await measureCosts(network, async () => {
          const load = await send(set.transfers.slice(from, from + perRound), from);
          rates.push(rateOf(load.transactions, load.ms));
          return load.transactions;
        }),
      );
      const after = await workerStats(client);
      commit.push(latencyBetween(before, after, 'commit'));
      commitOnAll.push(latencyBetween(before, after, 'commitOnAll'));
      await bare.round();
    }
    return {
      rates,
      costs: medianCosts(costs),
      commit: medianLatency(commit),
      commitOnAll: medianLatency(commitOnAll),
    };
  });

/** The same network otherwise, with the same rounds. */
const otherwise = (
  set: TransferSet,
  own: number,
  { name, rounds, made }: { readonly name: string; readonly rounds: number; readonly made: Made },
): Promise<Peer> =>
  comparePeer(own, name, () =>
    withNetwork(set, made, async (network, client, send) => {
      const rates: number[] = [];
      const costs: Costs[] = [];
      const before = await workerStats(client);
      for (let round = 0; round < rounds; round++) {
        const from = warmUp + round * perRound;
        const work = async (): Promise<number> => {
          const load = await send(set.transfers.slice(from, from + perRound), from);
          rates.push(rateOf(load.transactions, load.ms));
          return load.transactions;
        };
        costs.push(await measureCosts(network, work));
      }
      const { p50, p99 } = latencyBetween(before, await workerStats(client), 'commit');
      const latency = `p50 ${p50.toFixed(0)}, p99 ${p99.toFixed(0)} ms`;
      const note = `${latency}; ${leaderThreads(medianCosts(costs).threadMicros)}`;
      return { perSecond: spreadOf(rates).median, note };
    }),
  );

async function variants(
  set: TransferSet,
  own: number,
  { rounds, engine, say }: SectionOptions,
): Promise<readonly Peer[]> {
  const peers: Peer[] = [];
  const other = engine === 'own' ? 'reference' : 'own';
  for (const [name, made] of [
    [`this network, ${fewLanes} requests in flight`, { engine, inFlight: fewLanes }],
    ['this network, signatures checked in line', { engine, preparingThreads: 0 }],
    [`this network, engine: ${other}`, { engine: other }],
  ] as const) {
    say(name);
    peers.push(await otherwise(set, own, { name, rounds, made }));
  }
  return peers;
}

/** The same load on a network whose every process is profiled; no figure is to be taken from it. */
export function profileTransfers(
  kind: TransferKind,
  directory: string,
  { quick, engine, say }: SectionOptions,
): Promise<string> {
  const count = quick ? 6_000 : 30_000;
  const set = transferSet(kind, warmUp + count);
  return profileNetwork(directory, { quick, say }, (start, stretch) =>
    withNetwork(set, { ...start, engine }, (network, _client, send) =>
      stretch(network, async () => {
        const load = await send(set.transfers.slice(warmUp), warmUp);
        say(`${Math.round(rateOf(count, load.ms))} transfers a second while being profiled`);
        return load.transactions;
      }),
    ),
  );
}

function latencyBetween(
  before: WorkerStats,
  after: WorkerStats,
  which: 'commit' | 'commitOnAll',
): LatencyFigures {
  const between = bucketsBetween(before.buckets[which], after.buckets[which]);
  return { p50: percentileOfBuckets(between, 0.5), p99: percentileOfBuckets(between, 0.99) };
}

async function developmentNodes(
  set: TransferSet,
  own: number,
  { rounds, say }: SectionOptions,
): Promise<readonly Peer[]> {
  const peers: Peer[] = [];
  for (const node of [hardhatNode, anvilNode, slowAnvilNode]) {
    say(`peer: ${node.name}`);
    peers.push(
      await comparePeer(own, node.name, async () => {
        const { perSecond, cpuMicrosPerTransaction } = await measureDevelopmentNode(node, set, {
          lanes,
          warmUp,
          rounds,
        });
        return { perSecond, note: `${cpuMicrosPerTransaction.toFixed(0)} µs CPU a transaction` };
      }),
    );
  }
  return peers;
}
