import { type BlockHeader, verifyReceipt } from '@concordat/ledger';
import { type Digest, formatTransactionId, toHex } from '@concordat/std';
import type { Findings } from './findings.ts';

/** A receipt to look for. */
export interface GivenReceipt {
  /** What the report calls it, for example its file. */
  readonly name: string;
  /** Parsed JSON, of any form. */
  readonly receipt: unknown;
}

/** What became of a receipt. */
export interface ReceiptReport {
  readonly name: string;
  /** It proves a transaction, and this ledger has it. */
  readonly located: boolean;
  /** `view.seqno`, when it proves one. */
  readonly transactionId?: string;
  readonly height?: number;
  /** Hex; compare with what you were shown. */
  readonly claimsDigest?: string;
  /** Hex; compare with what you were shown. */
  readonly writeSetDigest?: string;
  readonly why?: string;
}

interface Wanted {
  readonly name: string;
  readonly view: number;
  readonly seqno: number;
  /** The history root that was signed, hex. */
  readonly root: string;
  readonly digests: Pick<ReceiptReport, 'claimsDigest' | 'writeSetDigest'>;
}

/**
 * Verifies receipts and finds their transactions: a receipt leads to the history root its block's
 * leader signed, so the block at its place has that very root, or it is of another history.
 */
export class ReceiptSearch {
  readonly #findings: Findings;
  readonly #wanted: Wanted[] = [];
  readonly #reports: ReceiptReport[] = [];
  #next = 0;

  constructor(given: readonly GivenReceipt[], networkCertificate: string, findings: Findings) {
    this.#findings = findings;
    for (const { name, receipt } of given) {
      findings.examined('receipts', 'given');
      const verdict = verifyReceipt(receipt, networkCertificate);
      if (verdict.ok) {
        const { view, seqno, root, claimsDigest, writeSetDigest } = verdict;
        this.#wanted.push({ name, view, seqno, root, digests: { claimsDigest, writeSetDigest } });
        continue;
      }
      const { code: cause, why } = verdict;
      findings.add({
        class: 'receipts',
        code: 'RECEIPT_REFUSED',
        height: 0,
        message: `${name}: ${why}`,
        cause,
      });
      this.#reports.push({ name, located: false, why: `${cause}: ${why}` });
    }
    this.#wanted.sort((a, b) => a.seqno - b.seqno);
  }

  /** Looks whether a block of the chain is that of a receipt. */
  block(header: BlockHeader, historyRoot: Digest): void {
    const end = header.firstSeqno + header.count;
    let wanted = this.#wanted[this.#next];
    for (; wanted && wanted.seqno < end; wanted = this.#wanted[this.#next]) {
      this.#next += 1;
      if (wanted.root === toHex(historyRoot) && wanted.view === header.view) {
        this.#findings.examined('receipts', 'located');
        this.#report(wanted, { located: true, height: header.height });
      } else {
        const message = `the ledger has ${formatTransactionId(header.view, wanted.seqno)} of another history there`;
        this.#refuse(wanted, 'RECEIPT_OF_ANOTHER_HISTORY', message);
      }
    }
  }

  /** The ledger has ended; what became of each receipt. */
  finish(): ReceiptReport[] {
    for (const wanted of this.#wanted.slice(this.#next)) {
      this.#refuse(wanted, 'RECEIPT_BEYOND_END', 'what was verified of the ledger ends before it');
    }
    this.#next = this.#wanted.length;
    return this.#reports;
  }

  #refuse(
    wanted: Wanted,
    code: 'RECEIPT_OF_ANOTHER_HISTORY' | 'RECEIPT_BEYOND_END',
    why: string,
  ): void {
    const message = `${wanted.name}, transaction ${idOf(wanted)}: ${why}`;
    this.#findings.defect('receipts', code, { message });
    this.#report(wanted, { located: false, why });
  }

  #report(wanted: Wanted, found: Pick<ReceiptReport, 'located' | 'height' | 'why'>): void {
    const { name, digests } = wanted;
    this.#reports.push({ name, transactionId: idOf(wanted), ...digests, ...found });
  }
}

const idOf = ({ view, seqno }: Wanted): string => `${view}.${seqno}`;
