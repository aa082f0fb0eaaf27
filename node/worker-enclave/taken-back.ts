import type { Flight } from './speculative-chain.ts';
import type { Submission } from './submission.ts';

/**
 * Sealed blocks this node took back when another leader's ledger went another way. That alone does
 * not mean they are lost: as long as nothing is committed at their height, another node that still
 * holds such a block may come to lead and commit it (Ongaro and Ousterhout 2014, figure 8).
 */
export class TakenBack {
  #flights: Flight[] = [];

  /** Keeps a block until its fate is known. */
  add(flight: Flight): void {
    this.#flights.push(flight);
  }

  /** The block that was committed at this height in this view, if it is one of these. */
  committed(height: number, view: number): Flight | undefined {
    const at = this.#flights.findIndex(
      (flight) => flight.height === height && flight.view === view,
    );
    return at < 0 ? undefined : this.#flights.splice(at, 1)[0];
  }

  /** Those at heights up to which all is committed: other blocks are there, these are lost. */
  lostUpTo(height: number): readonly Flight[] {
    if (this.#flights.length === 0) return [];
    const lost = this.#flights.filter((flight) => flight.height <= height);
    this.#flights = this.#flights.filter((flight) => flight.height > height);
    return lost;
  }

  /** Submissions in these blocks received before this time. */
  overdue(receivedBeforeMs: number): readonly Submission[] {
    const late = (submission: Submission) => submission.receivedMs < receivedBeforeMs;
    return this.#flights.flatMap((flight) => flight.submissions.filter(late));
  }
}
