import type { VerifiedBlock } from '@concordat/ledger';
import { formatTransactionId, parseTransactionId, toHex } from '@concordat/std';
import { AuditorError } from './errors.ts';
import { LedgerDamage } from './ledger-damage.ts';

/** One end of a ledger. */
export interface LedgerEnd {
  readonly height: number;
  /** `view.seqno`: of its first transaction at the beginning, of its last one at the end. */
  readonly transactionId: string;
  /** Milliseconds since the Unix epoch, as the leader's clock had it. */
  readonly timeMs: number;
  /** Root of the history up to this block, hex. */
  readonly historyRoot: string;
}

/** The blocks of one epoch. */
export interface EpochReport {
  readonly epoch: number;
  readonly blocks: number;
  /** Whether its session key was at hand, so that contents were verified too. */
  readonly contents: boolean;
}

/** What was counted. */
export interface LedgerCount {
  readonly blocks: number;
  readonly transactions: number;
  readonly first?: LedgerEnd;
  readonly last?: LedgerEnd;
  readonly epochs: readonly EpochReport[];
}

/** Counts what was verified. */
export class Tally {
  #blocks = 0;
  #transactions = 0;
  #first: LedgerEnd | undefined;
  #last: VerifiedBlock | undefined;
  readonly #epochs = new Map<number, { blocks: number; contents: boolean }>();
  readonly #expected: { readonly view: number; readonly seqno: number } | undefined;

  /** @throws AuditorError INVALID_PARAMETER */
  constructor(expectedTransaction: string | undefined) {
    if (expectedTransaction === undefined) return;
    this.#expected = parseTransactionId(expectedTransaction);
    if (this.#expected) return;
    throw new AuditorError('INVALID_PARAMETER', 'the expected transaction is no view.seqno');
  }

  /** Counts a block. @throws LedgerDamage OTHER_HISTORY */
  add(block: VerifiedBlock): void {
    const { header } = block;
    this.#blocks += 1;
    this.#transactions += header.count;
    this.#first ??= endOf(block, header.firstSeqno);
    this.#last = block;
    const epoch = this.#epochs.get(header.epoch) ?? { blocks: 0, contents: true };
    this.#epochs.set(header.epoch, {
      blocks: epoch.blocks + 1,
      contents: epoch.contents && block.covered === 'contents',
    });
    const index = (this.#expected?.seqno ?? 0) - header.firstSeqno;
    if (index < 0 || index >= header.count || header.view === this.#expected?.view) return;
    const why = `seqno ${this.#expected?.seqno} is of view ${header.view}, another history's`;
    throw new LedgerDamage('OTHER_HISTORY', header.height, why);
  }

  /** The ledger has ended. @throws LedgerDamage ENDS_EARLY */
  finish(height: number): void {
    const end = this.#last ? lastSeqno(this.#last) : 0;
    if (this.#expected === undefined || this.#expected.seqno <= end) return;
    const why = `the ledger ends at seqno ${end}, before ${this.#expected.seqno}`;
    throw new LedgerDamage('ENDS_EARLY', height + 1, why);
  }

  /** What was counted so far. */
  report(): LedgerCount {
    return {
      blocks: this.#blocks,
      transactions: this.#transactions,
      ...(this.#first && { first: this.#first }),
      ...(this.#last && { last: endOf(this.#last, lastSeqno(this.#last)) }),
      epochs: Array.from(this.#epochs, ([epoch, counts]) => ({ epoch, ...counts })),
    };
  }
}

const lastSeqno = ({ header }: VerifiedBlock): number => header.firstSeqno + header.count - 1;

const endOf = ({ header, historyRoot }: VerifiedBlock, seqno: number): LedgerEnd => ({
  height: header.height,
  transactionId: formatTransactionId(header.view, seqno),
  timeMs: header.timeMs,
  historyRoot: toHex(historyRoot),
});
