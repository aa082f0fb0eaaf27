import { once } from 'node:events';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { ErrorCode } from '@concordat/api';
import { isNobody } from '@concordat/bridge';
import type { ActorId } from '@concordat/std';
import type { ClientIdentity, ClientVerdict } from './client-identity.ts';
import { clientTlsOptions, refuseClient } from './client-tls.ts';
import type { WorkerLink } from './worker-link.ts';

/** Connections of actors at once. */
const maxConnections = 4096;
/** Of these, connections of one actor: nobody locks the others out. */
const maxOfOneActor = 1024;
/** Connections of whoever presents no certificate, beside those of actors. */
const maxOfStrangers = 512;
/** Connections beside both: in their handshake, or refused and about to be told so. */
const maxUndecided = 1024;
/** Of these, refused ones that are still being told. */
const maxRefused = 256;
/** A client that does not read its answers is dropped beyond this. */
const maxWaitingBytes = 32 * 1024 * 1024;
/** The same for all strangers together. */
const maxWaitingBytesOfStrangers = 64 * 1024 * 1024;
/** Half of what each has if all are there, for whom nothing is reckoned. */
const assuredToStranger = maxWaitingBytesOfStrangers / (2 * maxOfStrangers);

/**
 * One application port: ends mutual TLS, names the actor, and hands the decrypted byte stream to
 * the worker enclave without looking at it (paper, "Application Transaction Workflow", step 2).
 */
export class ApplicationListener {
  readonly #server: Server;
  readonly #worker: Pick<WorkerLink, 'openStream'>;
  readonly #judge: (socket: TLSSocket) => ClientVerdict;
  readonly #sockets = new Map<TLSSocket, ClientIdentity>();
  readonly #byActor = new Map<ActorId, number>();
  readonly #path: string;
  #strangers = 0;
  #refused = 0;

  constructor(options: {
    readonly path: string;
    readonly credentials: { key: string; certificate: string };
    readonly worker: Pick<WorkerLink, 'openStream'>;
    readonly judge: (socket: TLSSocket) => ClientVerdict;
  }) {
    this.#path = options.path;
    this.#worker = options.worker;
    this.#judge = options.judge;
    this.#server = createServer(clientTlsOptions(options.credentials), (socket) =>
      this.#accepted(socket),
    );
    this.#server.maxConnections = maxConnections + maxOfStrangers + maxUndecided;
    this.#server.on('tlsClientError', () => undefined);
  }

  /** Opens the bridge socket. */
  async listen(): Promise<void> {
    this.#server.listen(this.#path);
    await once(this.#server, 'listening');
  }

  /** Connections open now. */
  get connections(): number {
    return this.#sockets.size;
  }

  #accepted(socket: TLSSocket): void {
    socket.on('error', () => undefined);
    const verdict = this.#judge(socket);
    if (!verdict.ok) {
      this.#refuse(socket, verdict.code, verdict.message);
      return;
    }
    const { identity } = verdict;
    const excess = this.#excessOf(identity.actorId);
    if (excess === undefined) this.#serve(socket, identity);
    else this.#refuse(socket, 'OVERLOADED', excess);
  }

  /** Why one more connection is too many; strangers take nothing of what actors have. */
  #excessOf(actorId: ActorId): string | undefined {
    if (isNobody(actorId)) {
      const isFull = this.#strangers >= maxOfStrangers;
      return isFull ? 'there are too many connections without a certificate' : undefined;
    }
    if ((this.#byActor.get(actorId) ?? 0) >= maxOfOneActor) {
      return 'this actor has too many connections';
    }
    const isFull = this.connections - this.#strangers >= maxConnections;
    return isFull ? 'there are too many connections' : undefined;
  }

  /** Tells a client why; with many to be told, the connection is just closed. */
  #refuse(socket: TLSSocket, code: ErrorCode, message: string): void {
    if (this.#refused >= maxRefused) {
      socket.destroy();
      return;
    }
    this.#refused += 1;
    socket.once('close', () => {
      this.#refused -= 1;
    });
    refuseClient(socket, code, message);
  }

  #serve(socket: TLSSocket, identity: ClientIdentity): void {
    this.#count(socket, identity);
    socket.setNoDelay(true);
    let paused = false;
    let held = false;
    const flow = (): void => {
      if (paused || held) socket.pause();
      else socket.resume();
    };
    const stream = this.#worker.openStream(identity.record, {
      onData: (data) => {
        socket.write(data);
        this.#boundWaiting(socket, identity);
      },
      onEnd: () => socket.end(),
      onReset: () => socket.destroy(),
      onPause: () => {
        paused = true;
        flow();
      },
      onResume: () => {
        paused = false;
        flow();
      },
      onDrain: () => {
        held = false;
        flow();
      },
    });
    socket.on('data', (data) => {
      if (stream.data(data)) return;
      held = true;
      flow();
    });
    socket.on('end', () => stream.end());
    socket.on('close', () => stream.close());
  }

  /** Drops who leaves too much unread: an actor for itself, of all strangers whoever leaves the most. */
  #boundWaiting(socket: TLSSocket, { actorId }: ClientIdentity): void {
    if (socket.writableLength > maxWaitingBytes) socket.destroy();
    // So little each may leave, however many they are.
    if (!isNobody(actorId) || socket.writableLength <= assuredToStranger) return;
    let waiting = 0;
    let worst = socket;
    for (const [candidate, identity] of this.#sockets) {
      if (!isNobody(identity.actorId) || candidate.destroyed) continue;
      waiting += candidate.writableLength;
      if (candidate.writableLength > worst.writableLength) worst = candidate;
    }
    if (waiting > maxWaitingBytesOfStrangers) worst.destroy();
  }

  #count(socket: TLSSocket, identity: ClientIdentity): void {
    const { actorId } = identity;
    this.#sockets.set(socket, identity);
    this.#byActor.set(actorId, (this.#byActor.get(actorId) ?? 0) + 1);
    if (isNobody(actorId)) this.#strangers += 1;
    socket.on('close', () => {
      if (isNobody(actorId)) this.#strangers -= 1;
      this.#sockets.delete(socket);
      const left = (this.#byActor.get(actorId) ?? 1) - 1;
      if (left > 0) this.#byActor.set(actorId, left);
      else this.#byActor.delete(actorId);
    });
  }

  /** Cuts the connections of identities that no longer hold. */
  cutOff(gone: (identity: ClientIdentity) => boolean): void {
    for (const [socket, identity] of this.#sockets) {
      if (gone(identity)) socket.destroy();
    }
  }

  /** Cuts every connection and stops listening. */
  stop(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
    this.#server.close();
  }
}
