import type { TransactionStatus } from '@concordat/api';
import type { ReceiptJson } from '@concordat/ledger';
import type { Seqno, View } from '@concordat/std';
import { ManagerError } from './errors.ts';
import type { NodeContext } from './node-context.ts';

/** Answers what became of a transaction, and proves it. */
export class ReceiptDesk {
  readonly #context: NodeContext;

  constructor(context: NodeContext) {
    this.#context = context;
  }

  /** Where the transaction `view.seqno` stands. */
  status({ view, seqno }: { view: View; seqno: Seqno }): TransactionStatus {
    const { log } = this.#context;
    const place = log.locate(seqno);
    if (!place) {
      // A committed ledger that has moved on to a later view will never hold it.
      return view < log.committedView && seqno > log.committedSeqno ? 'Invalid' : 'Unknown';
    }
    const actual = log.viewAt(place.height);
    const committed = place.height <= log.committedHeight;
    if (actual === view) return committed ? 'Committed' : 'Pending';
    return committed ? 'Invalid' : 'Unknown';
  }

  /**
   * The receipt of a committed transaction, from the stored block.
   * @throws ManagerError TRANSACTION_NOT_FOUND, TRANSACTION_PENDING; LEDGER_CORRUPT with height and
   *   reason when the host's copy of the block is damaged; SESSION_KEY_MISSING, HOST_FAULT
   */
  async receipt(id: { view: View; seqno: Seqno }): Promise<ReceiptJson> {
    const status = this.status(id);
    if (status === 'Pending' || status === 'Unknown') {
      throw new ManagerError('TRANSACTION_PENDING', `the transaction is ${status.toLowerCase()}`);
    }
    const { log, stored } = this.#context;
    const place = log.locate(id.seqno);
    if (status === 'Invalid' || !place) {
      throw new ManagerError('TRANSACTION_NOT_FOUND', 'no such transaction was committed');
    }
    return stored.receipt(place.height, id.seqno);
  }
}
