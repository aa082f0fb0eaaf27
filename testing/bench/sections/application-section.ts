import { frontOffice } from '@concordat/cli';
import { spreadOf } from '../arithmetic.ts';
import { BenchNetwork, type BenchNetworkOptions } from '../bench-network.ts';
import { type Costs, measureCosts, medianCosts } from '../measure.ts';
import { etcdUnderShapes } from '../peers/etcd-shapes.ts';
import { profileNetwork } from '../profile/profile-network.ts';
import { ApplicationConnections, recordBytes, recordCount } from '../workloads/application-load.ts';
import type { WriteFigures } from '../workloads/key-value-load.ts';
import { recordsApplication } from '../workloads/records-application.ts';
import { medianLatency } from './median-latency.ts';
import { finished, type Peer, type Section, type SectionOptions } from './section.ts';

/** Connections, and requests in flight on each. */
const shapes = [
  [1, 1],
  [1, 100],
  [16, 32],
  [1, 1_000],
] as const;
const main = '1x1000';
/** What a network may vote for instead of 100. */
const largeBatch = 500;

const perRound = (inFlight: number, quick: boolean): number =>
  Math.max(300, (inFlight < 100 ? 300 : 20_000) / (quick ? 4 : 1));

interface Measured {
  readonly writes: Readonly<Record<string, WriteFigures[]>>;
  readonly reads: Readonly<Record<string, WriteFigures[]>>;
  readonly fresh: WriteFigures[];
  /** Under a policy other than the paper's 100 transactions a batch. */
  readonly large: WriteFigures[];
  readonly costs: Costs;
}

/** (e) A JavaScript application: records of 32 bytes by key, over HTTP. */
export async function applicationSection(options: SectionOptions): Promise<Section> {
  const { writes, reads, fresh, large, costs } = await measureNetwork(options);
  const notes = Object.entries(writes).map(
    ([shape, rounds]) => `${shape}: writes ${told(rounds)}; reads ${told(reads[shape] ?? [])}`,
  );
  return finished({
    id: 'app',
    title: `(e) writes of ${recordBytes} bytes to a JavaScript application`,
    method: `${recordCount} keys, HTTP/1.1 over mutual TLS, ${main} (connections x in flight), shared modules; processor time of that load; the worker's includes the application's process`,
    perSecond: spreadOf((writes[main] ?? []).map((round) => round.perSecond)),
    rounds: options.rounds,
    latencies: [
      { what: `sending to durable commit, ${main}`, figures: medianLatency(writes[main] ?? []) },
      {
        what: 'sending to durable commit, a lone write',
        figures: medianLatency(writes['1x1'] ?? []),
      },
      { what: 'a lone read', figures: medianLatency(reads['1x1'] ?? []) },
    ],
    costs,
    peers: options.withPeers ? await etcdPeers(writes, reads, options) : [],
    notes: [
      ...notes,
      `${main} with fresh modules for each request: writes ${told(fresh)}`,
      `${main} under the policy maxBatchTransactions ${largeBatch}: writes ${told(large)}`,
    ],
  });
}

const rateOf = (rounds: readonly WriteFigures[]): number =>
  spreadOf(rounds.map((round) => round.perSecond)).median;

function told(rounds: readonly WriteFigures[]): string {
  const { p50, p99 } = medianLatency(rounds);
  const rate = Math.round(rateOf(rounds)).toLocaleString('en-US');
  return `${rate}/s, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`;
}

const etcdPeers = (
  writes: Measured['writes'],
  reads: Measured['reads'],
  options: SectionOptions,
): Promise<readonly Peer[]> =>
  etcdUnderShapes(
    shapes.map(([connections, inFlight]) => {
      const name = `${connections}x${inFlight}`;
      return {
        name,
        inFlight: connections * inFlight,
        requests: perRound(connections * inFlight, options.quick),
        writesPerSecond: rateOf(writes[name] ?? []),
        readsPerSecond: rateOf(reads[name] ?? []),
      };
    }),
    { bytes: recordBytes, keys: recordCount },
    options,
  );

