import type { TransactionStatus } from '@concordat/api';
import { encodeCoseReceipt, type ReceiptJson } from '@concordat/ledger';
import type { Seqno, View } from '@concordat/std';
import { ManagerError } from './errors.ts';
import type { NodeContext } from './node-context.ts';
import { PastTurns } from './past-turns.ts';

/** Answers what became of a transaction, and proves it. */
export class ReceiptDesk {
  readonly #context: NodeContext;
  readonly #turns: PastTurns;

  constructor(context: NodeContext, turns = new PastTurns()) {
    this.#context = context;
    this.#turns = turns;
  }

  /** Where the transaction `view.seqno` stands. */
  status({ view, seqno }: { view: View; seqno: Seqno }): TransactionStatus {
    const { log } = this.#context;
    const actual = log.viewOfSeqno(seqno);
    if (actual === undefined) {
      // A committed ledger that has moved on to a later view will never hold it.
      return view < log.committedView && seqno > log.committedSeqno ? 'Invalid' : 'Unknown';
    }
    const committed = seqno <= log.committedSeqno;
    if (actual === view) return committed ? 'Committed' : 'Pending';
    return committed ? 'Invalid' : 'Unknown';
  }

  /**
   * The receipt of a committed transaction, from the stored block, or from another node's while
   * this one's host does not have it yet.
   * @throws ManagerError TRANSACTION_NOT_FOUND, TRANSACTION_PENDING; LEDGER_CORRUPT with height and
   *   reason when the host's copy of the block is damaged; BLOCK_NOT_HELD, SESSION_KEY_MISSING,
   *   HOST_FAULT
   */
  async receipt(id: { view: View; seqno: Seqno }): Promise<ReceiptJson> {
    const status = this.status(id);
    if (status === 'Pending' || status === 'Unknown') {
      throw new ManagerError('TRANSACTION_PENDING', `the transaction is ${status.toLowerCase()}`);
    }
    const { log, pages } = this.#context;
    const place = await pages.answer(() => log.locate(id.seqno));
    if (status === 'Invalid' || !place) {
      throw new ManagerError('TRANSACTION_NOT_FOUND', 'no such transaction was committed');
    }
    return (await this.#turns.block(this.#context, place.height)).receipt(id.seqno);
  }

  /**
   * The same as a COSE receipt, signed now by the network's own key: no block pays for a signature
   * that nobody asked for, and who verifies it needs no certificate but the network's.
   * @throws ManagerError as {@link receipt}; NETWORK_KEY_MISSING
   */
  async coseReceipt(id: { view: View; seqno: Seqno }): Promise<Uint8Array> {
    const receipt = await this.receipt(id);
    return encodeCoseReceipt({
      receipt,
      networkKey: this.#context.networkKey.signing(),
      networkId: this.#context.network.id,
      issuedAtMs: Date.now(),
    });
  }
}
