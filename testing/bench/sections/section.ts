import type { EngineName } from '@concordat/ethereum';
import { ratio, type Spread } from '../arithmetic.ts';
import type { LatencyFigures } from '../mainnet-run.ts';
import type { Costs } from '../measure.ts';
import { loadAverage } from '../process-figures.ts';

/** A peer of the same run. */
export interface Peer {
  readonly name: string;
  /** Absent when it could not be measured; then `note` says why. */
  readonly perSecond?: number;
  /** Our rate over its rate. */
  readonly ratio?: number;
  readonly note: string;
}

/** One workload's figures. */
export interface Section {
  readonly id: string;
  readonly title: string;
  /** How the load was made. */
  readonly method: string;
  /** Of the rounds. */
  readonly perSecond: Spread;
  readonly rounds: number;
  readonly latencies: readonly { readonly what: string; readonly figures: LatencyFigures }[];
  readonly costs: Costs;
  readonly peers: readonly Peer[];
  readonly notes: readonly string[];
  /** Load average at its end. */
  readonly load: number;
}

/** How a section is measured. */
export interface SectionOptions {
  readonly rounds: number;
  readonly withPeers: boolean;
  /** A short run: fewer of everything, for a look rather than a figure. */
  readonly quick: boolean;
  /** What executes Ethereum transactions on the networks measured. */
  readonly engine: EngineName;
  /** Hears what is being done. */
  readonly say: (text: string) => void;
}

/** Adds the load average. */
export const finished = (section: Omit<Section, 'load'>): Section => ({
  ...section,
  load: loadAverage(),
});

/** Measures a peer; whatever keeps it from running becomes its note. */
export async function comparePeer(
  own: number,
  name: string,
  measure: () => Promise<{ readonly perSecond: number; readonly note: string }>,
): Promise<Peer> {
  try {
    const { perSecond, note } = await measure();
    const share = ratio(own, perSecond);
    return { name, perSecond, note, ...(share !== undefined && { ratio: share }) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { name, note: `skipped: ${why.split('\n', 1)[0]}` };
  }
}

/** The white paper's own figure, of its machine. */
export const paperPeer = (own: number): Peer => ({
  name: 'white paper, 1,600 tx/s',
  perSecond: 1_600,
  ratio: own / 1_600,
  note: 'its figure, not of this machine',
});
