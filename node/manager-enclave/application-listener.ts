import { once } from 'node:events';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { type ErrorCode, errorBody } from '@concordat/api';
import type { ActorId } from '@concordat/std';
import type { ClientIdentity, ClientVerdict } from './client-identity.ts';
import type { WorkerLink } from './worker-link.ts';

/** Connections of one listener at once. */
const maxConnections = 4096;
/** A client that does not read its answers is dropped beyond this. */
const maxWaitingBytes = 32 * 1024 * 1024;

/** Node's TLS server options for client channels: the actor is judged after the handshake. */
export function clientTlsOptions(credentials: { key: string; certificate: string }) {
  return {
    key: credentials.key,
    cert: credentials.certificate,
    requestCert: true,
    // A refused client gets a readable answer, so the certificate is judged after the handshake.
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3' as const,
    handshakeTimeout: 10_000,
  };
}

/** Answers a client that may not be here with one readable HTTP response, whatever it asked. */
export function refuseClient(
  socket: TLSSocket,
  refusal: { code: ErrorCode; message: string },
): void {
  const body = JSON.stringify(errorBody(refusal.code, refusal.message));
  socket.end(
    `HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
  // Read on so that what the client still sends does not reset the answer away.
  socket.resume();
  socket.setTimeout(2_000, () => socket.destroy());
}

/**
 * One application port: ends mutual TLS, names the actor, and hands the decrypted byte stream to
 * the worker enclave without looking at it (paper, "Application Transaction Workflow", step 2).
 */
export class ApplicationListener {
  readonly #server: Server;
  readonly #worker: WorkerLink;
  readonly #judge: (socket: TLSSocket) => ClientVerdict;
  readonly #sockets = new Map<TLSSocket, ClientIdentity>();
  readonly #path: string;

  constructor(options: {
    readonly path: string;
    readonly credentials: { key: string; certificate: string };
    readonly worker: WorkerLink;
    readonly judge: (socket: TLSSocket) => ClientVerdict;
  }) {
    this.#path = options.path;
    this.#worker = options.worker;
    this.#judge = options.judge;
    this.#server = createServer(clientTlsOptions(options.credentials), (socket) =>
      this.#accepted(socket),
    );
    this.#server.maxConnections = maxConnections;
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
      refuseClient(socket, verdict);
      return;
    }
    const { identity } = verdict;
    this.#sockets.set(socket, identity);
    socket.setNoDelay(true);
    const stream = this.#worker.openStream(identity.record, {
      onData: (data) => {
        socket.write(data);
        if (socket.writableLength > maxWaitingBytes) socket.destroy();
      },
      onEnd: () => socket.end(),
      onReset: () => socket.destroy(),
      onPause: () => socket.pause(),
      onResume: () => socket.resume(),
    });
    socket.on('data', (data) => stream.data(data));
    socket.on('end', () => stream.end());
    socket.on('close', () => {
      this.#sockets.delete(socket);
      stream.close();
    });
  }

  /** Cuts the connections of actors that are no longer in the membership list. */
  cutOff(removed: (actor: ActorId) => boolean): void {
    for (const [socket, { actorId }] of this.#sockets) {
      if (removed(actorId)) socket.destroy();
    }
  }

  /** Cuts every connection and stops listening. */
  stop(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
    this.#server.close();
  }
}
