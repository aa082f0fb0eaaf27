import { isErrorCode } from '@concordat/api';
import type { Accounts } from './accounts.ts';
import type { Actor } from './actors.ts';
import type { Refused } from './adapter.ts';
import { refusal } from './submission.ts';

/** Called once, never synchronously: with nothing when the read may be answered. */
export type ReadCallback = (refused?: Refused) => void;

/** What the gate needs of the worker around it. */
export interface ReadGateOptions {
  readonly accounts: Accounts;
  readonly limits: { readonly maxHeldReads: number; readonly maxHeldReadsPerActor: number };
  /** Asks the manager for a barrier. */
  readonly ask: (id: number) => void;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
}

interface Barrier {
  readonly reads: { readonly account: { reads: number }; readonly done: ReadCallback }[];
  readonly sinceMs: number;
}

/** Barriers asked for and not answered; what comes meanwhile shares the next one. */
const maxBarriers = 8;
/** The manager answers within its own deadline; one that does not hangs. */
const patienceMs = 10_000;

/**
 * Holds linearizable reads until this worker's committed state is as new as everything committed
 * anywhere when they came. All reads of one turn of the event loop share one barrier, and while
 * several barriers are out, all that come meanwhile. The manager tells every commit before it
 * answers the barrier, on one ordered channel, so that a barrier's answer finds the state current.
 */
export class ReadGate {
  readonly #options: ReadGateOptions;
  readonly #barriers = new Map<number, Barrier>();
  #collecting: Barrier | undefined;
  #scheduled = false;
  #held = 0;
  #nextId = 1;

  constructor(options: ReadGateOptions) {
    this.#options = options;
  }

  /** Reads that wait. */
  get held(): number {
    return this.#held;
  }

  /** Calls back once the committed state is current, or with the reason why that is not certain. */
  whenCurrent(actor: Actor, done: ReadCallback): void {
    const { accounts, limits, nowMs } = this.#options;
    const account = accounts.of(actor.actorId);
    if (this.#held >= limits.maxHeldReads || account.reads >= limits.maxHeldReadsPerActor) {
      process.nextTick(done, refusal('OVERLOADED', 'too many linearizable reads are waiting'));
      return;
    }
    this.#held += 1;
    account.reads += 1;
    this.#collecting ??= { reads: [], sinceMs: nowMs() };
    this.#collecting.reads.push({ account, done });
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#barriers.size >= maxBarriers) return;
    this.#scheduled = true;
    process.nextTick(() => {
      this.#scheduled = false;
      const barrier = this.#collecting;
      if (barrier === undefined) return;
      this.#collecting = undefined;
      const id = this.#nextId;
      this.#nextId = (id % 0xffff_fffe) + 1;
      this.#barriers.set(id, barrier);
      this.#options.ask(id);
    });
  }

  /** The manager's answer; one that comes after this gate lost its patience is not for anybody. */
  replied({ id, code }: { readonly id: number; readonly code?: string }): void {
    const barrier = this.#barriers.get(id);
    if (barrier === undefined) return;
    this.#barriers.delete(id);
    this.#open(barrier, code === undefined ? undefined : refusedBy(code));
    if (this.#collecting) this.#schedule();
  }

  /** Refuses what has waited too long; called at short intervals. */
  expire(): void {
    const before = this.#options.nowMs() - patienceMs;
    for (const [id, barrier] of this.#barriers) {
      if (barrier.sinceMs > before) continue;
      this.#barriers.delete(id);
      this.#open(barrier, refusedBy('READ_NOT_CONFIRMED'));
    }
    if (this.#collecting) this.#schedule();
  }

  #open(barrier: Barrier, refused: Refused | undefined): void {
    this.#held -= barrier.reads.length;
    for (const { account, done } of barrier.reads) {
      account.reads -= 1;
      done(refused);
    }
  }
}

const reasons: Readonly<Record<string, string>> = {
  LEADER_UNKNOWN: 'there is no leader at present who could say what is committed',
  READ_NOT_CONFIRMED: 'no majority confirmed in time what is committed; nothing was read',
  OVERLOADED: 'too many linearizable reads are waiting',
};

const refusedBy = (code: string): Refused => {
  const known = isErrorCode(code) ? code : 'READ_NOT_CONFIRMED';
  return refusal(known, reasons[known] ?? (reasons.READ_NOT_CONFIRMED as string));
};
