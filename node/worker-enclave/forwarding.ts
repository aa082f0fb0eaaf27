import type { Refused, Submitted } from './adapter.ts';
import {
  decodeRefusal,
  decodeReply,
  encodeForwardRequest,
  wasNeverTaken,
} from './forward-codec.ts';
import { refusal, type Submission } from './submission.ts';

/** What forwarding needs of the worker around it. */
export interface ForwardingOptions {
  readonly send: (id: number, identity: Uint8Array, request: Uint8Array) => void;
  readonly identityOf: (submission: Submission) => Uint8Array;
  readonly answer: (submission: Submission, answer: Submitted<unknown>) => void;
  /** Gives the submission to whoever leads now. */
  readonly dispatch: (submission: Submission) => void;
  readonly committedHeight: () => number;
}

const retryMs = 50;
/** A leader of an earlier view that still knows an outcome tells it within this time. */
const formerLeaderMs = 1_000;

/**
 * The way of a submission on a node that does not lead: over the managers to the leader's worker,
 * and back to the client only when this node's own state has reached the transaction's block.
 */
export class Forwarding {
  readonly #options: ForwardingOptions;
  readonly #pending = new Map<number, Submission>();
  #ahead: {
    readonly submission: Submission;
    readonly answer: Submitted<unknown> & { ok: true };
  }[] = [];
  /** Nobody led when they were tried last. */
  #parked: Submission[] = [];
  #nextId = 1;
  #timer: NodeJS.Timeout | undefined;
  readonly #farewells = new Set<NodeJS.Timeout>();

  constructor(options: ForwardingOptions) {
    this.#options = options;
  }

  /** Submissions not answered yet. */
  get waiting(): number {
    return this.#pending.size + this.#ahead.length + this.#parked.length;
  }

  /** Sends a submission to the leader. */
  forward(submission: Submission): void {
    const id = this.#nextId;
    this.#nextId = id === 0xffff_ffff ? 1 : id + 1;
    this.#pending.set(id, submission);
    const { adapter } = submission.lane;
    const request = encodeForwardRequest({
      adapterId: adapter.id,
      wait: submission.wait,
      raw: submission.raw,
      key: submission.key,
    });
    this.#options.send(id, this.#options.identityOf(submission), request);
  }

  /** The leader's answer. */
  replied(reply: { id: number; ok: boolean; height: number; reply: Uint8Array }): void {
    const submission = this.#pending.get(reply.id);
    if (submission === undefined) return;
    this.#pending.delete(reply.id);
    if (!reply.ok) {
      const refused = decodeRefusal(reply.reply);
      if (wasNeverTaken(refused)) this.park(submission);
      else if (mayBeAskedAgain(submission, refused)) this.#askAgain(submission);
      else this.#options.answer(submission, refused);
      return;
    }
    const answer = decodeReply(submission.lane.adapter, reply.reply, reply.height);
    if (!answer.ok || reply.height <= this.#options.committedHeight()) {
      this.#options.answer(submission, answer);
    } else {
      this.#ahead.push({ submission, answer });
    }
  }

  /** Answers what the own state has caught up with. */
  committed(height: number): void {
    if (this.#ahead.length === 0) return;
    const still = [];
    for (const waiting of this.#ahead) {
      if (waiting.answer.height > height) still.push(waiting);
      else this.#options.answer(waiting.submission, waiting.answer);
    }
    this.#ahead = still;
  }

  /** Holds a submission back until there may be a leader. */
  park(submission: Submission): void {
    this.#parked.push(submission);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.unpark();
    }, retryMs);
  }

  /** Ends for good; nobody is answered. */
  stop(): void {
    clearTimeout(this.#timer);
    for (const timer of this.#farewells) clearTimeout(timer);
    this.#parked = [];
  }

  /**
   * The view changed: a leader of an earlier one that hangs with what it was asked is not waited
   * for until the client's patience ends.
   */
  viewChanged(): void {
    const asked = [...this.#pending.keys()];
    if (asked.length === 0) return;
    const timer = setTimeout(() => {
      this.#farewells.delete(timer);
      for (const id of asked) this.#formerLeaderIsSilent(id);
    }, formerLeaderMs);
    this.#farewells.add(timer);
  }

  /** Tries what was held back again. */
  unpark(): void {
    const parked = this.#parked;
    this.#parked = [];
    for (const submission of parked) if (!submission.isOver) this.#options.dispatch(submission);
  }

  /** Answers what has waited since before this time: its outcome is unknown here. */
  expire(receivedBeforeMs: number): void {
    const late = (submission: Submission) => submission.receivedMs < receivedBeforeMs;
    for (const [id, submission] of this.#pending) if (late(submission)) this.#giveUp(id);
    const parked = this.#parked.filter(late);
    this.#parked = this.#parked.filter((submission) => !late(submission));
    for (const submission of parked) {
      const answer = submission.mayBeExecuted
        ? unknownOutcome
        : refusal('LEADER_UNKNOWN', 'there is no leader at present');
      this.#options.answer(submission, answer);
    }
  }

  #formerLeaderIsSilent(id: number): void {
    const submission = this.#pending.get(id);
    if (submission?.key === undefined) {
      this.#giveUp(id);
      return;
    }
    this.#pending.delete(id);
    this.#askAgain(submission);
  }

  /** A keyed submission is executed once, whoever led when it was. */
  #askAgain(submission: Submission): void {
    submission.mayBeExecuted = true;
    this.park(submission);
  }

  #giveUp(id: number): void {
    const submission = this.#pending.get(id);
    if (submission === undefined) return;
    this.#pending.delete(id);
    this.#options.answer(submission, unknownOutcome);
  }
}

const unknownOutcome = refusal(
  'TRANSACTION_UNKNOWN',
  'the leader did not answer in time; the outcome is not known',
);

const undecided = new Set(['TRANSACTION_UNKNOWN', 'TRANSACTION_LOST']);

const mayBeAskedAgain = (submission: Submission, { code }: Refused): boolean =>
  submission.key !== undefined && undecided.has(code);
