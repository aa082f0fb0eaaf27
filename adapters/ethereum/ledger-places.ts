import { formatTransactionId } from '@concordat/std';
import type { CommittedBatch } from '@concordat/worker-enclave';

/**
 * Where the blocks of one chain stand in the ledger. A seqno is known only once a batch is sealed,
 * so it cannot be part of the state; this is learned block by block as they commit, 24 bytes each.
 */
export class LedgerPlaces {
  // One entry a ledger block, ascending: position in the chain, seqno of the first leaf, view.
  readonly #starts: number[] = [];
  readonly #seqnos: number[] = [];
  readonly #views: number[] = [];

  /** What stands in the chain from this position on was committed by this batch. */
  add(start: number, batch: CommittedBatch): void {
    this.#starts.push(start);
    this.#seqnos.push(batch.firstSeqno);
    this.#views.push(batch.view);
  }

  /** `view.seqno` of a leaf of the batch that holds this position; undefined when not learned. */
  transactionId(position: number, leaf: number): string | undefined {
    const starts = this.#starts;
    let [low, high] = [0, starts.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (starts[middle]! <= position) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return undefined;
    return formatTransactionId(this.#views[low - 1]!, this.#seqnos[low - 1]! + leaf);
  }
}
