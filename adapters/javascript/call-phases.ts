import { isErrorCode } from '@concordat/api';
import { assert } from '@concordat/std';
import {
  type ExternalAnswer,
  type ExternalCall,
  ExternalError,
  type Refused,
} from '@concordat/worker-enclave';
import type { ApplicationHost } from './application-host.ts';
import { type CallEnd, maxCallsOfRequest, type PhaseStep, type WantedCall } from './call-form.ts';
import type { Call, CallResult } from './frames.ts';

/** Functions that run, of all callers and of one actor. */
const maxPhases = 64;
const maxPhasesOfActor = 16;
/** One function with all of its calls: less than a client waits for its answer, milliseconds. */
const maxPhaseMs = 20_000;

/** What a function that makes calls came to. */
export type PhaseEnd =
  /** JSON of what it returned. */
  { readonly ok: true; readonly value: Uint8Array; readonly hasActed?: true } | Refused;

/** Where a phase runs: the process of one application. */
type Place = Pick<ApplicationHost, 'step' | 'forget'>;

/**
 * Runs the functions that make calls to systems outside of the network, before the transactions of
 * the requests that want them. Whoever waits for an answer is in nobody's way: the process goes on
 * with other requests between two steps of a function.
 */
export class CallPhases {
  readonly #call: (call: ExternalCall) => Promise<ExternalAnswer>;
  readonly #ofActor = new Map<string, number>();
  #open = 0;
  #nextPhase = 1;

  /** @param call makes one call; rejects with an ExternalError alone */
  constructor(call: (call: ExternalCall) => Promise<ExternalAnswer>) {
    this.#call = call;
  }

  /** Runs the function of one request to its end. */
  async run(place: Place, call: Call, actorId: string): Promise<PhaseEnd> {
    const ofActor = this.#ofActor.get(actorId) ?? 0;
    if (this.#open >= maxPhases || ofActor >= maxPhasesOfActor) {
      return refused('EXTERNAL_OVERLOADED', 'too many requests that call other systems are open');
    }
    const phase = this.#nextPhase;
    this.#nextPhase = (phase % 0xffff_fffe) + 1;
    this.#open += 1;
    this.#ofActor.set(actorId, ofActor + 1);
    try {
      return await new Phase(phase, { place, call, external: this.#call }).ended;
    } finally {
      this.#open -= 1;
      const left = (this.#ofActor.get(actorId) as number) - 1;
      if (left === 0) this.#ofActor.delete(actorId);
      else this.#ofActor.set(actorId, left);
    }
  }
}

interface PhaseOptions {
  readonly place: Place;
  readonly call: Call;
  readonly external: (call: ExternalCall) => Promise<ExternalAnswer>;
}

/** One run of one function. */
class Phase {
  readonly ended: Promise<PhaseEnd>;
  readonly #number: number;
  readonly #options: PhaseOptions;
  readonly #end: (end: PhaseEnd) => void;
  readonly #timer: NodeJS.Timeout;
  /** Calls and steps under way. */
  #pending = 0;
  #calls = 0;
  #isOver = false;
  #hasActed = false;

  constructor(number: number, options: PhaseOptions) {
    const { promise, resolve } = Promise.withResolvers<PhaseEnd>();
    this.ended = promise;
    this.#number = number;
    this.#options = options;
    this.#end = resolve;
    this.#timer = setTimeout(() => {
      this.#giveUp('EXTERNAL_TIMEOUT', `the calls took more than ${maxPhaseMs} ms`);
    }, maxPhaseMs);
    void this.#step({ phase: number });
  }

  async #step(step: PhaseStep): Promise<void> {
    const { place, call } = this.#options;
    this.#pending += 1;
    const result = await place.step({ ...call, step });
    this.#pending -= 1;
    if (!this.#isOver) this.#took(result);
  }

  #took(result: CallResult): void {
    switch (result.kind) {
      case 'called':
        this.#finish({ ok: true, value: result.value });
        return;
      case 'calling':
        this.#calls += result.wanted.length;
        // The process counts as well, but it is the application's.
        if (this.#calls > maxCallsOfRequest) {
          this.#giveUp('APPLICATION_FAILED', `a request makes at most ${maxCallsOfRequest} calls`);
          return;
        }
        for (const wanted of result.wanted) void this.#make(wanted);
        if (this.#pending === 0) {
          const why = 'the function that makes the calls waits for what nothing will ever settle';
          this.#giveUp('APPLICATION_FAILED', why);
        }
        return;
      case 'failed': {
        const { code, message, trace } = result;
        const details = trace === '' ? undefined : { code: 'JSException', message, trace };
        const known = isErrorCode(code) ? code : 'APPLICATION_FAILED';
        this.#finish({ ...refused(known, message), ...(details && { details }) });
        return;
      }
      default:
        this.#finish(refused('APPLICATION_FAILED', 'the application answered before its calls'));
    }
  }

  async #make({ number, ...call }: WantedCall): Promise<void> {
    this.#hasActed = true;
    this.#pending += 1;
    const end = await this.#options.external(call).then(
      ({ status, headers, body }): CallEnd => ({ ok: true, status, headers, body }),
      (error: unknown): CallEnd => {
        assert(error instanceof ExternalError, `a call failed otherwise: ${error}`);
        return { ok: false, code: error.code, message: error.message };
      },
    );
    this.#pending -= 1;
    if (!this.#isOver) await this.#step({ phase: this.#number, answered: { number, end } });
  }

  #giveUp(code: string, message: string): void {
    this.#options.place.forget(this.#number);
    this.#finish(refused(code, message));
  }

  #finish(end: PhaseEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#end(this.#hasActed ? { ...end, hasActed: true } : end);
  }
}

const refused = (code: string, message: string): Refused => ({ ok: false, code, message });
