import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { Consistency } from '@concordat/api';
import type { Identity } from '@concordat/sdk';
import { createDoor, type DoorTls } from './door.ts';
import { DoorGuard, type DoorOptions, isLoopback } from './door-guard.ts';
import { EndUserDesk } from './end-users/end-user-desk.ts';
import type { EndUserSettings } from './end-users/settings.ts';
import { SignInDesk } from './end-users/sign-in-desk.ts';
import { GatewayError } from './errors.ts';
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
  /** How end users are known; absent: whoever reaches the port acts as the participant. */
  readonly endUsers?: EndUserSettings;
  /** What clients meet; absent: plain HTTP, with `endUsers` on this machine alone. */
  readonly tls?: DoorTls;
  /** Bytes of a request's body; default: what nodes take. */
  readonly maxBodyBytes?: number;
  /** Milliseconds since 1970; default: this machine's clock. */
  readonly now?: () => number;
  /** Told when another node is used, and who signs in. */
  readonly log?: GatewayLog;
}

/** A gateway that listens. */
export interface Gateway {
  /** `http://host:port`, or `https:`. */
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
 * Opens HTTP and WebSocket for programs that cannot do mutual TLS, and forwards what they send to a node
 * as the participant whose identity it was given. Without end users whoever reaches the port acts as that
 * participant, so it listens to this machine only; with them it is the participant's front-end system
 * (paper, figure 4): requests go on for who has signed in.
 * @throws GatewayError INVALID_OPTIONS, LISTEN_FAILED; SdkError INVALID_ADDRESS,
 *   INVALID_NETWORK_CERTIFICATE
 */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const { host, port, pool } = prepare(options);
  const { endUsers: settings, tls, maxBodyBytes, log = () => {} } = options;
  const connectTimeoutMs = options.connectTimeoutMs ?? 3_000;
  const { answerTimeoutMs = 65_000, consistency = 'committed' } = options;
  const relayed = { connectTimeoutMs, answerTimeoutMs, consistency };
  const webSockets = new WebSocketRelay(pool, relayed);
  const desk = settings && new EndUserDesk(settings, { now: options.now ?? Date.now, log });
  const server = createDoor({
    guard: new DoorGuard(settings ? doorOf(settings) : options),
    http: new HttpRelay(pool, relayed),
    webSockets,
    ...(desk && { endUsers: { desk, signIn: new SignInDesk(desk) } }),
    tls,
    maxBodyBytes,
  });
  server.maxConnections = options.maxConnections ?? 1_024;
  const address = await listen(server, host, port);
  return {
    url: `${tls ? 'https' : 'http'}://${address}`,
    get target() {
      return pool.active;
    },
    close: (graceMs = 3_000) => {
      desk?.close();
      return stop(server, { pool, webSockets, graceMs });
    },
  };
}

/**
 * Refuses options that no gateway can be started with; opens nothing and asks nobody.
 * @throws as {@link createGateway}, LISTEN_FAILED aside
 */
export function checkGateway(options: GatewayOptions): void {
  prepare(options).pool.close();
}

/** All of a gateway that can be wrong before it listens. */
function prepare(options: GatewayOptions): {
  readonly host: string;
  readonly port: number;
  readonly pool: TargetPool;
} {
  const { host, port } = readListen(options.listen ?? '127.0.0.1:8545');
  const { targets, endUsers, tls, log = () => {} } = options;
  if (targets.length === 0) {
    throw new GatewayError('INVALID_OPTIONS', 'a gateway needs at least one target');
  }
  if (endUsers && !tls && !isLoopback(host.includes(':') ? `[${host}]` : host)) {
    const why = 'sessions and tokens go in the clear: listen on a loopback address, or give tls';
    throw new GatewayError('INVALID_OPTIONS', `listen: ${why}`);
  }
  if (tls) checkPair(tls);
  return { host, port, pool: new TargetPool({ ...options, log }) };
}

function checkPair({ certificate, key }: DoorTls): void {
  try {
    createSecureContext({ cert: certificate, key });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = `tls: these are no certificate and its key: ${code}`;
    throw new GatewayError('INVALID_OPTIONS', why, { code });
  }
}

/** With end users a page of this machine is a foreign page like any other. */
const doorOf = ({ publicUrl, allowedOrigins }: EndUserSettings): DoorOptions => ({
  ownOrigin: publicUrl,
  allowedOrigins,
  allowedHosts: [new URL(publicUrl).hostname],
});

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
  return `${host.includes(':') ? `[${host}]` : host}:${actual}`;
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
