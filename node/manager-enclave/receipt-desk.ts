import type { TransactionStatus } from '@concordat/api';
import { buildReceipt, decodeHeader, type ReceiptJson } from '@concordat/ledger';
import type { Seqno, View } from '@concordat/std';
import { ManagerError } from './errors.ts';
import type { Manager } from './manager.ts';

/** Answers what became of a transaction, and proves it. */
export class ReceiptDesk {
  readonly #manager: Manager;

  constructor(manager: Manager) {
    this.#manager = manager;
  }

  /** Where the transaction `view.seqno` stands. */
  status({ view, seqno }: { view: View; seqno: Seqno }): TransactionStatus {
    const { log } = this.#manager;
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
   * @throws ManagerError TRANSACTION_NOT_FOUND, TRANSACTION_PENDING; LedgerError when the host's
   *   copy of the block is damaged
   */
  async receipt(id: { view: View; seqno: Seqno }): Promise<ReceiptJson> {
    const status = this.status(id);
    if (status === 'Pending' || status === 'Unknown') {
      throw new ManagerError('TRANSACTION_PENDING', `the transaction is ${status.toLowerCase()}`);
    }
    const { log, control, sessionKeys, administration } = this.#manager;
    const place = log.locate(id.seqno);
    if (status === 'Invalid' || !place) {
      throw new ManagerError('TRANSACTION_NOT_FOUND', 'no such transaction was committed');
    }
    const { height } = place;
    const [block] = await control.read(height, height, 1);
    if (!block) {
      throw new ManagerError('LEDGER_CORRUPT', 'the host no longer has the block', { height });
    }
    const { leader } = decodeHeader(block);
    return buildReceipt({
      block,
      seqno: id.seqno,
      history: log.history,
      sessionKey: (epoch) => sessionKeys.get(epoch),
      nodeCertificatePem: administration.node(leader)?.certificate ?? '',
    });
  }
}
