import { spreadOf } from '../arithmetic.ts';
import { BenchNetwork } from '../bench-network.ts';
import { type Costs, measureCosts, medianCosts } from '../measure.ts';
import { EtcdCluster, etcdIsInstalled } from '../peers/etcd.ts';
import {
  keyCount,
  type Put,
  putsOf,
  runWrites,
  valueBytes,
  type WriteFigures,
} from '../workloads/key-value-load.ts';
import { benchChainId } from '../workloads/token-set.ts';
import { medianLatency } from './median-latency.ts';
import { comparePeer, finished, type Peer, type Section, type SectionOptions } from './section.ts';

const inFlight = 1_000;
const warmUp = 20_000;
const perRound = 30_000;
const loneWrites = 300;

const etcdName = 'etcd, three members, fsync, no TLS, no encryption';

interface Writes {
  readonly loaded: readonly WriteFigures[];
  readonly lone: readonly WriteFigures[];
}

/** (d) The framework's own cost: writes of 100 bytes to the key-value ledger. */
export async function keyValueSection(options: SectionOptions): Promise<Section> {
  const { loaded, lone, costs } = await measureNetwork(options);
  const perSecond = spreadOf(loaded.map((round) => round.perSecond));
  const loneLatency = medianLatency(lone);
  return finished({
    id: 'keyvalue',
    title: `(d) key-value writes of ${valueBytes} bytes`,
    method: `${keyCount} keys, one framed stream, ${inFlight} in flight; ${warmUp} writes before`,
    perSecond,
    rounds: options.rounds,
    latencies: [
      { what: `sending to durable commit, ${inFlight} in flight`, figures: medianLatency(loaded) },
      { what: 'sending to durable commit, a lone write', figures: loneLatency },
    ],
    costs,
    peers: options.withPeers ? [await etcdPeer(perSecond.median, options)] : [],
    notes: [],
  });
}

async function measureNetwork({ rounds, say }: SectionOptions) {
  const network = await BenchNetwork.start({
    // The worker's image carries both adapters.
    adapters: { keyvalue: {}, ethereum: { chains: [{ name: 'main', chainId: benchChainId }] } },
  });
  try {
    const client = await network.keyValueClient();
    const costs: Costs[] = [];
    const measured = await measureWrites(putsOf(client), {
      rounds,
      say: (round) => say(`key-value writes, round ${round} of ${rounds}`),
      around: async (work) => {
        costs.push(await measureCosts(network, work));
      },
    });
    client.close();
    return { ...measured, costs: medianCosts(costs) };
  } finally {
    await network.stop();
  }
}

async function measureWrites(
  put: Put,
  {
    rounds,
    say = () => {},
    around,
  }: {
    readonly rounds: number;
    readonly say?: (round: number) => void;
    readonly around: (work: () => Promise<number>) => Promise<void>;
  },
): Promise<Writes> {
  await runWrites(put, { writes: warmUp, inFlight });
  const loaded: WriteFigures[] = [];
  const lone: WriteFigures[] = [];
  for (let round = 1; round <= rounds; round++) {
    say(round);
    await around(async () => {
      loaded.push(await runWrites(put, { writes: perRound, inFlight }));
      return perRound;
    });
    lone.push(await runWrites(put, { writes: loneWrites, inFlight: 1 }));
  }
  return { loaded, lone };
}

async function etcdPeer(own: number, { rounds, say }: SectionOptions): Promise<Peer> {
  if (!etcdIsInstalled()) return { name: etcdName, note: 'skipped: etcd is not installed' };
  say('peer: etcd');
  return comparePeer(own, etcdName, async () => {
    const cluster = await EtcdCluster.start();
    try {
      const cpu: number[] = [];
      const { loaded, lone } = await measureWrites(cluster.put, {
        rounds,
        around: async (work) => {
          const before = cluster.cpuMicros();
          const writes = await work();
          cpu.push((cluster.cpuMicros() - before) / writes);
        },
      });
      const { p50 } = medianLatency(loaded);
      const { p50: lonely } = medianLatency(lone);
      return {
        perSecond: spreadOf(loaded.map((round) => round.perSecond)).median,
        note: `p50 ${p50.toFixed(1)} ms; lone write ${lonely.toFixed(1)} ms; ${spreadOf(cpu).median.toFixed(0)} µs CPU a write, all members; gRPC over HTTP/2`,
      };
    } finally {
      await cluster.stop();
    }
  });
}
