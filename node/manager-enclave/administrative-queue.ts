import type { GovernanceEffect } from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import type { SessionKey } from '@concordat/ledger';
import { formatTransactionId, type Height, toHeight, type View } from '@concordat/std';
import type { Administration } from './administration.ts';
import type { BlockLog } from './block-log.ts';
import { ManagerError } from './errors.ts';
import type { LedgerDriver } from './ledger-driver.ts';
import type { Announcement } from './ledger-reactions.ts';

/** A committed administrative transaction. */
export interface Administered<Result> {
  readonly result: Result;
  /** `view.seqno` */
  readonly transactionId: string;
  readonly height: Height;
}

interface Waiting {
  readonly view: View;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Administrative transactions that may wait their turn. */
const maxQueued = 256;

/**
 * Executes administrative transactions one after another on the leader, each answered after its
 * durable commit. They are rare, so simplicity goes before throughput: one block in flight.
 */
export class AdministrativeQueue {
  readonly #administration: Administration;
  readonly #driver: LedgerDriver;
  readonly #log: BlockLog;
  readonly #sessionKey: () => SessionKey;
  readonly #onPlaced: (height: Height, announcement: Announcement) => void;
  readonly #waiting = new Map<number, Waiting>();
  #last: Promise<unknown> = Promise.resolve();
  #queued = 0;

  constructor(parts: {
    readonly administration: Administration;
    readonly driver: LedgerDriver;
    readonly log: BlockLog;
    readonly sessionKey: () => SessionKey;
    /** Tells of each block placed here what is to be announced once it commits. */
    readonly onPlaced: (height: Height, announcement: Announcement) => void;
  }) {
    this.#administration = parts.administration;
    this.#driver = parts.driver;
    this.#log = parts.log;
    this.#sessionKey = parts.sessionKey;
    this.#onPlaced = parts.onPlaced;
  }

  /**
   * Executes and orders one administrative transaction; resolves once it is committed.
   * @throws ManagerError NOT_LEADER, TRANSACTION_LOST (both worth a retry), and what the body throws
   */
  async administer<Result>(body: (set: TransactionSet) => Result): Promise<Administered<Result>> {
    if (this.#queued >= maxQueued) {
      throw new ManagerError('OVERLOADED', 'too many administrative transactions are waiting');
    }
    this.#queued += 1;
    const turn = this.#last.then(() => this.#run(body));
    this.#last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#queued -= 1;
    }
  }

  async #run<Result>(body: (set: TransactionSet) => Result): Promise<Administered<Result>> {
    if (!this.#driver.leads) throw new ManagerError('NOT_LEADER', 'this node does not lead');
    const { result, placed } = this.placeNow(body);
    await new Promise<void>((resolve, reject) => {
      if (this.#log.committedHeight >= placed.height) return resolve();
      this.#waiting.set(placed.height, { view: placed.view, resolve, reject });
    });
    const transactionId = formatTransactionId(placed.view, placed.firstSeqno);
    return { result, transactionId, height: placed.height };
  }

  /**
   * Executes and places a transaction without waiting for its commit: for a new leader's opening
   * block. The block that starts an epoch is still sealed under the epoch before it.
   * @throws ManagerError NOT_LEADER, and what the body throws
   */
  placeNow<Result>(body: (set: TransactionSet) => Result) {
    const height = toHeight(this.#log.lastHeight + 1);
    const before = this.#administration.exists ? this.#sessionKey() : undefined;
    const executed = this.#administration.execute(height, body);
    const placed = this.#driver.place(0, executed.transactions, {
      sessionKey: before ?? this.#sessionKey(),
      ...(executed.configuration && { configuration: executed.configuration }),
    });
    if (!placed.ok) {
      this.#administration.rollback(toHeight(height - 1));
      const code = placed.code === 'NOT_LEADER' ? 'NOT_LEADER' : 'TRANSACTION_LOST';
      throw new ManagerError(code, `the transaction could not be ordered (${placed.code})`);
    }
    this.#onPlaced(placed.height, {
      transactionId: formatTransactionId(placed.view, placed.firstSeqno),
      timeMs: placed.timeMs,
      publicWrites: executed.transactions.map(({ publicWrites }) => publicWrites),
    });
    return { result: executed.result, placed };
  }

  /** Blocks up to a height are final. */
  committed(height: Height): void {
    for (const [at, { resolve, reject, view }] of this.#waiting) {
      if (at > height) continue;
      this.#waiting.delete(at);
      if (this.#log.viewAt(at) === view) resolve();
      else reject(lost());
    }
  }

  /** Blocks above a height are taken back. */
  rolledBack(height: Height): void {
    for (const [at, { reject }] of this.#waiting) {
      if (at <= height) continue;
      this.#waiting.delete(at);
      reject(lost());
    }
  }
}

const lost = (): ManagerError =>
  new ManagerError(
    'TRANSACTION_LOST',
    'another leader took over before the transaction was committed; submit it again',
  );

/** Whether a governance change must start a new epoch: every change of actors or nodes (M12, M17). */
export const startsEpoch = (effects: readonly GovernanceEffect[]): boolean =>
  effects.some(({ kind }) => ['actor-added', 'actor-removed', 'node-removed'].includes(kind));
