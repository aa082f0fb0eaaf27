import {
  type IncomingMessage,
  Server,
  type ServerOptions,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { Duplex } from 'node:stream';
import {
  ApiError,
  type Consistency,
  catalogueEntry,
  consistencyHeader,
  type ErrorCode,
  errorAnswer,
  errorBody,
  idempotencyKeyHeader,
  parseConsistency,
  transactionIdHeader,
} from '@concordat/api';
import { isNobody } from '@concordat/bridge';
import { WebSocketServer } from 'ws';
import type { Account } from './accounts.ts';
import type { Actor } from './actors.ts';
import type { HttpResponse } from './adapter.ts';
import type { Dispatcher } from './dispatcher.ts';
import { nameOf } from './errors.ts';
import { SocketFrameStream } from './frame-stream.ts';
import type { WorkerLimits } from './limits.ts';
import { isRepeated, readTarget, type Target } from './path-guard.ts';
import type { ReadCallback } from './read-gate.ts';
import type { Route, Router } from './router.ts';
import type { SealedDoor } from './sealed-door.ts';
import type { StreamSocket } from './stream-socket.ts';
import { LimitedWebSocket } from './websocket.ts';

/** The Upgrade token of framed streams. */
export const streamProtocol = 'concordat-stream/1';

/** What the HTTP front needs of the worker around it. */
export interface HttpFrontOptions {
  readonly router: Router;
  readonly limits: WorkerLimits;
  readonly actorOf: (socket: Duplex) => { readonly actor: Actor; readonly account: Account };
  /** A connection became a framed stream. */
  readonly streamOpened: (socket: StreamSocket) => void;
  readonly isReady: () => boolean;
  readonly whenCurrent: (actor: Actor, done: ReadCallback) => void;
  /** Who answers HTTP requests. */
  readonly dispatcher: Dispatcher;
  /** Who opens sealed ones. */
  readonly sealed: SealedDoor;
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

/**
 * One HTTP server for every stream of the worker. It refuses what node:http lets through but
 * intermediaries read differently, bounds what a request may cost, and finds the endpoint.
 */
export class HttpFront {
  readonly #options: HttpFrontOptions;
  readonly #server: Server;
  readonly #webSockets: WebSocketServer;
  #openWebSockets = 0;
  /** Of bodies of requests not answered yet. */
  #bytesOfStrangers = 0;

  constructor(options: HttpFrontOptions) {
    this.#options = options;
    const { limits } = options;
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: limits.maxWebSocketMessageBytes,
      handleProtocols: () => false,
    });
    this.#server = new Server(serverOptions(limits), (request, response) => {
      void this.#request(request, response);
    });
    this.#server.maxHeadersCount = 100;
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#server.on('clientError', answerClientError);
    // The server never listens, but only a listening one enforces its time limits.
    this.#server.emit('listening');
  }

  /** WebSockets open now. */
  get openWebSockets(): number {
    return this.#openWebSockets;
  }

  /** Serves a connection. */
  serve(socket: StreamSocket): void {
    this.#server.emit('connection', socket);
  }

  close(): void {
    this.#server.close();
    this.#webSockets.close();
  }

  async #request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { actor, account } = this.#options.actorOf(request.socket);
    const { limits } = this.#options;
    const most = isNobody(actor.actorId)
      ? limits.maxRequestsOfStrangers
      : limits.maxRequestsPerActor;
    if (account.requests >= most) {
      refuse(response, 'OVERLOADED', 'too many requests of this actor are unanswered');
      return;
    }
    account.requests += 1;
    response.once('close', () => {
      account.requests -= 1;
    });
    const target = checkedTarget(request);
    if (target === undefined) {
      refuse(response, 'MALFORMED_REQUEST', 'the request target or a header is not acceptable');
      return;
    }
    try {
      await this.#route(request, response, { target, actor });
    } catch (error) {
      const { status, body } = errorAnswer(error);
      if (status === 500) this.#options.log('http.failed', { error: nameOf(error) });
      if (response.headersSent) response.destroy();
      else sendJson(response, status, body);
    }
  }

  async #route(
    request: IncomingMessage,
    response: ServerResponse,
    { target, actor }: { readonly target: Target; readonly actor: Actor },
  ): Promise<void> {
    const method = request.method ?? '';
    const isStranger = isNobody(actor.actorId);
    const { sealed, dispatcher } = this.#options;
    const headers = request.headers as Record<string, string | undefined>;
    const isSealed = sealed.isAt(target.path);
    const found = isSealed
      ? await sealed.before({ method, path: target.path, type: headers['content-type'] }, actor)
      : dispatcher.find(method, target.path, actor);
    if (found !== undefined && !('handle' in found)) {
      send(response, 'answer' in found ? found.answer : found);
      return;
    }
    const body = await this.#bodyOf(request, response, isStranger);
    if (body === undefined) {
      response.setHeader('connection', 'close');
      refuse(response, 'PAYLOAD_TOO_LARGE');
      return;
    }
    const answer = found
      ? await found.handle({ method, ...target, headers, body })
      : await sealed.answer(body, isStranger);
    send(response, answer);
  }

  /**
   * The whole body; undefined when it is larger than allowed.
   * @throws ApiError OVERLOADED when strangers send too much at a time
   */
  async #bodyOf(
    request: IncomingMessage,
    response: ServerResponse,
    isStranger: boolean,
  ): Promise<Buffer | undefined> {
    const { limits } = this.#options;
    if (!isStranger) return readBody(request, limits.maxBodyBytes);
    let held = 0;
    response.once('close', () => {
      this.#bytesOfStrangers -= held;
    });
    const take = (bytes: number): boolean => {
      held += bytes;
      this.#bytesOfStrangers += bytes;
      return this.#bytesOfStrangers <= limits.maxBodyBytesOfStrangers;
    };
    let isRefused = false;
    const body = await readBody(request, limits.maxBodyBytes, (bytes) => {
      isRefused ||= !take(bytes);
      return !isRefused;
    });
    if (isRefused) {
      response.setHeader('connection', 'close');
      throw new ApiError('OVERLOADED', 'too much is being sent without a client certificate');
    }
    return body;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const target = checkedTarget(request);
    const protocol = request.headers.upgrade?.toLowerCase();
    const consistency = consistencyOf(request);
    const { router, isReady } = this.#options;
    // Frames and messages have no place for a key: who sends one expects what is not kept.
    const isKeyed = request.headers[idempotencyKeyHeader] !== undefined;
    const { actor } = this.#options.actorOf(socket);
    if (isNobody(actor.actorId)) {
      refuseUpgrade(socket, 'CLIENT_CERTIFICATE_REQUIRED');
    } else if (target === undefined || consistency === undefined || isKeyed) {
      refuseUpgrade(socket, 'MALFORMED_REQUEST');
    } else if (!isReady()) {
      refuseUpgrade(socket, 'NODE_NOT_READY');
    } else if (protocol === 'websocket') {
      const route = router.find('websocket', target.path);
      if (route === undefined) refuseUpgrade(socket, 'NOT_FOUND');
      else this.#openWebSocket(request, { socket, head, route, path: target.path, consistency });
    } else if (protocol === streamProtocol) {
      const route = router.find('stream', target.path);
      if (route === undefined) refuseUpgrade(socket, 'NOT_FOUND');
      // The frames of a stream say it each for itself.
      else if (consistency === 'linearizable') refuseUpgrade(socket, 'MALFORMED_REQUEST');
      else this.#openStream(socket as StreamSocket, head, route);
    } else {
      refuseUpgrade(socket, 'MALFORMED_REQUEST');
    }
  }

  #openWebSocket(
    request: IncomingMessage,
    opened: {
      readonly socket: Duplex;
      readonly head: Buffer;
      readonly route: Route<'websocket'>;
      readonly path: string;
      readonly consistency: Consistency;
    },
  ): void {
    const { socket, head, route, path, consistency } = opened;
    const { limits, actorOf, whenCurrent } = this.#options;
    const { actor } = actorOf(socket);
    const offered = request.headers['sec-websocket-protocol']?.split(',').map((one) => one.trim());
    const spoken = route.endpoint.protocols?.find((protocol) => offered?.includes(protocol));
    this.#webSockets.options.handleProtocols = () => spoken ?? false;
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#openWebSockets += 1;
      webSocket.once('close', () => {
        this.#openWebSockets -= 1;
      });
      const limited = new LimitedWebSocket(webSocket, path, {
        limits,
        ...(consistency === 'linearizable' && {
          whenCurrent: (done: ReadCallback) => whenCurrent(actor, done),
        }),
      });
      route.endpoint.open(limited, actor, route.host);
    });
  }

  #openStream(socket: StreamSocket, head: Buffer, route: Route<'stream'>): void {
    const { limits, actorOf, streamOpened } = this.#options;
    const { actor } = actorOf(socket);
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${streamProtocol}\r\n\r\n`,
    );
    const stream = new SocketFrameStream(socket, limits.maxStreamFrameBytes);
    const sink = {
      onData: (bytes: Buffer) => stream.onData(bytes),
      onEnd: () => stream.onEnd(),
      onClose: () => stream.onClose(),
    };
    const ahead = socket.takeOver(sink);
    route.endpoint.open(stream, actor, route.host);
    streamOpened(socket);
    if (head.length > 0) stream.onData(head);
    if (ahead.length > 0) stream.onData(ahead);
  }
}

const serverOptions = (limits: WorkerLimits): ServerOptions => ({
  maxHeaderSize: limits.maxHeaderBytes,
  headersTimeout: limits.headersTimeoutMs,
  requestTimeout: limits.requestTimeoutMs,
  keepAliveTimeout: limits.keepAliveTimeoutMs,
  connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
  joinDuplicateHeaders: true,
  requireHostHeader: true,
  insecureHTTPParser: false,
});

/** The target of a request that has only one reading; else undefined. */
function checkedTarget(request: IncomingMessage): Target | undefined {
  const { rawHeaders, httpVersionMajor, headers } = request;
  if (httpVersionMajor !== 1) return undefined;
  if (isRepeated(rawHeaders, 'host') || isRepeated(rawHeaders, 'content-length')) return undefined;
  if (headers['transfer-encoding'] !== undefined && headers['content-length'] !== undefined) {
    return undefined;
  }
  if (!sameOrigin(headers.origin, headers.host)) return undefined;
  return readTarget(request.url ?? '');
}

/** How fresh the answer must be; undefined when the header's value is none (repeated, for one). */
const consistencyOf = ({ headers }: IncomingMessage): Consistency | undefined =>
  parseConsistency(headers[consistencyHeader] as string | undefined);

/** A browser that holds a client certificate must not be steered here by another site's page. */
function sameOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}

/**
 * The whole body; undefined when it is larger than allowed, or the client has gone.
 * @param take told of every part; false refuses it
 */
function readBody(
  request: IncomingMessage,
  maxBytes: number,
  take: (bytes: number) => boolean = () => true,
): Promise<Buffer | undefined> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > maxBytes) return Promise.resolve(undefined);
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Not `for await`: leaving such a loop early destroys the connection before it is answered.
  return new Promise((resolve) => {
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes || !take(chunk.length)) resolve(undefined);
      else chunks.push(chunk);
    });
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('close', () => resolve(undefined));
  });
}

function send(response: ServerResponse, answer: HttpResponse): void {
  const { status, headers, body, transactionId } = answer;
  for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value);
  if (transactionId !== undefined) response.setHeader(transactionIdHeader, transactionId);
  finish(response, status, body ?? '');
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.setHeader('content-type', 'application/json');
  finish(response, status, JSON.stringify(value));
}

function finish(response: ServerResponse, status: number, body: Uint8Array | string): void {
  response.statusCode = status;
  // What is confidential is not kept by caches, nor guessed to be another type.
  response.setHeader('cache-control', 'no-store');
  response.setHeader('x-content-type-options', 'nosniff');
  if (status === 503) response.setHeader('retry-after', '1');
  response.setHeader('content-length', Buffer.byteLength(body));
  // A request whose body was not read leaves the connection out of step.
  if (!response.req.complete) response.setHeader('connection', 'close');
  response.end(body);
}

function refuse(response: ServerResponse, code: ErrorCode, message?: string): void {
  const { status } = catalogueEntry(code);
  sendJson(response, status, errorBody(code, message));
}

function refuseUpgrade(socket: Duplex, code: ErrorCode): void {
  const { status } = catalogueEntry(code);
  socket.on('error', () => {});
  socket.end(rawAnswer(status, errorBody(code)));
}

/** Answers a connection that is to be closed without reading a request. */
export function rawAnswer(status: number, value: unknown): string {
  const body = JSON.stringify(value);
  const retry = status === 503 ? 'retry-after: 1\r\n' : '';
  return (
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/json\r\n` +
    `content-length: ${Buffer.byteLength(body)}\r\n${retry}connection: close\r\n\r\n${body}`
  );
}

const clientErrors: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
};

function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const code = clientErrors[error.code ?? ''] ?? 'MALFORMED_REQUEST';
  socket.end(rawAnswer(catalogueEntry(code).status, errorBody(code)), () => socket.destroy());
}
