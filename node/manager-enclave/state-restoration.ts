import type { TransactionRecord } from '@concordat/ledger';
import { toHeight } from '@concordat/std';
import { pause } from './enclave-sources.ts';
import { ManagerError } from './errors.ts';
import type { FormerBlock } from './former-ledger.ts';
import type { NodeContext } from './node-context.ts';

/** Transactions of one new block at most, and their write-set bytes at about most. */
const maxTransactions = 1_000;
const maxBytes = 1024 * 1024;
/** New blocks that may be on their way to the disk. */
const maxInFlight = 32;
/** The worker takes them up at its own pace. */
const maxWaitingBytes = 64 * 1024 * 1024;

/** What was taken over. */
export interface RestoredCounts {
  readonly formerBlocks: number;
  readonly transactions: number;
}

interface Gathered {
  readonly transactions: TransactionRecord[];
  bytes: number;
}

/**
 * Seals the application transactions of a former network into blocks of the new one, in their order,
 * worker by worker: the new ledger says all that the old one did, and whoever joins or recovers later
 * needs no other. Many small blocks become a few large ones.
 */
export class StateRestoration {
  readonly #node: NodeContext;
  readonly #gathered = new Map<number, Gathered>();
  #formerBlocks = 0;
  #transactions = 0;

  constructor(node: NodeContext) {
    this.#node = node;
  }

  /** What has been taken over so far. */
  get counts(): RestoredCounts {
    return { formerBlocks: this.#formerBlocks, transactions: this.#transactions };
  }

  /**
   * Takes over every block; resolves once all of it is final.
   * @throws ManagerError NOT_LEADER, PAYLOAD_TOO_LARGE, and what reading the blocks throws
   */
  async run(blocks: AsyncIterable<FormerBlock>): Promise<RestoredCounts> {
    for await (const { header, transactions = [] } of blocks) {
      for (const transaction of transactions) await this.#gather(header.source, transaction);
      this.#formerBlocks += 1;
      this.#transactions += transactions.length;
    }
    for (const source of [...this.#gathered.keys()]) await this.#place(source);
    const { log } = this.#node;
    const { lastHeight } = log;
    while (log.committedHeight < lastHeight) await pause(2);
    return this.counts;
  }

  /** A transaction that fitted a block of its own once must fit one again. */
  async #gather(source: number, transaction: TransactionRecord): Promise<void> {
    const { publicWrites, privateWrites } = transaction;
    const bytes = publicWrites.length + privateWrites.length;
    const before = this.#gathered.get(source);
    const isFull = before && before.transactions.length >= maxTransactions;
    if (isFull || (before && before.bytes + bytes > maxBytes)) await this.#place(source);
    const gathered = this.#gathered.get(source) ?? { transactions: [], bytes: 0 };
    this.#gathered.set(source, gathered);
    gathered.transactions.push(transaction);
    gathered.bytes += bytes;
  }

  async #place(source: number): Promise<void> {
    const { driver, feed } = this.#node;
    const transactions = this.#gathered.get(source)?.transactions ?? [];
    this.#gathered.delete(source);
    if (transactions.length === 0) return;
    await this.#room(source);
    for (;;) {
      const placed = driver.place(source, transactions);
      if (placed.ok) {
        feed.opened({ header: { ...placed, source }, transactions });
        return;
      }
      if (!driver.leads) throw new ManagerError('NOT_LEADER', 'this node leads no longer');
      if (placed.code === 'PAYLOAD_TOO_LARGE') {
        throw new ManagerError(
          'PAYLOAD_TOO_LARGE',
          'a transaction of the former ledger fits no block',
        );
      }
      await pause(5);
    }
  }

  async #room(source: number): Promise<void> {
    const { log, feed } = this.#node;
    const isFull = (): boolean =>
      log.lastHeight >= toHeight(log.committedHeight + maxInFlight) ||
      (feed.link(source)?.waitingBytes ?? 0) > maxWaitingBytes;
    while (isFull()) await pause(1);
  }
}
