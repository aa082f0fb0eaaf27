import { ApiError } from '@concordat/api';

/** Evidence made for clients in one second, and saved up while nobody asks. */
const perSecond = 20;
const savedUp = 100;
/** Requests that wait, of all who said who they are, and of all who did not. */
const maxWaiting = 400;
const longestWaitMs = 15_000;

/** Who asks: a connection, and whose it is where that is known. */
export interface EvidenceAsker {
  readonly connection: { readonly destroyed: boolean };
  readonly actor: string | undefined;
}

interface Waiting {
  readonly connection: EvidenceAsker['connection'];
  /** How often this connection had a turn before. */
  readonly served: number;
  readonly sinceMs: number;
  settle(refused?: ApiError): void;
}

/**
 * Turns at making evidence. While enough is saved up everybody is served at once; then each actor in
 * turn, and those who have not said who they are as one more. Among these whoever had the fewest turns
 * comes first, so that to keep others waiting takes a new connection each time, and the host bounds
 * those of one address.
 */
export class EvidenceTurns {
  readonly #nowMs: () => number;
  /** By actor, and under the empty name for all others; the next group in turn first. */
  readonly #groups = new Map<string, Waiting[]>();
  readonly #served = new WeakMap<object, number>();
  #left = savedUp;
  #countedMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#countedMs = nowMs();
  }

  /** Resolves when it is this asker's turn. @throws ApiError OVERLOADED */
  async take({ connection, actor = '' }: EvidenceAsker): Promise<void> {
    this.#earn();
    const served = this.#served.get(connection) ?? 0;
    this.#served.set(connection, served + 1);
    if (this.#groups.size === 0 && this.#left >= 1) {
      this.#left -= 1;
      return;
    }
    if (this.#waitingOf(actor) >= maxWaiting) this.#sweep();
    const group = this.#groups.get(actor) ?? [];
    if (group.some((one) => one.connection === connection)) {
      throw overloaded('this connection is waiting for evidence already');
    }
    if (this.#waitingOf(actor) >= maxWaiting) {
      this.#makeRoom(group, served, actor);
    }
    return new Promise((resolve, reject) => {
      const settle: Waiting['settle'] = (refused) => (refused ? reject(refused) : resolve());
      const at = group.findIndex((one) => one.served > served);
      const entry = { connection, served, sinceMs: this.#nowMs(), settle };
      group.splice(at < 0 ? group.length : at, 0, entry);
      this.#groups.set(actor, group);
      this.#arm();
    });
  }

  /** Whoever has more that wait makes room; else who is of the same group with more turns behind. */
  #makeRoom(group: Waiting[], served: number, actor: string): void {
    const [fullest] = this.#groupsLike(actor).sort((a, b) => b.length - a.length);
    const isAlike = fullest === undefined || fullest.length <= group.length + 1;
    const from = isAlike ? group : fullest;
    const last = from.at(-1);
    if (last === undefined || (isAlike && last.served <= served)) {
      throw overloaded('too many are waiting');
    }
    from.pop();
    last.settle(overloaded('others have had less evidence'));
  }

  /** Those of the same kind: known, or not. */
  #groupsLike(actor: string): Waiting[][] {
    const alike = [...this.#groups].filter(([name]) => (name === '') === (actor === ''));
    return alike.map(([, waiting]) => waiting);
  }

  #waitingOf(actor: string): number {
    return this.#groupsLike(actor).reduce((sum, waiting) => sum + waiting.length, 0);
  }

  #earn(): void {
    const nowMs = this.#nowMs();
    const earned = ((nowMs - this.#countedMs) / 1_000) * perSecond;
    this.#countedMs = nowMs;
    this.#left = Math.min(savedUp, this.#left + earned);
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#serve();
      if (this.#groups.size > 0) this.#arm();
    }, 1_000 / perSecond).unref();
  }

  /** Nobody waits who is gone, or has waited too long. */
  #sweep(): void {
    const tooOldMs = this.#nowMs() - longestWaitMs;
    for (const [actor, group] of this.#groups) {
      const kept = group.filter(({ sinceMs, connection, settle }) => {
        if (sinceMs >= tooOldMs && !connection.destroyed) return true;
        settle(overloaded('evidence is asked for too often: try again later'));
        return false;
      });
      if (kept.length === 0) this.#groups.delete(actor);
      else this.#groups.set(actor, kept);
    }
  }

  #serve(): void {
    this.#earn();
    this.#sweep();
    while (this.#left >= 1) {
      const [turn] = this.#groups;
      if (turn === undefined) return;
      const [actor, group] = turn;
      this.#left -= 1;
      group.shift()?.settle();
      // To the end of the line, or out of it.
      this.#groups.delete(actor);
      if (group.length > 0) this.#groups.set(actor, group);
    }
  }
}

const overloaded = (why: string): ApiError => new ApiError('OVERLOADED', why);
