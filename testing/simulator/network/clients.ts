import { type Action, HistoryRecorder, type Operation } from '@concordat/linearizability';
import { utf8 } from '@concordat/std';
import type { Actor, Submitted } from '@concordat/worker-enclave';
import type { Random } from '../random.ts';
import type { Machine } from './machine.ts';
import { isServing } from './network.ts';
import type { Organisation } from './organisation.ts';
import { type RegisterRequest, type RegisterResult, registerIn } from './register-adapter.ts';
import type { World } from './world.ts';

/** A write that a client was told to be committed. */
export interface Acknowledged {
  /** `view.seqno` */
  readonly transactionId: string;
  readonly height: number;
  readonly request: RegisterRequest;
}

/** How long a client waits for an answer, milliseconds. */
const patienceMs = 8_000;
/** Way of a request between client and node, milliseconds. */
const wayMs = 0.5;
/** Time between two requests of a client while a network heals, milliseconds. */
const calmThinkMs = 1_000;
const keys = ['a', 'b', 'c', 'd'];

/** Answers that say a request has had and will have no effect. */
const certainlyFailed: ReadonlySet<string> = new Set([
  'TRANSACTION_LOST',
  'OVERLOADED',
  'LEADER_UNKNOWN',
  'NOT_LEADER',
  'NODE_NOT_READY',
  'FORBIDDEN',
  'ACTOR_REMOVED',
  'READ_NOT_CONFIRMED',
  'WORKER_UNAVAILABLE',
]);

/** One kind of request: through the ledger, or a linearizable read of committed state. */
type Asked = { readonly how: 'transaction' | 'read'; readonly request: RegisterRequest };
type Answer = Submitted<unknown>;

/** Clients that ask all the time, and the history of what they were told. */
export class Clients {
  readonly recorder: HistoryRecorder;
  readonly acknowledged: Acknowledged[] = [];
  /** Answers by code. */
  readonly refusals = new Map<string, number>();
  answered = 0;
  readonly #world: World;
  readonly #random: Random;
  /** Values lately written or read under a key, to compare with. */
  readonly #known = new Map<string, string>();
  #values = 0;
  #thinkMs: number;
  #running = true;
  #open = 0;

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random(1);
    this.#thinkMs = world.plan.thinkMs;
    this.recorder = new HistoryRecorder(() => world.clock.nowMs);
  }

  /** The history so far. */
  get history(): Operation[] {
    return this.recorder.history();
  }

  /** Requests that wait for an answer. */
  get open(): number {
    return this.#open;
  }

  /** Starts clients of these organisations. */
  start(count: number, organisations: readonly Organisation[]): void {
    for (let client = 1; client <= count; client++) {
      const organisation = organisations[client % organisations.length] as Organisation;
      void this.#live(`c${client}`, actorOf(organisation));
    }
  }

  /** Clients ask now and then only. */
  slowDown(): void {
    this.#thinkMs = Math.max(this.#thinkMs, calmThinkMs);
  }

  /** No client asks any more. */
  stop(): void {
    this.#running = false;
  }

  async #live(client: string, actor: Actor): Promise<void> {
    let machine: Machine | undefined;
    while (this.#running) {
      await this.#world.pause(this.#random.fraction() * this.#thinkMs);
      const serving = this.#world.machines.filter(isServing);
      if (!machine || !isServing(machine) || this.#random.chance(0.1)) {
        machine = serving.length > 0 ? this.#random.pick(serving) : undefined;
      }
      // A client may have several requests open: it does not wait for those it gave up on.
      if (machine && this.#running) await this.ask(client, actor, machine, this.#draw());
    }
  }

  #draw(): Asked {
    const random = this.#random;
    const key = random.pick(keys);
    const known = this.#known.get(key);
    const roll = random.fraction();
    if (roll < 0.2) return { how: 'read', request: { action: 'read', key } };
    if (roll < 0.3) return { how: 'transaction', request: { action: 'read', key } };
    if (roll < 0.35) return { how: 'transaction', request: { action: 'delete', key } };
    const value = this.newValue();
    if (roll < 0.6) {
      const expected = random.chance(0.8) ? known : undefined;
      const request = { action: 'compare-and-set' as const, key, value };
      return { how: 'transaction', request: { ...request, ...(expected && { expected }) } };
    }
    return { how: 'transaction', request: { action: 'write', key, value } };
  }

  /** A private value that was never written before. */
  newValue(): string {
    this.#values += 1;
    return `${this.#world.secrets.marker} ${this.#values}`;
  }

  /** Sends one request and waits for its answer, as long as a client would. */
  async ask(
    client: string,
    actor: Actor,
    machine: Machine,
    asked: Asked,
  ): Promise<Answer | undefined> {
    const { request } = asked;
    const call = this.recorder.call(client, request.key, toAction(request));
    this.#open += 1;
    const answer = await this.#send(actor, machine, asked);
    this.#open -= 1;
    if (!answer) {
      call.unknown();
      return undefined;
    }
    this.answered += 1;
    if (answer.ok) {
      const result = answer.result as RegisterResult;
      this.#learn(asked, answer, result);
      call.returned(told(request, result));
    } else if (answer.code === 'CONFLICT') call.returned({ applied: false });
    else {
      this.refusals.set(answer.code, (this.refusals.get(answer.code) ?? 0) + 1);
      if (certainlyFailed.has(answer.code)) call.failed();
      else call.unknown();
    }
    return answer;
  }

  #learn({ how, request }: Asked, answer: Answer & { ok: true }, result: RegisterResult): void {
    const { key } = request;
    const value = request.action === 'read' ? result.before : request.value;
    if (value === undefined) this.#known.delete(key);
    else this.#known.set(key, value);
    const { transactionId, height } = answer;
    if (how === 'transaction' && transactionId !== undefined) {
      this.acknowledged.push({ transactionId, height, request });
    }
  }

  /** Undefined: no answer came. */
  #send(actor: Actor, machine: Machine, { how, request }: Asked): Promise<Answer | undefined> {
    const { clock } = this.#world;
    const { enclave } = machine;
    return new Promise((resolve) => {
      clock.after(patienceMs, undefined, () => resolve(undefined));
      if (!enclave) return;
      const answered = (answer: Answer): void => {
        clock.after(wayMs, undefined, () => resolve(answer));
      };
      clock.after(wayMs, enclave.process, () => {
        const host = enclave.worker?.hostOf('registers');
        if (!host) return;
        enclave.visit(actor);
        if (how === 'transaction') {
          host.submitWith(utf8(JSON.stringify(request)), actor, 'commit', answered);
          return;
        }
        host.whenCurrent(actor, (refused) => {
          if (refused) return answered(refused);
          const before = registerIn(host.committed(), request.key);
          const result: RegisterResult = before === undefined ? {} : { before };
          answered({ ok: true, result, height: 0 });
        });
      });
    });
  }
}

/** An organisation as the worker knows it. */
export const actorOf = ({ actorId, name }: Organisation): Actor => ({
  actorId,
  name,
  kinds: ['member', 'participant'],
  roles: [],
});

function toAction({ action, value = '', expected }: RegisterRequest): Action {
  if (action === 'write') return { kind: 'write', value };
  if (action === 'compare-and-set') return { kind: 'compare-and-set', expected, value };
  return { kind: action };
}

function told({ action }: RegisterRequest, { before, applied }: RegisterResult) {
  if (action === 'read') return { value: before };
  if (action === 'compare-and-set') return { applied: applied === true };
  return { existed: before !== undefined };
}
