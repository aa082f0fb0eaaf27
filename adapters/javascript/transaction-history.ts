import type { Place } from './frames.ts';

/** CCF's words for what became of a transaction. */
export type TransactionStatus = 'Committed' | 'Invalid' | 'Pending' | 'Unknown';

/**
 * Which views committed which seqnos, as far as this worker has seen: it hears of its own blocks
 * only, and of none before the snapshot it began with.
 */
export class TransactionHistory {
  /** First seqno known of each view, oldest first. */
  readonly #views: { readonly view: number; readonly from: number }[] = [];
  #last = { view: 0, seqno: 0 };

  /** The newest transaction known to be committed; 0.0 when none is. */
  get last(): { readonly view: number; readonly seqno: number } {
    return this.#last;
  }

  /** What another history is to be told to know as much. */
  places(): Place[] {
    const places = this.#views.map(({ view, from }) => ({ view, firstSeqno: from, count: 1 }));
    const { view, seqno } = this.#last;
    return view === 0 ? places : [...places, { view, firstSeqno: seqno, count: 1 }];
  }

  committed({ view, firstSeqno, count }: Place): void {
    if (this.#views.at(-1)?.view !== view) this.#views.push({ view, from: firstSeqno });
    this.#last = { view, seqno: firstSeqno + count - 1 };
  }

  statusOf(view: number, seqno: number): TransactionStatus {
    if (seqno > this.#last.seqno) {
      return view < this.#last.view ? 'Invalid' : view === this.#last.view ? 'Pending' : 'Unknown';
    }
    const known = this.viewOf(seqno);
    if (known === undefined) return 'Unknown';
    return known === view ? 'Committed' : 'Invalid';
  }

  /** The view that committed this seqno; undefined when it is not known here. */
  viewOf(seqno: number): number | undefined {
    if (seqno > this.#last.seqno) return undefined;
    return this.#views.findLast(({ from }) => from <= seqno)?.view;
  }
}
