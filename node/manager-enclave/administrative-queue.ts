import type { EpochReason, GovernanceEffect } from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import type { SessionKey } from '@concordat/ledger';
import { formatTransactionId, type Height, toHeight, type View } from '@concordat/std';
import type { Administration } from './administration.ts';
import type { Announcement } from './announcement.ts';
import type { BlockLog } from './block-log.ts';
import { ManagerError } from './errors.ts';
import type { LedgerDriver } from './ledger-driver.ts';
import type { PlacementRefusal } from './ledger-duties.ts';
import type { PlacementOptions } from './sealing.ts';

/** A committed administrative transaction. */
export interface Administered<Result> {
  readonly result: Result;
  /** `view.seqno` */
  readonly transactionId: string;
  readonly height: Height;
}

/** A transaction that is placed and not yet final. */
interface Waiting {
  readonly height: Height;
  readonly view: View;
  readonly settle: (error?: ManagerError) => void;
  /** Lets the next transaction take its turn. */
  readonly endTurn: () => void;
}

/** Administrative transactions that may wait their turn. */
const maxQueued = 256;
/** A transaction that is not final after this is answered as unknown. */
const answerTimeoutMs = 30_000;

/**
 * Executes administrative transactions one after another on the leader, each answered after its
 * durable commit. They are rare, so simplicity goes before throughput: one block in flight.
 */
export class AdministrativeQueue {
  readonly #administration: Administration;
  readonly #driver: Pick<LedgerDriver, 'leads' | 'place'>;
  readonly #log: BlockLog;
  readonly #sessionKey: () => SessionKey;
  readonly #onPlaced: (height: Height, announcement: Announcement) => void;
  readonly #onTakenBack: () => void;
  readonly #timeoutMs: number;
  readonly #waiting = new Set<Waiting>();
  #last: Promise<void> = Promise.resolve();
  #queued = 0;

  constructor(parts: {
    readonly administration: Administration;
    readonly driver: Pick<LedgerDriver, 'leads' | 'place'>;
    readonly log: BlockLog;
    readonly sessionKey: () => SessionKey;
    /** Tells of each block placed here what is to be announced once it commits. */
    readonly onPlaced: (height: Height, announcement: Announcement) => void;
    /** A transaction was executed but not placed: the head is what it was before. */
    readonly onTakenBack: () => void;
    /** Default 30 s. */
    readonly timeoutMs?: number;
  }) {
    this.#administration = parts.administration;
    this.#driver = parts.driver;
    this.#log = parts.log;
    this.#sessionKey = parts.sessionKey;
    this.#onPlaced = parts.onPlaced;
    this.#onTakenBack = parts.onTakenBack;
    this.#timeoutMs = parts.timeoutMs ?? answerTimeoutMs;
  }

  /**
   * Executes and orders one administrative transaction; resolves once it is committed.
   * @throws ManagerError NOT_LEADER, TRANSACTION_LOST, CONFIGURATION_PENDING (all worth a retry),
   *   TRANSACTION_UNKNOWN, OVERLOADED, and what the body throws
   */
  async administer<Result>(body: (set: TransactionSet) => Result): Promise<Administered<Result>> {
    if (this.#queued >= maxQueued) {
      throw new ManagerError('OVERLOADED', 'too many administrative transactions are waiting');
    }
    this.#queued += 1;
    const outcome = Promise.withResolvers<Administered<Result>>();
    this.#last = this.#last.then(() => this.#turn(body, outcome));
    try {
      return await outcome.promise;
    } finally {
      this.#queued -= 1;
    }
  }

