import { median } from '../arithmetic.ts';
import { runBare } from '../peers/bare.ts';
import type { BareJob } from '../peers/bare-process.ts';
import { comparePeer, type Peer, type SectionOptions } from './section.ts';

const names = {
  reference: '@ethereumjs/evm unchanged, one process, no network',
  own: 'our engine, one process, no network',
} as const;

type BareName = keyof typeof names;

/**
 * The same transactions decoded, recovered and executed by one process and nothing else. Each round
 * runs right after one of the network, so that whatever else the machine does meets both alike.
 */
export class BarePeers {
  readonly #jobOf: (engine: BareName) => BareJob;
  readonly #options: SectionOptions;
  readonly #rates: Readonly<Record<BareName, number[]>> = { reference: [], own: [] };

  constructor(options: SectionOptions, jobOf: (engine: BareName) => BareJob) {
    this.#options = options;
    this.#jobOf = jobOf;
  }

  /** One round of each engine; nothing when peers are not wanted. */
  async round(): Promise<void> {
    if (!this.#options.withPeers) return;
    for (const engine of ['reference', 'own'] as const) {
      this.#options.say(`  beside it: ${names[engine]}`);
      this.#rates[engine].push((await runBare(this.#jobOf(engine))).perSecond);
    }
  }

  /** What the rounds came to, beside our rate. */
  async results(own: number): Promise<readonly Peer[]> {
    if (!this.#options.withPeers) return [];
    return Promise.all(
      (['reference', 'own'] as const).map((engine) =>
        comparePeer(own, names[engine], async () => ({
          perSecond: median(this.#rates[engine]),
          note: 'no ledger, no consensus, nothing durable',
        })),
      ),
    );
  }
}
