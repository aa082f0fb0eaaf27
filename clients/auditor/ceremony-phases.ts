import type { BlockHeader } from '@concordat/ledger';

/**
 * How long the leader has waited for whoever is silent in the open key ceremony, by the times of its
 * own blocks: since the phase began, or since it leads, for a new leader waits anew.
 */
export class CeremonyPhases {
  #view = 0;
  #viewAtMs = 0;
  #phase = '';
  #phaseView = 0;
  #phaseAtMs = 0;

  /** The next block of the chain, before it is examined. */
  block({ view, timeMs }: BlockHeader): void {
    if (view === this.#view) return;
    this.#view = view;
    this.#viewAtMs = timeMs;
  }

  /** A block brought the ceremony to this phase, or left it there. */
  reached(phase: string, { view, timeMs }: BlockHeader): void {
    if (phase === this.#phase) return;
    this.#phase = phase;
    this.#phaseView = view;
    this.#phaseAtMs = timeMs;
  }

  /** Milliseconds that the leader of a block has waited in the phase at hand. */
  waitedMs({ timeMs }: BlockHeader): number {
    return timeMs - (this.#phaseView === this.#view ? this.#phaseAtMs : this.#viewAtMs);
  }
}
