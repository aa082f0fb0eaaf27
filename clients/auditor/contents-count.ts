import { decodeWriteSet, KvError } from '@concordat/kv';
import type { VerifiedBlock } from '@concordat/ledger';

/** What was found in the opened blocks of one worker. */
export interface WorkerContents {
  /** From 1. */
  readonly worker: number;
  readonly transactions: number;
  /** Keys written and deleted, public and private ones. */
  readonly writes: number;
  /** Bytes of write sets. */
  readonly bytes: number;
  /** Transactions whose private writes have not the form of write sets. */
  readonly unreadable: number;
}

/** Counts what applications wrote, in the blocks that could be opened. */
export class ContentsCount {
  readonly #workers = new Map<
    number,
    { -readonly [Name in keyof WorkerContents]: WorkerContents[Name] }
  >();

  /** Takes up a block; only an application's that was opened counts. */
  block({ header, transactions }: VerifiedBlock): void {
    const { source: worker } = header;
    if (worker === 0 || !transactions) return;
    let count = this.#workers.get(worker);
    if (!count) {
      count = { worker, transactions: 0, writes: 0, bytes: 0, unreadable: 0 };
      this.#workers.set(worker, count);
    }
    count.transactions += transactions.length;
    for (const { publicWrites, privateWrites } of transactions) {
      count.bytes += publicWrites.length + privateWrites.length;
      try {
        count.writes += writesIn(publicWrites) + writesIn(privateWrites);
      } catch (error) {
        if (!(error instanceof KvError)) throw error;
        count.unreadable += 1;
      }
    }
  }

  /** By worker. */
  report(): WorkerContents[] {
    return [...this.#workers.values()].sort((a, b) => a.worker - b.worker);
  }
}

function writesIn(writes: Uint8Array): number {
  let count = 0;
  if (writes.length === 0) return 0;
  for (const _ of decodeWriteSet(writes)) count += 1;
  return count;
}
