import { BinaryReader, BinaryWriter, DecodeError } from '@concordat/std';
import type { Place } from './frames.ts';

/** CCF's words for what became of a transaction. */
export type TransactionStatus = 'Committed' | 'Invalid' | 'Pending' | 'Unknown';

/**
 * Which views committed which seqnos, as far as this worker has seen: it hears of its own blocks
 * only, and of none before the snapshot it began with.
 */
export class TransactionHistory {
  /** First seqno known of each view, oldest first. */
  #views: { readonly view: number; readonly from: number }[] = [];
  #last = { view: 0, seqno: 0 };

  /** The newest transaction known to be committed; 0.0 when none is. */
  get last(): { readonly view: number; readonly seqno: number } {
    return this.#last;
  }

  /** u32 count | (u64 view, u64 first seqno)... | u64 view | u64 seqno of the newest. */
  encode(): Uint8Array {
    const writer = new BinaryWriter().u32(this.#views.length);
    for (const { view, from } of this.#views) writer.u64(view).u64(from);
    return writer.u64(this.#last.view).u64(this.#last.seqno).take();
  }

  /** Becomes what {@link encode} wrote; of no bytes at all, empty. @throws DecodeError */
  restore(bytes: Uint8Array): void {
    const views: { view: number; from: number }[] = [];
    let last = { view: 0, seqno: 0 };
    if (bytes.length > 0) {
      const reader = new BinaryReader(bytes);
      const count = reader.u32();
      for (let at = 0; at < count; at++) views.push({ view: reader.u64(), from: reader.u64() });
      last = { view: reader.u64(), seqno: reader.u64() };
      reader.end();
      const isOrdered = views.every(({ from }, at) => from > (views[at - 1]?.from ?? 0));
      if (!isOrdered || (views.at(-1)?.from ?? 0) > last.seqno) {
        throw new DecodeError('INVALID', 'a history that goes backwards');
      }
    }
    this.#views = views;
    this.#last = last;
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
