import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Consistency } from '@concordat/api';
import type { Identity } from '@concordat/sdk';
import { DoorGuard, type DoorOptions, isPreflight } from './door-guard.ts';
import { GatewayError } from './errors.ts';
import { answerFailure, type Failure, refuseUpgrade } from './failure-answer.ts';
import { HttpRelay } from './http-relay.ts';
import { type GatewayLog, TargetPool } from './target-pool.ts';
import { WebSocketRelay } from './websocket-relay.ts';

/** How to offer a participant's access on this machine. */
export interface GatewayOptions extends DoorOptions {
  /** `host:port`; port 0 takes a free one. Default `127.0.0.1:8545`. */
  readonly listen?: string;
  /** `host:port` of the application ports of one or more nodes: the first one that serves is used. */
  readonly targets: readonly string[];
  /** As whom requests are sent. */
  readonly identity: Identity;
  /** PEM, pinned. */
  readonly networkCertificate: string;
  /** Connections of clients at once; default 1,024. */
  readonly maxConnections?: number;
  /** Milliseconds to connect to a node; default 3,000. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds until a node begins to answer; default 65,000. */
  readonly answerTimeoutMs?: number;
  /** How fresh answers are to requests that do not say it themselves; default `committed`. */
  readonly consistency?: Consistency;
  /** Told when another node is used. */
  readonly log?: GatewayLog;
}

/** A gateway that listens. */
export interface Gateway {
  /** `http://host:port`. */
  readonly url: string;
  /** `host:port` of the node in use. */
  readonly target: string;
  /**
   * Stops in good order: no new connections, requests on the way are answered, then all is cut.
   * @param graceMs how long to wait for answers; default 3,000
   */
  close(graceMs?: number): Promise<void>;
}

/**
 * Opens plain HTTP and WebSocket on this machine for programs that cannot do mutual TLS (wallets,
 * development tools), and forwards what they send to a node as the participant whose identity it
 * was given. Whoever reaches the port acts as that participant, so it listens to this machine only.
 * @throws GatewayError INVALID_OPTIONS, LISTEN_FAILED; SdkError INVALID_ADDRESS,
 *   INVALID_NETWORK_CERTIFICATE
 */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const { host, port } = readListen(options.listen ?? '127.0.0.1:8545');
  if (options.targets.length === 0) {
    throw new GatewayError('INVALID_OPTIONS', 'a gateway needs at least one target');
  }
  const connectTimeoutMs = options.connectTimeoutMs ?? 3_000;
  const pool = new TargetPool({ ...options, log: options.log ?? (() => {}) });
  const { answerTimeoutMs = 65_000, consistency = 'committed' } = options;
  const relayed = { connectTimeoutMs, answerTimeoutMs, consistency };
  const webSockets = new WebSocketRelay(pool, relayed);
  const server = createDoor({
    guard: new DoorGuard(options),
    http: new HttpRelay(pool, relayed),
    webSockets,
  });
  server.maxConnections = options.maxConnections ?? 1_024;
  const url = await listen(server, host, port);
  return {
    url,
    get target() {
      return pool.active;
    },
    close: (graceMs = 3_000) => stop(server, { pool, webSockets, graceMs }),
  };
}

/** The server that clients see. */
function createDoor({
  guard,
  http,
  webSockets,
}: {
  readonly guard: DoorGuard;
  readonly http: HttpRelay;
  readonly webSockets: WebSocketRelay;
}): Server {
  const server = createServer({
    headersTimeout: 10_000,
    requestTimeout: 120_000,
    keepAliveTimeout: 65_000,
    maxHeaderSize: 16_384,
    noDelay: true,
  });
  server.on('request', (request, response) => {
    const refusal = guard.refusal(request.headers) ?? badTarget(request.url);
    if (refusal !== undefined) {
      answerFailure(response, forbidden(refusal));
    } else if (isPreflight(request.method, request.headers)) {
      response.writeHead(204, guard.preflightHeaders(request.headers)).end();
    } else {
      void http.relay(request, response, guard.answerHeaders(request.headers));
    }
  });
  server.on('upgrade', (request, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    const refusal = guard.refusal(request.headers) ?? badTarget(request.url);
    if (refusal !== undefined) refuseUpgrade(socket, forbidden(refusal));
    else if (request.headers.upgrade?.toLowerCase() === 'websocket') {
      void webSockets.relay(request, socket, head);
    } else {
      const message = 'the gateway forwards no upgrade but to WebSocket';
      refuseUpgrade(socket, { code: 'MALFORMED_REQUEST', message });
    }
  });
  return server;
}

const forbidden = (message: string): Failure => ({ code: 'FORBIDDEN', message });

const badTarget = (url = ''): string | undefined =>
  url.startsWith('/') ? undefined : 'the gateway is no proxy: ask for a path';

function readListen(listen: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/\s]+)):(\d{1,5})$/.exec(listen);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host !== undefined && port <= 65_535) return { host, port };
  throw new GatewayError('INVALID_OPTIONS', `listen: ${listen.slice(0, 100)} is not host:port`);
}

async function listen(server: Server, host: string, port: number): Promise<string> {
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'EADDRINUSE' ? 'something else listens there' : code;
    throw new GatewayError('LISTEN_FAILED', `cannot listen at ${host}:${port}: ${why}`, { code });
  }
  const actual = (server.address() as AddressInfo).port;
  return `http://${host.includes(':') ? `[${host}]` : host}:${actual}`;
}

async function stop(
  server: Server,
  {
    pool,
    webSockets,
    graceMs,
  }: {
    readonly pool: TargetPool;
    readonly webSockets: WebSocketRelay;
    readonly graceMs: number;
  },
): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  webSockets.close();
  // A connection whose last request was just answered is idle only from now on.
  const idle = setInterval(() => server.closeIdleConnections(), 20);
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearInterval(idle);
  clearTimeout(timer);
  pool.close();
}