async function measureNetwork(options: SectionOptions): Promise<Measured> {
  const shared = await withApplication(true, async (network, connect) => {
    const writes: Record<string, WriteFigures[]> = {};
    const reads: Record<string, WriteFigures[]> = {};
    const costs: Costs[] = [];
    for (const [connections, inFlight] of shapes) {
      const shape = `${connections}x${inFlight}`;
      const [written, read]: [WriteFigures[], WriteFigures[]] = [[], []];
      writes[shape] = written;
      reads[shape] = read;
      const client = await connect(connections);
      const requests = perRound(connections * inFlight, options.quick);
      await client.run({ method: 'PUT', requests: Math.max(requests, recordCount), inFlight });
      await client.run({ method: 'GET', requests, inFlight });
      for (let round = 1; round <= options.rounds; round++) {
        options.say(`application ${shape}, round ${round} of ${options.rounds}`);
        const work = async (): Promise<number> => {
          written.push(await client.run({ method: 'PUT', requests, inFlight }));
          return requests;
        };
        if (shape === main) costs.push(await measureCosts(network, work));
        else await work();
        read.push(await client.run({ method: 'GET', requests, inFlight }));
      }
      client.close();
    }
    return { writes, reads, costs: medianCosts(costs) };
  });
  const alone = (isReused: boolean, further: Partial<BenchNetworkOptions> = {}) =>
    withApplication(isReused, (_network, connect) => writesAlone(connect, options), further);
  return { ...shared, fresh: await alone(false), large: await alone(true, { batch: largeBatch }) };
}

/** Rounds of the main shape's writes and nothing else. */
async function writesAlone(
  connect: (count: number) => Promise<ApplicationConnections>,
  { rounds, say }: SectionOptions,
): Promise<WriteFigures[]> {
  const client = await connect(1);
  const load = { method: 'PUT' as const, requests: perRound(1_000, true), inFlight: 1_000 };
  await client.run({ ...load, requests: perRound(1_000, false) });
  const measured: WriteFigures[] = [];
  for (let round = 1; round <= rounds; round++) {
    say(`application ${main} otherwise, round ${round} of ${rounds}`);
    measured.push(await client.run(load));
  }
  client.close();
  return measured;
}

/** The same load on a network whose every process is profiled; no figure is to be taken from it. */
export function profileApplication(directory: string, options: SectionOptions): Promise<string> {
  const { quick, say } = options;
  return profileNetwork(directory, { quick, say }, async (start, stretch) => {
    await withApplication(
      true,
      async (network, connect) => {
        const client = await connect(1);
        const load = { method: 'PUT' as const, inFlight: 1_000 };
        await client.run({ ...load, requests: 40_000 });
        await stretch(network, async () => {
          const { perSecond } = await client.run({ ...load, requests: quick ? 40_000 : 160_000 });
          say(`${Math.round(perSecond)} writes a second while being profiled`);
          return quick ? 40_000 : 160_000;
        });
        client.close();
      },
      start,
    );
  });
}

async function withApplication<Result>(
  isReused: boolean,
  measure: (
    network: BenchNetwork,
    connect: (count: number) => Promise<ApplicationConnections>,
  ) => Promise<Result>,
  further: Partial<BenchNetworkOptions> = {},
): Promise<Result> {
  const network = await BenchNetwork.start({
    workerImage: 'application',
    adapters: { javascript: {} },
    genesisData: { javascript: recordsApplication(isReused) },
    ...further,
  });
  try {
    const { sandbox } = network;
    const target = {
      port: (await sandbox.leader()).ports.application,
      networkCertificate: sandbox.networkCertificate,
      identity: await sandbox.identity(frontOffice),
    };
    return await measure(network, (count) => ApplicationConnections.open(target, count));
  } finally {
    await network.stop();
  }
}
