import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  maxPastTransactions,
  type PastReply,
  type PastRequest,
  type PastTransaction,
} from '@concordat/bridge';
import type { ProvenBlock } from '@concordat/ledger';
import { CodedError, emptyBytes, toSeqno, utf8 } from '@concordat/std';
import { ManagerError } from './errors.ts';
import type { NodeContext } from './node-context.ts';
import { PastTurns } from './past-turns.ts';

/** Requests of one worker that are dealt with at a time; it is told to come again with more. */
const maxOpen = 4;
/** Bytes after which a reply ends, unless its first transaction alone has more. */
const maxReplyBytes = 4 * 1024 * 1024;

/** Making receipts keeps others waiting about a millisecond at a time. */
const shownPerTurn = 32;
const expected = new Set(['TRANSACTION_PENDING', 'TRANSACTION_NOT_FOUND']);

type Node = Pick<NodeContext, 'log' | 'pages' | 'stored' | 'held' | 'archive' | 'control'>;

/**
 * Shows a worker committed transactions of the past: the writes of those that its own adapters made,
 * of all others only that they are there. Every block is proved before anything of it is shown.
 */
export class PastDesk {
  readonly #node: Node;
  readonly #turns: PastTurns;
  readonly #open = new Map<number, number>();

  constructor(node: Node, turns = new PastTurns()) {
    this.#node = node;
    this.#turns = turns;
  }

  /**
   * The answer to one request.
   * @param source the worker, by the number its blocks have
   */
  async answer(source: number, request: PastRequest): Promise<PastReply> {
    const { id } = request;
    const open = this.#open.get(source) ?? 0;
    if (open >= maxOpen) return refused(id, 'OVERLOADED');
    this.#open.set(source, open + 1);
    try {
      return { kind: 'pastReply', id, transactions: await this.#read(source, request) };
    } catch (error) {
      const code = error instanceof CodedError ? error.code : 'INTERNAL_ERROR';
      const why = error instanceof Error ? error.message : 'unknown';
      // Anyone may ask for what is not there: that fills no log.
      if (!expected.has(code)) this.#node.control.log('past.failed', { level: 'warn', code, why });
      return refused(id, code);
    } finally {
      this.#open.set(source, (this.#open.get(source) as number) - 1);
    }
  }

  async #read(source: number, request: PastRequest): Promise<PastTransaction[]> {
    const { from, to, receipts } = request;
    const { log, pages } = this.#node;
    if (from < 1 || to < from) throw new ManagerError('TRANSACTION_NOT_FOUND', 'no such range');
    if (from > log.committedSeqno) {
      throw new ManagerError('TRANSACTION_PENDING', 'the first of them is not committed here');
    }
    const last = Math.min(to, log.committedSeqno, from + maxPastTransactions - 1);
    const shown: PastTransaction[] = [];
    let bytes = 0;
    for (let next = from; next <= last; ) {
      const place = await pages.answer(() => log.locate(next));
      if (!place) throw new ManagerError('TRANSACTION_NOT_FOUND', 'no such transaction');
      const block = await this.#turns.block(this.#node, place.height);
      const end = block.header.firstSeqno + block.transactions.length;
      for (; next < end && next <= last; next++) {
        const one = show(block, next, { own: block.header.source === source, receipts });
        bytes += one.publicWrites.length + one.privateWrites.length + one.receipt.length;
        if (bytes > maxReplyBytes && shown.length > 0) return shown;
        shown.push(one);
        if (shown.length % shownPerTurn === 0) await nextTurn();
      }
      // What others wait for goes first.
      await nextTurn();
    }
    return shown;
  }
}

const refused = (id: number, code: string): PastReply => ({
  kind: 'pastReply',
  id,
  code,
  transactions: [],
});

function show(
  { header, transactions, receipt }: ProvenBlock,
  seqno: number,
  { own, receipts }: { readonly own: boolean; readonly receipts: boolean },
): PastTransaction {
  const record = own ? transactions[seqno - header.firstSeqno] : undefined;
  return {
    seqno,
    view: header.view,
    publicWrites: record?.publicWrites ?? emptyBytes,
    privateWrites: record?.privateWrites ?? emptyBytes,
    receipt: receipts ? utf8(JSON.stringify(receipt(toSeqno(seqno)))) : emptyBytes,
  };
}
