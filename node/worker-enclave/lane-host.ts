import type { ReadView } from '@concordat/kv';
import type { Actor } from './actors.ts';
import type { Refused, SubmitOptions, Submitted, Wait } from './adapter.ts';
import type { ExternalAnswer, ExternalCall } from './external-call.ts';
import type { ExternalCalls } from './external-calls.ts';
import type { Intake } from './intake.ts';
import type { LedgerQuestions } from './ledger-questions.ts';
import type { PastRange, PastReader, PastTransactionView } from './past-reader.ts';
import type { KeyedHost, RequestKey } from './request-key.ts';
import type { Lane } from './submission.ts';

/** What a lane's host asks of the worker. */
interface Surroundings {
  whenCurrent(actor: Actor, done: (refused?: Refused) => void): void;
  readonly questions: LedgerQuestions;
  readonly past: PastReader;
  readonly external: ExternalCalls;
  role(): { readonly leader: boolean; readonly view: number };
  timeMs(): number;
  log(event: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** The runtime as one adapter's endpoints see it. */
export class LaneHost implements KeyedHost {
  readonly #lane: Lane;
  readonly #intake: Intake;
  readonly #worker: Surroundings;

  constructor(lane: Lane, intake: Intake, worker: Surroundings) {
    this.#lane = lane;
    this.#intake = intake;
    this.#worker = worker;
  }

  get adapterId(): string {
    return this.#lane.adapter.id;
  }

  committed(): ReadView {
    return this.#lane.committed;
  }

  head(): ReadView {
    return this.#lane.head;
  }

  submit(
    raw: Uint8Array,
    actor: Actor,
    { wait = 'commit' }: SubmitOptions = {},
  ): Promise<Submitted<unknown>> {
    return new Promise((resolve) => this.submitWith(raw, actor, wait, resolve));
  }

  submitWith(
    raw: Uint8Array,
    actor: Actor,
    wait: Wait,
    done: (answer: Submitted<unknown>) => void,
  ): void {
    this.#intake.accept(this.#lane, raw, { actor, wait, foreign: false }, done);
  }

  submitKeyed(
    raw: Uint8Array,
    from: { readonly actor: Actor; readonly wait: Wait; readonly key: RequestKey },
    done: (answer: Submitted<unknown>) => void,
  ): void {
    this.#intake.accept(this.#lane, raw, { ...from, foreign: false }, done);
  }

  whenCurrent(actor: Actor, done: (refused?: Refused) => void): void {
    this.#worker.whenCurrent(actor, done);
  }

  askLedger(actor: Actor, about: Parameters<LedgerQuestions['ask']>[1]): Promise<Uint8Array> {
    return this.#worker.questions.ask(actor, about);
  }

  readPast(range: PastRange, actor?: Actor): Promise<readonly PastTransactionView[]> {
    return this.#worker.past.read(range, this.#lane.tableNames, actor?.actorId);
  }

  callExternal(call: ExternalCall): Promise<ExternalAnswer> {
    return this.#worker.external.call(this.adapterId, call);
  }

  role(): { readonly leader: boolean; readonly view: number } {
    return this.#worker.role();
  }

  timeMs(): number {
    return this.#worker.timeMs();
  }

  log(event: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#worker.log(`${this.adapterId}.${event}`, fields);
  }
}
