import { median, perSecond, spreadOf } from '../arithmetic.ts';
import { chainsInFlight } from '../mainnet-run.ts';
import { type AnvilBlock, type AnvilPass, AnvilWorlds } from '../peers/anvil-mainnet.ts';
import { comparePeer, type Peer, type SectionOptions } from './section.ts';

/** How many blocks Anvil is given at a time. */
const ways = [1, chainsInFlight] as const;
type Way = (typeof ways)[number];

const nameOf = (way: Way): string =>
  way === 1
    ? 'Anvil 1.7, mining on demand, one block at a time'
    : `Anvil 1.7, mining on demand, ${way} processes at a time`;

/** The real blocks on the Rust development node, a process each, right after each of our rounds. */
export class AnvilPeers {
  readonly #options: SectionOptions;
  readonly #blocks: readonly number[];
  readonly #passes: Readonly<Record<Way, AnvilPass[]>> = { 1: [], [chainsInFlight]: [] };
  #failure: unknown;

  constructor(options: SectionOptions, blocks: readonly number[]) {
    this.#options = options;
    this.#blocks = blocks;
  }

  /** One round of each way; nothing when peers are not wanted or Anvil has failed before. */
  async round(): Promise<void> {
    const { withPeers, say } = this.#options;
    if (!withPeers || this.#failure !== undefined) return;
    say(`  beside it: Anvil, ${this.#blocks.length} processes`);
    try {
      const worlds = await AnvilWorlds.start(this.#blocks);
      try {
        for (const way of ways) this.#passes[way].push(await worlds.mine(way));
      } finally {
        await worlds.stop();
      }
    } catch (error) {
      this.#failure = error;
      say(`  Anvil cannot be measured: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** What the rounds came to, beside our rate. */
  async results(own: number): Promise<readonly Peer[]> {
    if (!this.#options.withPeers) return [];
    return Promise.all(
      ways.map((way) =>
        comparePeer(own, nameOf(way), async () => {
          if (this.#failure !== undefined) throw this.#failure;
          const passes = this.#passes[way];
          const rates = passes.map(({ ms, blocks }) => perSecond(minedOf(blocks), ms));
          const cpu = median(passes.map(({ cpuMicros, blocks }) => cpuMicros / minedOf(blocks)));
          const { lowest, highest } = spreadOf(rates);
          return {
            perSecond: median(rates),
            note: `${Math.round(lowest)} to ${Math.round(highest)}; no consensus, TLS or disk; a process a block; ${cpu.toFixed(0)} µs CPU a transaction${failuresOf(passes)}`,
          };
        }),
      ),
    );
  }

  /** How its blocks compare with the real ones; nothing when it was not measured. */
  notes(): readonly string[] {
    const passes = ways.flatMap((way) => this.#passes[way]);
    return passes.length === 0 || this.#failure !== undefined ? [] : [equalityOf(passes)];
  }
}

const minedOf = (blocks: readonly AnvilBlock[]): number =>
  blocks.reduce((sum, { mined }) => sum + mined, 0);

/** What Anvil refused, left out or mined in another order in all rounds; empty when nothing. */
export function failuresOf(passes: readonly Pick<AnvilPass, 'blocks'>[]): string {
  const all = passes.flatMap(({ blocks }) => blocks);
  const refused = all.reduce((sum, block) => sum + block.refused, 0);
  const missing = all.reduce((sum, { sent, mined, refused }) => sum + sent - mined - refused, 0);
  const outOfOrder = all.filter(({ inOrder }) => !inOrder).length;
  const why = all.find(({ why }) => why !== undefined)?.why;
  return [
    ...(refused > 0 ? [`; REFUSED ${refused} (${why})`] : []),
    ...(missing > 0 ? [`; ${missing} NOT MINED`] : []),
    ...(outOfOrder > 0 ? [`; ${outOfOrder} BLOCKS INCOMPLETE OR IN ANOTHER ORDER`] : []),
  ].join('');
}

/** How Anvil's blocks compare with the real ones, of the round that differs most. */
export function equalityOf(passes: readonly Pick<AnvilPass, 'blocks'>[]): string {
  const least = (equal: (block: AnvilBlock) => boolean): number =>
    Math.min(...passes.map(({ blocks }) => blocks.filter(equal).length));
  const number = passes[0]?.blocks.length ?? 0;
  const bloom = least(({ check }) => check.bloomMatches);
  const gas = least(({ check }) => check.gasMatches);
  const all = passes.flatMap(({ blocks }) => blocks);
  const real = all.reduce((sum, { realGasUsed }) => sum + realGasUsed, 0);
  const used = all.reduce((sum, { check }) => sum + check.gasUsed, 0);
  const off = (100 * (used - real)) / real;
  return (
    `Anvil has the logs bloom of ${bloom} of ${number} real blocks and the gas used of ${gas}, ` +
    `${off.toFixed(1)} % off in all${gas < number ? ': it has SSTORE of old forks at the newest price' : ''}`
  );
}
