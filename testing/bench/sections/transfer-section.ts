import {
  bucketsBetween,
  percentileOfBuckets,
  perSecond as rateOf,
  spreadOf,
} from '../arithmetic.ts';
import { BenchNetwork, type WorkerStats, workerStats } from '../bench-network.ts';
import { runLoad } from '../json-rpc-load.ts';
import { type LatencyFigures, postOver } from '../mainnet-run.ts';
import { type Costs, measureCosts, medianCosts } from '../measure.ts';
import { anvilNode, hardhatNode, measureDevelopmentNode } from '../peers/development-node.ts';
import { type TransferKind, type TransferSet, transferSet } from '../workloads/token-set.ts';
import { transferLanes } from '../workloads/transfer-lanes.ts';
import { BarePeers } from './bare-peers.ts';
import { medianLatency } from './median-latency.ts';
import { comparePeer, finished, type Peer, type Section, type SectionOptions } from './section.ts';

/** Lanes of requests, 100 transactions each, in flight; see `chainsInFlight`. */
const lanes = 4;
const warmUp = 2_000;
const perRound = 3_000;

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
      ...(options.withPeers ? await developmentNodes(set, perSecond.median, options) : []),
    ],
    notes: ['the peers are single processes without consensus, TLS or anything on disk'],
  });
}

async function measureNetwork(
  set: TransferSet,
  { rounds, engine, say }: SectionOptions,
  bare: BarePeers,
) {
  const network = await BenchNetwork.start({
    adapters: { ethereum: { chains: [{ ...set.chain, engine }] }, keyvalue: {} },
  });
  try {
    const client = await network.client();
    const post = postOver(client);
    const send = (raws: readonly Uint8Array[], first: number) =>
      runLoad(transferLanes(raws, lanes, '/', first), { post, lanesInFlight: lanes });
    await runLoad(transferLanes(set.deployment, 1, '/'), { post, lanesInFlight: 1 });
    await send(set.transfers.slice(0, warmUp), 0);
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
    client.close();
    return {
      rates,
      costs: medianCosts(costs),
      commit: medianLatency(commit),
      commitOnAll: medianLatency(commitOnAll),
    };
  } finally {
    await network.stop();
  }
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
  for (const node of [hardhatNode, anvilNode]) {
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
