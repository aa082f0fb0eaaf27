import { spreadOf } from '../arithmetic.ts';
import { BenchNetwork } from '../bench-network.ts';
import { isMatch } from '../block-check.ts';
import {
  chainsInFlight,
  checkMainnet,
  type SendingFigures,
  sendMainnet,
  warmUpMainnet,
} from '../mainnet-run.ts';
import { type Costs, measureCosts, medianCosts } from '../measure.ts';
import { profileNetwork } from '../profile/profile-network.ts';
import {
  type MainnetBlocks,
  type MainnetSet,
  mainnetSet,
  paperBlocks,
  warmUpBlocksFor,
} from '../workloads/mainnet-set.ts';
import { AnvilPeers } from './anvil-peers.ts';
import { BarePeers } from './bare-peers.ts';
import { medianLatency } from './median-latency.ts';
import { finished, paperPeer, type Section, type SectionOptions } from './section.ts';

/** Passes over the blocks before those that are measured: the runtime compiles what runs often. */
const passesBefore = 4;

/** (a) Real Ethereum blocks of the white paper's time, all passes on one network. */
export async function mainnetSection(options: SectionOptions): Promise<Section> {
  const { engine, rounds, say } = options;
  const blocks = paperBlocks();
  const warmUpBlocks = warmUpBlocksFor(blocks);
  const set = mainnetSet(blocks, { warmUpBlocks, engine, copies: passesBefore + rounds });
  const bare = new BarePeers(options, (name) => ({
    kind: 'mainnet',
    engine: name,
    warmUpBlocks,
    blocks,
  }));
  const anvil = new AnvilPeers(options, blocks);
  const { early, figures, costs } = await sendPasses(set, say, async () => {
    await bare.round();
    await anvil.round();
  });
  const perSecond = spreadOf(figures.map(({ all }) => all.perSecond));
  const calm = spreadOf(figures.map(({ withoutDenialOfService: w }) => w?.perSecond ?? Number.NaN));
  return finished({
    id: 'mainnet',
    title: '(a) 2,077 real transactions of 21 Ethereum blocks, 2015-2018',
    method:
      `JSON-RPC batches of 100, ${chainsInFlight} chains in flight; before it, to have the code compiled, ` +
      `${warmUpBlocks.length} blocks of other years and these ${passesBefore} times, each time on chains of their own`,
    perSecond,
    rounds,
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
      `the first time, after the blocks of other years alone: ${Math.round(early[0]?.all.perSecond ?? Number.NaN)} tx/s`,
      `without the denial-of-service block 2462997: ${Math.round(calm.median)} tx/s`,
      'every block matches the real header: gas used, logs bloom and, from Byzantium on, receipts root',
      ...anvil.notes(),
    ],
  });
}

/** What the passes over the blocks came to. */
interface Passes {
  /** Before the rounds. */
  readonly early: readonly SendingFigures[];
  /** A round each. */
  readonly figures: readonly SendingFigures[];
  readonly costs: readonly Costs[];
}

/** Sends every copy of the blocks to one network; `afterRound` follows each that is measured. */
async function sendPasses(
  set: MainnetSet,
  say: SectionOptions['say'],
  afterRound: () => Promise<void>,
): Promise<Passes> {
  const rounds = set.copies.length - passesBefore;
  const early: SendingFigures[] = [];
  const figures: SendingFigures[] = [];
  const costs: Costs[] = [];
  const network = await BenchNetwork.start({
    adapters: { ethereum: set.config },
    genesisData: { ethereum: set.genesisData },
  });
  try {
    const client = await network.client();
    await warmUpMainnet(set.warmUp, client);
    for (const [at, pass] of set.copies.entries()) {
      const round = at - passesBefore + 1;
      say(
        round > 0 ? `real blocks, round ${round} of ${rounds}` : `real blocks, before the rounds`,
      );
      const cost = await measureCosts(network, async () => {
        const sent = await sendMainnet(pass, client);
        (round > 0 ? figures : early).push(sent);
        return sent.all.transactions;
      });
      const checks = await checkMainnet(pass, client);
      if (!checks.every(isMatch)) throw new Error('a block differs from the real one');
      if (round <= 0) continue;
      costs.push(cost);
      await afterRound();
    }
    client.close();
  } finally {
    await network.stop();
  }
  return { early, figures, costs };
}

/** Real blocks, several times over, on a network whose every process is profiled. */
export function profileMainnet(
  directory: string,
  { quick, engine, say }: SectionOptions,
): Promise<string> {
  const passes = quick ? 2 : 8;
  const blocks = paperBlocks();
  const set = mainnetSet(blocks, {
    warmUpBlocks: warmUpBlocksFor(blocks),
    engine,
    copies: passesBefore + passes,
  });
  return profileNetwork(directory, { quick, say }, async (start, stretch) => {
    const network = await BenchNetwork.start({
      adapters: { ethereum: set.config },
      genesisData: { ethereum: set.genesisData },
      ...start,
    });
    try {
      const client = await network.client();
      await warmUpMainnet(set.warmUp, client);
      const send = async (copies: readonly MainnetBlocks[]): Promise<number> => {
        let transactions = 0;
        for (const copy of copies)
          transactions += (await sendMainnet(copy, client)).all.transactions;
        return transactions;
      };
      await send(set.copies.slice(0, passesBefore));
      await stretch(network, () => send(set.copies.slice(passesBefore)));
      client.close();
    } finally {
      await network.stop();
    }
  });
}