  /** Runs one transaction; resolves when the next may run. Never rejects. */
  async #turn<Result>(
    body: (set: TransactionSet) => Result,
    outcome: PromiseWithResolvers<Administered<Result>>,
  ): Promise<void> {
    try {
      if (!this.#driver.leads) throw new ManagerError('NOT_LEADER', 'this node does not lead');
      const { result, placed } = this.placeNow(body);
      const { height, view, firstSeqno } = placed;
      const transactionId = formatTransactionId(view, firstSeqno);
      await this.#final(height, view, (error) => {
        if (error) outcome.reject(error);
        else outcome.resolve({ result, transactionId, height });
      });
    } catch (error) {
      outcome.reject(error);
    }
  }

  /** Settles once with the fate of a block; resolves when waiting for it need hold up nobody. */
  #final(height: Height, view: View, settle: Waiting['settle']): Promise<void> {
    return new Promise((endTurn) => {
      const timer = setTimeout(() => {
        waiting.settle(unknown('no majority in time'));
      }, this.#timeoutMs);
      const waiting: Waiting = {
        height,
        view,
        endTurn,
        settle: (error) => {
          clearTimeout(timer);
          this.#waiting.delete(waiting);
          settle(error);
          endTurn();
        },
      };
      this.#waiting.add(waiting);
      this.committed(this.#log.committedHeight);
    });
  }

  /**
   * Executes and places a transaction without waiting for its commit: for a new leader's opening
   * block.
   * @throws ManagerError NOT_LEADER, TRANSACTION_LOST, CONFIGURATION_PENDING, SESSION_KEY_MISSING,
   *   and what the body throws
   */
  placeNow<Result>(
    body: (set: TransactionSet) => Result,
    opening: Pick<PlacementOptions, 'resumption'> = {},
  ) {
    const height = toHeight(this.#log.lastHeight + 1);
    const before = this.#administration.exists ? this.#sessionKey() : undefined;
    const executed = this.#administration.execute(height, body);
    const placed = this.#driver.place(0, executed.transactions, {
      sessionKey: before ?? this.#sessionKey(),
      ...opening,
      ...(executed.configuration && { configuration: executed.configuration }),
    });
    if (!placed.ok) {
      this.#administration.rollback(toHeight(height - 1));
      this.#onTakenBack();
      throw new ManagerError(codeOf(placed.code), `it could not be ordered (${placed.code})`);
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
    for (const { height: at, view, settle } of this.#waiting) {
      if (at > height) continue;
      const committedView = this.#log.viewAt(at);
      if (committedView === undefined) settle(unknown('its block is not at hand'));
      else settle(committedView === view ? undefined : lost());
    }
  }

  /**
   * Blocks above a height are taken back. As long as nothing is committed in their place another
   * node that has them may lead and commit them, so their fate stays open until then.
   */
  rolledBack(height: Height): void {
    for (const waiting of this.#waiting) if (waiting.height > height) waiting.endTurn();
  }

  /** This node leads no longer: what was placed may still commit, what waits is turned away. */
  leadershipLost(): void {
    for (const { endTurn } of this.#waiting) endTurn();
  }
}

const codeOf = (code: PlacementRefusal) =>
  code === 'NOT_LEADER' || code === 'CONFIGURATION_PENDING' || code === 'PAYLOAD_TOO_LARGE'
    ? code
    : 'TRANSACTION_LOST';

const lost = (): ManagerError =>
  new ManagerError(
    'TRANSACTION_LOST',
    'another leader took over before the transaction was committed; submit it again',
  );

const unknown = (why: string): ManagerError =>
  new ManagerError('TRANSACTION_UNKNOWN', `${why}; the outcome is not known`);

/** Why a governance change starts a new epoch: every change of actors or nodes (M12, M17), or a vote. */
export function epochFor(effects: readonly GovernanceEffect[]): EpochReason | undefined {
  const kinds = effects.map(({ kind }) => kind);
  if (kinds.some((kind) => actorChanges.has(kind))) return 'actors';
  return kinds.includes('epoch-asked') ? 'vote' : undefined;
}

const actorChanges: ReadonlySet<string> = new Set([
  'actor-added',
  'actor-removed',
  'actor-kind-changed',
  'node-removed',
] satisfies GovernanceEffect['kind'][]);
