import { type Answer, maxAnswerBytes, type Question } from '@concordat/bridge';
import { CodedError, type Seqno, utf8, type View } from '@concordat/std';
import type { NodeContext } from './node-context.ts';
import type { ReceiptDesk } from './receipt-desk.ts';
import type { RequestKeys } from './request-keys.ts';

/** Answers what a worker asks about the ledger on behalf of a client. */
export class LedgerQuestions {
  readonly #node: NodeContext;
  readonly #receipts: ReceiptDesk;
  readonly #requestKeys: Pick<RequestKeys, 'endorsed'>;

  constructor(
    node: NodeContext,
    receipts: ReceiptDesk,
    requestKeys: Pick<RequestKeys, 'endorsed'>,
  ) {
    this.#node = node;
    this.#receipts = receipts;
    this.#requestKeys = requestKeys;
  }

  /** The answer to one question: what was asked for, or the code and words of why it is not given. */
  async answer(question: Question): Promise<Answer> {
    const { id } = question;
    try {
      const bytes = await this.#find(question);
      if (bytes.length <= maxAnswerBytes) return { kind: 'answer', id, bytes };
      // The worker would take the frame for a broken one, and end.
      const why = utf8(`the answer has ${bytes.length} bytes`);
      return { kind: 'answer', id, code: 'PAYLOAD_TOO_LARGE', bytes: why };
    } catch (error) {
      if (error instanceof CodedError) {
        return { kind: 'answer', id, code: error.code, bytes: utf8(error.message) };
      }
      this.#node.control.log('question.failed', { level: 'error', why: String(error) });
      return { kind: 'answer', id, code: 'INTERNAL_ERROR', bytes: utf8('the question failed') };
    }
  }

  async #find({ subject, view, seqno }: Question): Promise<Uint8Array> {
    if (subject === 'viewHistory') return utf8(JSON.stringify(this.#node.log.committedViews()));
    if (subject === 'requestKey') return this.#requestKeys.endorsed(Date.now());
    const id = { view: view as View, seqno: seqno as Seqno };
    if (subject === 'coseReceipt') return this.#receipts.coseReceipt(id);
    return utf8(JSON.stringify(await this.#receipts.receipt(id)));
  }
}
