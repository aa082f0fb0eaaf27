import { spreadOf } from '../arithmetic.ts';
import { BenchNetwork } from '../bench-network.ts';
import { chainsInFlight, type MainnetFigures, runMainnet } from '../mainnet-run.ts';
import { type Costs, measureCosts, medianCosts } from '../measure.ts';
import { profileNetwork } from '../profile/profile-network.ts';
import { mainnetSet, paperBlocks, warmUpBlocksFor } from '../workloads/mainnet-set.ts';
import { AnvilPeers } from './anvil-peers.ts';
import { BarePeers } from './bare-peers.ts';
import { medianLatency } from './median-latency.ts';
import { finished, paperPeer, type Section, type SectionOptions } from './section.ts';

/** (a) Real Ethereum blocks of the white paper's time; a new network each round. */
export async function mainnetSection(options: SectionOptions): Promise<Section> {
  const blocks = paperBlocks();
  const warmUpBlocks = warmUpBlocksFor(blocks);
  const set = mainnetSet(blocks, { warmUpBlocks, engine: options.engine });
  const figures: MainnetFigures[] = [];
  const costs: Costs[] = [];
  const bare = new BarePeers(options, (engine) => ({
    kind: 'mainnet',
    engine,
    warmUpBlocks,
    blocks,
  }));
  const anvil = new AnvilPeers(options, blocks);
  for (let round = 1; round <= options.rounds; round++) {
    options.say(`real blocks, round ${round} of ${options.rounds}`);
    const network = await BenchNetwork.start({
      adapters: { ethereum: set.config },
      genesisData: { ethereum: set.genesisData },
    });
    try {
      const client = await network.client();
      const warm = await runMainnet({ ...set, blocks: [], lanes: [] }, client);
      costs.push(
        await measureCosts(network, async () => {
          const run = await runMainnet({ ...set, warmUpBlocks: [], warmUpLanes: [] }, client);
          if (!run.everyBlockMatches) throw new Error('a block differs from the real one');
          figures.push({ ...run, ...(warm.warmUp && { warmUp: warm.warmUp }) });
          return run.all.transactions;
        }),
      );
      client.close();
    } finally {
      await network.stop();
    }
    await bare.round();
    await anvil.round();
  }
  const perSecond = spreadOf(figures.map(({ all }) => all.perSecond));
  const calm = spreadOf(figures.map(({ withoutDenialOfService: w }) => w?.perSecond ?? Number.NaN));
  return finished({
    id: 'mainnet',
    title: '(a) 2,077 real transactions of 21 Ethereum blocks, 2015-2018',
    method: `JSON-RPC batches of 100, ${chainsInFlight} chains in flight; ${set.warmUpLanes.length} blocks of other years before, to have the code compiled`,
    perSecond,
    rounds: options.rounds,
    latencies: [
      { what: 'receipt to durable commit', figures: medianLatency(figures.map((f) => f.commit)) },
      {
        what: 'receipt to commit on all nodes',
        figures: medianLatency(figures.map((f) => f.commitOnAll)),
      },
    ],
    costs: medianCosts(costs),
    peers: [
      ...(await bare.results(perSecond.median)),
      ...(await anvil.results(perSecond.median)),
      paperPeer(perSecond.median),
    ],
    notes: [
      `without the denial-of-service block 2462997: ${Math.round(calm.median)} tx/s`,
      'every block matches the real header: gas used, logs bloom and, from Byzantium on, receipts root',
      ...anvil.notes(),
    ],
  });
}

/** All real blocks there are on a network whose every process is profiled. */
export function profileMainnet(
  directory: string,
  { quick, engine, say }: SectionOptions,
): Promise<string> {
  const warmUpBlocks = paperBlocks();
  const set = mainnetSet(warmUpBlocksFor(warmUpBlocks), { warmUpBlocks, engine });
  return profileNetwork(directory, { quick, say }, async (start, stretch) => {
    const network = await BenchNetwork.start({
      adapters: { ethereum: set.config },
      genesisData: { ethereum: set.genesisData },
      ...start,
    });
    try {
      const client = await network.client();
      await runMainnet({ ...set, blocks: [], lanes: [] }, client);
      await stretch(network, async () => {
        const { all } = await runMainnet({ ...set, warmUpBlocks: [], warmUpLanes: [] }, client);
        say(`${Math.round(all.perSecond)} transactions a second while being profiled`);
        return all.transactions;
      });
      client.close();
    } finally {
      await network.stop();
    }
  });
}
