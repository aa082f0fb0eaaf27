import { decodeIdentity, isNobody, nobodyId } from '@concordat/bridge';
import { CodedError } from '@concordat/std';
import type { Account, Accounts } from './accounts.ts';
import type { Actor } from './actors.ts';
import type { Submitted, Wait } from './adapter.ts';
import { decodeForwardRequest, encodeReply } from './forward-codec.ts';
import type { Forwarding } from './forwarding.ts';
import type { WorkerLimits } from './limits.ts';
import type { Pipeline } from './pipeline.ts';
import type { RequestKey } from './request-key.ts';
import type { Stats } from './stats.ts';
import { type Lane, refusal, Submission } from './submission.ts';

/** A request another node's worker sends to this one, believed to lead. */
export interface ForwardedRequest {
  readonly id: number;
  readonly origin: string;
  readonly identity: Uint8Array;
  readonly request: Uint8Array;
}

/** The answer to it. */
export interface ForwardedAnswer {
  readonly id: number;
  readonly origin: string;
  readonly ok: boolean;
  readonly reply: Uint8Array;
  readonly height: number;
}

/** What the intake needs of the worker around it. */
export interface IntakeOptions {
  readonly lanes: readonly Lane[];
  readonly accounts: Accounts;
  readonly limits: WorkerLimits;
  readonly stats: Stats;
  readonly nowMs: () => number;
  readonly isOpen: () => boolean;
  readonly isLeader: () => boolean;
  readonly sendAnswer: (answer: ForwardedAnswer) => void;
  /** The queue has grown past a half of its bound, or shrunk below a quarter. */
  readonly onPressure: (high: boolean) => void;
}

/** Where submissions come in and answers go out; keeps the bounds and the counts between. */
export class Intake {
  readonly #options: IntakeOptions;
  #pipeline!: Pipeline;
  #forwarding!: Forwarding;
  /** Accepted and not answered. */
  #open = 0;
  #openBytes = 0;
  /** Of those, what belongs to nobody in particular. */
  #strangersBytes = 0;
  #pressed = false;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Names the two ways on; they in turn need the intake to answer. */
  connect(pipeline: Pipeline, forwarding: Forwarding): void {
    this.#pipeline = pipeline;
    this.#forwarding = forwarding;
  }

  /** Submissions accepted and not answered. */
  get open(): number {
    return this.#open;
  }

  /** Takes one submission; `done` is called once, never from inside. */
  accept(
    lane: Lane,
    raw: Uint8Array,
    from: {
      readonly actor: Actor;
      readonly wait: Wait;
      readonly foreign: boolean;
      readonly key?: RequestKey | undefined;
    },
    done: (answer: Submitted<unknown>) => void,
  ): void {
    const { stats, accounts, limits, isOpen, nowMs } = this.#options;
    stats.received += 1;
    if (!isOpen()) {
      process.nextTick(done, refusal('NODE_NOT_READY', 'the node has not caught up yet'));
      return;
    }
    const account = accounts.of(from.actor.actorId);
    if (this.#isFull(from.actor, account, raw.length)) {
      stats.overloaded += 1;
      process.nextTick(done, refusal('OVERLOADED', 'too many transactions are waiting'));
      return;
    }
    account.inFlight += 1;
    this.#open += 1;
    this.#openBytes += raw.length;
    if (isNobody(from.actor.actorId)) this.#strangersBytes += raw.length;
    this.dispatch(new Submission({ ...from, lane, raw, done, receivedMs: nowMs() }));
    if (!this.#pressed && this.#open * 2 > limits.maxQueuedTransactions) this.#press(true);
  }

  /** Gives a submission to the pipeline, or to the leader. */
  dispatch(submission: Submission): void {
    if (this.#options.isLeader()) {
      this.#pipeline.submit(submission);
    } else if (submission.foreign) {
      this.answer(submission, refusal('NOT_LEADER', 'this node does not lead'));
    } else if (this.#pipeline.isLeaving) {
      this.#pipeline.submit(submission);
    } else {
      this.#options.stats.forwarded += 1;
      this.#forwarding.forward(submission);
    }
  }

  /** Ends a submission; later answers to it are ignored. */
  readonly answer = (submission: Submission, answer: Submitted<unknown>): void => {
    if (submission.answered) return;
    const { accounts, limits } = this.#options;
    accounts.of(submission.actor.actorId).inFlight -= 1;
    this.#open -= 1;
    this.#openBytes -= submission.raw.length;
    if (isNobody(submission.actor.actorId)) this.#strangersBytes -= submission.raw.length;
    submission.answer(answer);
    if (this.#pressed && this.#open * 4 < limits.maxQueuedTransactions) this.#press(false);
  };

  /** Orders a request of another node's client. */
  forwarded(message: ForwardedRequest): void {
    const { lanes, stats, sendAnswer, isLeader } = this.#options;
    stats.forwardedIn += 1;
    const { id, origin } = message;
    const reply = (adapterId: string, answer: Submitted<unknown>) => {
      const lane = lanes.find((candidate) => candidate.adapter.id === adapterId);
      const reply = encodeReply(lane?.adapter, answer);
      sendAnswer({ id, origin, ok: answer.ok, reply, height: answer.ok ? answer.height : 0 });
    };
    if (!isLeader()) {
      reply('', refusal('NOT_LEADER', 'this node does not lead'));
      return;
    }
    try {
      const actor = actorOf(message.identity);
      const { adapterId, wait, raw, key } = decodeForwardRequest(message.request);
      const lane = lanes.find((candidate) => candidate.adapter.id === adapterId);
      if (lane === undefined) {
        reply('', refusal('NOT_FOUND', 'the leader does not run this adapter'));
        return;
      }
      const done = (answer: Submitted<unknown>) => reply(adapterId, answer);
      this.accept(lane, raw, { actor, wait, foreign: true, key }, done);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      reply('', refusal('MALFORMED_REQUEST', 'the forwarded request is malformed'));
    }
  }

  /** Whether there is no room for one more; strangers have room of their own, and no other. */
  #isFull({ actorId }: Actor, { inFlight }: Account, bytes: number): boolean {
    const { accounts, limits } = this.#options;
    const ofStrangers = this.#strangersBytes;
    if (isNobody(actorId)) {
      const { maxInFlightOfStrangers, maxQueuedBytesOfStrangers } = limits;
      return inFlight >= maxInFlightOfStrangers || ofStrangers + bytes > maxQueuedBytesOfStrangers;
    }
    const { inFlight: strangers } = accounts.of(nobodyId);
    return (
      inFlight >= limits.maxInFlightPerActor ||
      this.#open - strangers >= limits.maxQueuedTransactions ||
      this.#openBytes - ofStrangers + bytes > limits.maxQueuedBytes
    );
  }

  #press(high: boolean): void {
    this.#pressed = high;
    this.#options.onPressure(high);
  }
}

/** The actor an identity record names. @throws DecodeError */
export function actorOf(identity: Uint8Array): Actor {
  const { actorId, name, kinds, roles, certificate, isStaff, subject, serial } =
    decodeIdentity(identity);
  const staff = isStaff ? { staff: { name: subject, serial } } : {};
  return { actorId: actorId as Actor['actorId'], name, kinds, roles, ...staff, certificate };
}
