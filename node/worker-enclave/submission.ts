import type { Actor } from './actors.ts';
import type { Admitted, LedgerAdapter, Refused, Submitted, Wait } from './adapter.ts';
import type { LaneAnswers } from './lane-answers.ts';
import type { RequestKey } from './request-key.ts';
import type { ScopedView } from './scoped-state.ts';

/** One adapter with what the runtime keeps beside it. */
export interface Lane {
  readonly adapter: LedgerAdapter;
  readonly tableNames: ReadonlySet<string>;
  readonly committed: ScopedView;
  readonly head: ScopedView;
  /** What was answered to keyed requests. */
  readonly answers: LaneAnswers;
}

/** Makes a refusal. */
export const refusal = (
  code: string,
  message: string,
  details?: Readonly<Record<string, unknown>>,
): Refused =>
  details === undefined ? { ok: false, code, message } : { ok: false, code, message, details };

/** One transaction on its way, from the endpoint that received it to its answer. */
export class Submission {
  readonly lane: Lane;
  readonly raw: Uint8Array;
  readonly actor: Actor;
  readonly wait: Wait;
  readonly done: (answer: Submitted<unknown>) => void;
  /** Monotonic milliseconds. */
  readonly receivedMs: number;
  /** Set for requests of other nodes: they are refused, not forwarded on, when we do not lead. */
  readonly foreign: boolean;
  /** Makes it one that is executed once, however often it is sent. */
  readonly key: RequestKey | undefined;
  admitted: Admitted<unknown> | undefined;
  /** Place in the order of its lane's queue, which gave it when this was admitted; 0 before. */
  turn = 0;
  /** Executed in a batch of its own, because a batch with it has failed. */
  alone = false;
  answered = false;
  /** A success was answered once it was executed, not yet ordered (`wait: 'local'`). */
  toldEarly = false;
  /** A leader may have executed it, and the answer was lost. */
  mayBeExecuted = false;

  constructor(fields: {
    lane: Lane;
    raw: Uint8Array;
    actor: Actor;
    wait: Wait;
    done: (answer: Submitted<unknown>) => void;
    receivedMs: number;
    foreign: boolean;
    key?: RequestKey | undefined;
  }) {
    this.lane = fields.lane;
    this.raw = fields.raw;
    this.actor = fields.actor;
    this.wait = fields.wait;
    this.done = fields.done;
    this.receivedMs = fields.receivedMs;
    this.foreign = fields.foreign;
    this.key = fields.key;
  }

  /** Of the request, and of what admitting it brought. */
  get bytes(): number {
    return this.raw.length + (this.admitted?.bytes ?? 0);
  }

  /** Whether nobody is owed anything any more; who was told early is owed the order all the same. */
  get isOver(): boolean {
    return this.answered && !this.toldEarly;
  }

  /** Answers once; later answers are ignored. */
  answer(answer: Submitted<unknown>): void {
    if (this.answered) return;
    this.answered = true;
    this.done(answer);
  }
}
