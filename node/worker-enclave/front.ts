import { errorBody } from '@concordat/api';
import { type ChannelToManager, type ChannelToWorker, isNobody, nobodyId } from '@concordat/bridge';
import type { Account, Accounts } from './accounts.ts';
import type { Actor } from './actors.ts';
import { Dispatcher } from './dispatcher.ts';
import { HttpFront, rawAnswer } from './http-front.ts';
import { knownActor } from './identities.ts';
import type { LedgerQuestions } from './ledger-questions.ts';
import type { WorkerLimits } from './limits.ts';
import type { ReadCallback } from './read-gate.ts';
import { Router, type Routes } from './router.ts';
import { SealedDoor } from './sealed-door.ts';
import { StreamSocket, type StreamWire } from './stream-socket.ts';

/** What the front needs of the worker around it. */
export interface FrontOptions {
  readonly routes: readonly Routes[];
  readonly accounts: Accounts;
  readonly limits: WorkerLimits;
  readonly send: (message: ChannelToManager) => boolean;
  readonly isReady: () => boolean;
  readonly whenCurrent: (actor: Actor, done: ReadCallback) => void;
  readonly health: () => { ok: boolean };
  readonly statistics: () => unknown;
  readonly questions: LedgerQuestions;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** What of the manager's frames is the front's. */
type FrontMessage = Extract<
  ChannelToWorker,
  { readonly kind: 'streamOpen' | 'streamEnd' | 'streamReset' | 'opened' }
>;

interface Connection {
  readonly socket: StreamSocket;
  readonly actor: Actor;
  readonly account: Account;
}

/** The streams of clients the manager hands over, by number, and the HTTP server they feed. */
export class Front {
  readonly #options: FrontOptions;
  readonly #http: HttpFront;
  readonly #sealed: SealedDoor;
  readonly #connections = new Map<number, Connection>();
  readonly #framed = new Set<StreamSocket>();
  readonly #wire: StreamWire;
  #congested = false;
  #pressed = false;

  /** @throws WorkerError INVALID_ADAPTERS */
  constructor(options: FrontOptions) {
    this.#options = options;
    const { limits, accounts, isReady, whenCurrent, log, nowMs, random } = options;
    const router = new Router(options.routes);
    const dispatcher = new Dispatcher({ ...options, router });
    this.#sealed = new SealedDoor({
      ...{ dispatcher, accounts, limits, nowMs, random, log },
      ask: (request) => options.send(request),
      requestKey: (actor) => options.questions.ask(actor, { subject: 'requestKey' }),
    });
    this.#http = new HttpFront({
      ...{ router, limits, isReady, whenCurrent, dispatcher, log },
      sealed: this.#sealed,
      actorOf: (socket) => this.#connections.get((socket as StreamSocket).id) as Connection,
      streamOpened: (socket) => this.#streamOpened(socket),
    });
    const send = (message: ChannelToManager): void => {
      if (!options.send(message)) this.#congested = true;
    };
    this.#wire = {
      data: (id, data) => send({ kind: 'streamData', id, data }),
      end: (id) => send({ kind: 'streamEnd', id }),
      reset: (id) => send({ kind: 'streamReset', id }),
      pause: (id) => send({ kind: 'streamPause', id }),
      resume: (id) => send({ kind: 'streamResume', id }),
      isCongested: () => this.#congested,
    };
  }

  /**
   * What the manager says of a client's connection, or of a sealed request.
   * @throws DecodeError when its record is malformed
   */
  receive(message: FrontMessage): void {
    switch (message.kind) {
      case 'streamOpen':
        this.#open(message.id, message.identity);
        return;
      case 'streamEnd':
        this.#connections.get(message.id)?.socket.receiveEnd();
        return;
      case 'streamReset':
        this.#connections.get(message.id)?.socket.receiveReset();
        return;
      case 'opened':
        this.#sealed.opened(message);
    }
  }

  #open(id: number, identity: Uint8Array): void {
    const { accounts } = this.#options;
    const actor = knownActor(identity);
    const account = accounts.of(actor.actorId);
    const socket = new StreamSocket(id, this.#wire);
    this.#connections.set(id, { socket, actor, account });
    account.connections += 1;
    socket.once('close', () => {
      account.connections -= 1;
      this.#connections.delete(id);
      this.#framed.delete(socket);
      accounts.release(actor.actorId);
    });
    if (this.#isFull(actor, account)) {
      socket.on('error', () => {});
      socket.resume();
      socket.end(rawAnswer(503, errorBody('OVERLOADED')), () => socket.destroy());
      return;
    }
    this.#http.serve(socket);
  }

  /** Whether a connection that was just counted is one too many; strangers take nothing of actors'. */
  #isFull({ actorId }: Actor, { connections }: Account): boolean {
    const { accounts, limits } = this.#options;
    if (isNobody(actorId)) return connections > limits.maxConnectionsOfStrangers;
    const ofActors = this.#connections.size - accounts.of(nobodyId).connections;
    return connections > limits.maxConnectionsPerActor || ofActors > limits.maxConnections;
  }

  /** Bytes of a client. */
  data(id: number, bytes: Uint8Array): void {
    this.#connections.get(id)?.socket.receive(bytes as Buffer);
  }

  /** Ends what has waited too long for the manager. */
  expire(): void {
    this.#sealed.expire();
  }

  /** Holds framed streams back while the queue is long, or lets them go on. */
  pressure(high: boolean): void {
    this.#pressed = high;
    for (const socket of this.#framed) socket.press(high);
  }

  /** The manager takes frames again. */
  drained(): void {
    this.#congested = false;
    for (const { socket } of this.#connections.values()) {
      if (this.#congested) return;
      socket.drained();
    }
  }

  /** What `GET /app/stats` says of connections. */
  counts(): Record<string, number> {
    return {
      open: this.#connections.size,
      framedStreams: this.#framed.size,
      webSockets: this.#http.openWebSockets,
    };
  }

  /** Ends every connection; new ones may come. */
  dropAll(): void {
    for (const { socket } of [...this.#connections.values()]) socket.destroy();
  }

  close(): void {
    this.#http.close();
    for (const { socket } of this.#connections.values()) socket.destroy();
  }

  #streamOpened(socket: StreamSocket): void {
    this.#framed.add(socket);
    if (this.#pressed) socket.press(true);
  }
}
