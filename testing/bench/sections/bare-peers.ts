import { median } from '../arithmetic.ts';
import { runBare } from '../peers/bare.ts';
import type { BareJob } from '../peers/bare-process.ts';
import { comparePeer, type Peer, type SectionOptions } from './section.ts';

const names = {
  library: '@ethereumjs/evm unchanged, one process, no network',
  own: 'our interpreter, one process, no network',
} as const;

type JobOfEngine = (engine: keyof typeof names) => BareJob;

/** The same transactions decoded, recovered and executed by one process and nothing else. */
export async function barePeers(
  own: number,
  jobOf: JobOfEngine,
  { rounds, say }: SectionOptions,
): Promise<readonly Peer[]> {
  const peers: Peer[] = [];
  for (const engine of ['library', 'own'] as const) {
    say(`peer: ${names[engine]}`);
    const peer = await comparePeer(own, names[engine], async () => {
      const rates: number[] = [];
      for (let round = 0; round < rounds; round++) {
        rates.push((await runBare(jobOf(engine))).perSecond);
      }
      return { perSecond: median(rates), note: 'no ledger, no consensus, nothing durable' };
    });
    peers.push(peer);
  }
  return peers;
}
