import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import {
  ApiError,
  adminPaths,
  coseMediaType,
  errorAnswer,
  isErrorCode,
  linesMediaType,
} from '@concordat/api';
import { eventsOfWrites, maxMessageBytes } from '@concordat/governance';
import { type ActorId, CodedError, parseTransactionId } from '@concordat/std';
import { type AdminAnswers, adminAnswers } from './admin-answers.ts';
import { clientTlsOptions, refuseClient } from './application-listener.ts';
import type { ClientIdentity, ClientVerdict } from './client-identity.ts';
import type { Announcement } from './ledger-reactions.ts';
import type { Manager } from './manager.ts';
import { renderMetrics } from './metrics.ts';

const maxConnections = 1024;
const maxWatchers = 256;

/**
 * The administrative channel (paper, "Secure Communication"): mutual TLS and HTTP for operators
 * and members. Reading needs an actor's certificate; changing anything needs a member's signature.
 */
export class AdminServer {
  readonly #manager: Manager;
  readonly #path: string;
  readonly #judge: (socket: TLSSocket) => ClientVerdict;
  readonly #tls: Server;
  readonly #http: HttpServer;
  readonly #answers: AdminAnswers;
  readonly #sockets = new Map<TLSSocket, ClientIdentity>();
  readonly #watchers = new Set<ServerResponse>();

  constructor(options: {
    readonly path: string;
    readonly credentials: { key: string; certificate: string };
    readonly manager: Manager;
    readonly judge: (socket: TLSSocket) => ClientVerdict;
  }) {
    this.#manager = options.manager;
    this.#path = options.path;
    this.#judge = options.judge;
    this.#answers = adminAnswers(options.manager);
    this.#http = createHttpServer(
      {
        requestTimeout: 30_000,
        headersTimeout: 10_000,
        maxHeaderSize: 16_384,
        keepAliveTimeout: 60_000,
      },
      (request, response) => void this.#handle(request, response),
    );
    this.#tls = createServer(clientTlsOptions(options.credentials), (socket) =>
      this.#accepted(socket),
    );
    this.#tls.maxConnections = maxConnections;
    this.#tls.on('tlsClientError', () => undefined);
  }

  /** Opens the bridge socket. */
  async listen(): Promise<void> {
    this.#tls.listen(this.#path);
    await once(this.#tls, 'listening');
  }

  #accepted(socket: TLSSocket): void {
    socket.on('error', () => undefined);
    const verdict = this.#judge(socket);
    if (!verdict.ok) {
      refuseClient(socket, verdict);
      return;
    }
    this.#sockets.set(socket, verdict.identity);
    socket.on('close', () => this.#sockets.delete(socket));
    this.#http.emit('connection', socket);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#route(request, response);
    } catch (error) {
      const { status, body, retryAfterSeconds } = errorAnswer(asApiError(error));
      if (status === 500) this.#manager.control.log('admin.failed', { why: String(error) });
      if (retryAfterSeconds) response.setHeader('retry-after', String(retryAfterSeconds));
      if (!response.headersSent) send(response, status, body);
      else response.destroy();
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'https://node.invalid');
    const { pathname: path, searchParams } = url;
    if (path === adminPaths.messages) {
      requireMethod(request, 'POST');
      return send(response, 200, await this.#submit(request));
    }
    requireMethod(request, 'GET');
    request.resume();
    if (path === adminPaths.events) return this.#watch(response);
    if (path === adminPaths.metrics) {
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
      response.end(renderMetrics(this.#manager));
      return;
    }
    if (path === adminPaths.receipt || path === adminPaths.transaction) {
      const id = parseTransactionId(searchParams.get('transaction_id') ?? '');
      if (!id) {
        throw new ApiError('INVALID_PARAMETER', 'transaction_id must be <view>.<seqno>, like 2.17');
      }
      const answers = this.#answers;
      const answer = path === adminPaths.receipt ? answers.receipt(id) : answers.transaction(id);
      return send(response, 200, await answer);
    }
    if (path.startsWith(`${adminPaths.proposals}/`)) {
      const id = path.slice(adminPaths.proposals.length + 1);
      return send(response, 200, this.#answers.proposal(id));
    }
    const plain = this.#answers.plain[path];
    if (!plain) throw new ApiError('NOT_FOUND', `there is nothing at ${path.slice(0, 200)}`);
    send(response, 200, plain());
  }

  async #submit(request: IncomingMessage): Promise<unknown> {
    if (request.headers['content-type'] !== coseMediaType) {
      throw new ApiError('UNSUPPORTED_MEDIA_TYPE', `send ${coseMediaType}`, {
        expected: coseMediaType,
      });
    }
    return this.#manager.governance.submit(await readBody(request, maxMessageBytes));
  }

  #watch(response: ServerResponse): void {
    if (this.#watchers.size >= maxWatchers) {
      throw new ApiError('OVERLOADED', 'too many event streams are open');
    }
    response.writeHead(200, { 'content-type': linesMediaType });
    response.flushHeaders();
    this.#watchers.add(response);
    response.on('close', () => this.#watchers.delete(response));
  }

  /** Tells event streams what a committed administrative block changed. */
  notify({ transactionId, timeMs, publicWrites }: Announcement): void {
    if (this.#watchers.size === 0) return;
    for (const writes of publicWrites) {
      if (writes.length === 0) continue;
      for (const event of eventsOfWrites(writes)) {
        const line = `${JSON.stringify({ transactionId, timeMs, event })}\n`;
        for (const watcher of this.#watchers) {
          watcher.write(line);
          if (watcher.writableLength > 1024 * 1024) watcher.destroy();
        }
      }
    }
  }

  /** Cuts the connections of actors that are no longer in the membership list. */
  cutOff(removed: (actor: ActorId) => boolean): void {
    for (const [socket, { actorId }] of this.#sockets) if (removed(actorId)) socket.destroy();
  }

  /** Cuts every connection and stops listening. */
  stop(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
    this.#tls.close();
    this.#http.close();
  }
}

function requireMethod(request: IncomingMessage, method: string): void {
  if (request.method === method) return;
  throw new ApiError('METHOD_NOT_ALLOWED', `use ${method} here`, { allowed: method });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > maxBytes) {
      throw new ApiError('PAYLOAD_TOO_LARGE', `at most ${maxBytes} bytes`, { maxBytes });
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function asApiError(error: unknown): unknown {
  if (!(error instanceof CodedError) || error instanceof ApiError) return error;
  const { code } = error;
  return isErrorCode(code) ? new ApiError(code, error.message, error.details) : error;
}
