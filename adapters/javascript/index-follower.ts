import { ApiError } from '@concordat/api';
import { decodeWriteSet, type Write, type WriteSet } from '@concordat/kv';
import { entriesOf, type IndexDeclaration, type IndexEntry } from './index-declarations.ts';

/** What a follower needs of the process around it. */
export interface FollowedProcess {
  /** Committed transactions without receipts, at least one. @throws ApiError */
  readonly read: (
    from: number,
    to: number,
  ) => Promise<readonly { readonly seqno: number; readonly writes: readonly Write[] }[]>;
  /** All transactions of the application up to a seqno are in these entries and those before. */
  readonly send: (upTo: number, entries: readonly IndexEntry[]) => void;
  /** Waits until there is time for more; false when nobody needs it any more. */
  readonly pause: (ms: number) => Promise<boolean>;
}

/** Transactions asked for at a time, and the rest after each: old blocks are opened beside the present. */
const readAtOnce = 512;
const restMs = 5;
/** Wait after the past could not be read. */
const retryMs = 1_000;

/**
 * Follows every committed transaction for an application's indexes: the past from the ledger, in
 * bounded steps, then what is committed as it is told. Nothing is told twice or left out.
 */
export class IndexFollower {
  readonly #indexes: readonly IndexDeclaration[];
  readonly #process: FollowedProcess;
  /** Everything up to here has been sent. */
  #position = 0;
  /** Newest transaction of the application told as committed. */
  #told = 0;
  #isLive = false;

  constructor(indexes: readonly IndexDeclaration[], process: FollowedProcess) {
    this.#indexes = indexes;
    this.#process = process;
  }

  /** Reads the past until it is the present. */
  async run(): Promise<void> {
    while (await this.#process.pause(restMs)) {
      const from = this.#position + 1;
      try {
        const part = await this.#process.read(from, from + readAtOnce - 1);
        const upTo = from + part.length - 1;
        this.#send(upTo, part);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        // What was told as committed meanwhile is in the ledger; the next look finds it.
        if (error.code !== 'TRANSACTION_PENDING') await this.#process.pause(retryMs);
        else if (this.#told < from) {
          this.#isLive = true;
          return;
        }
      }
    }
  }

  /** A block of the application was committed; write set i is that of `firstSeqno + i`. */
  committed(firstSeqno: number, writeSets: readonly WriteSet[]): void {
    this.#told = firstSeqno + writeSets.length - 1;
    if (!this.#isLive) return;
    this.#send(
      this.#told,
      writeSets.map(({ publicWrites, privateWrites }, at) => ({
        seqno: firstSeqno + at,
        writes: [...decodeWriteSet(publicWrites), ...decodeWriteSet(privateWrites)],
      })),
    );
  }

  #send(
    upTo: number,
    transactions: readonly { readonly seqno: number; readonly writes: readonly Write[] }[],
  ): void {
    this.#position = upTo;
    const entries = transactions.flatMap(({ seqno, writes }) =>
      entriesOf(this.#indexes, seqno, writes),
    );
    this.#process.send(upTo, entries);
  }
}
