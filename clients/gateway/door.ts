import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { ApiError, errorAnswer } from '@concordat/api';
import { type DoorGuard, isPreflight } from './door-guard.ts';
import type { EndUserDesk } from './end-users/end-user-desk.ts';
import { FrameWatch } from './end-users/frame-watch.ts';
import { holdSocket } from './end-users/held-socket.ts';
import { browserHeaders } from './end-users/pages.ts';
import type { SignInDesk } from './end-users/sign-in-desk.ts';
import { answerFailure, type Failure, refuseUpgrade, tooLarge } from './failure-answer.ts';
import type { HttpRelay, RelayedRequest } from './http-relay.ts';
import type { WebSocketRelay } from './websocket-relay.ts';

/** Certificate and key that clients meet, PEM. */
export interface DoorTls {
  readonly certificate: string;
  readonly key: string;
}

/** What stands behind a door. */
export interface DoorParts {
  readonly guard: DoorGuard;
  readonly http: HttpRelay;
  readonly webSockets: WebSocketRelay;
  /** Where end users are told apart; absent: whoever reaches the door acts as the participant. */
  readonly endUsers?: { readonly desk: EndUserDesk; readonly signIn: SignInDesk };
  readonly tls?: DoorTls | undefined;
  /** Bytes of a request's body; absent: what nodes take. */
  readonly maxBodyBytes?: number | undefined;
}

const serverLimits = {
  headersTimeout: 10_000,
  requestTimeout: 120_000,
  keepAliveTimeout: 65_000,
  maxHeaderSize: 16_384,
  noDelay: true,
} as const;

/** The server that clients see. */
export function createDoor(parts: DoorParts): Server {
  const { tls, guard, webSockets } = parts;
  const server = tls
    ? createSecureServer({
        ...serverLimits,
        cert: tls.certificate,
        key: tls.key,
        minVersion: 'TLSv1.2',
        handshakeTimeout: 10_000,
      })
    : createServer(serverLimits);
  server.on('request', (request, response) => void serve(request, response, parts));
  server.on('upgrade', (request, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    const refusal = guard.refusal(request.headers) ?? badTarget(request.url);
    if (refusal !== undefined) refuseUpgrade(socket, forbidden(refusal));
    else if (request.headers.upgrade?.toLowerCase() === 'websocket') {
      void open(request, { socket, head }, parts.endUsers?.desk, webSockets);
    } else {
      const message = 'the gateway forwards no upgrade but to WebSocket';
      refuseUpgrade(socket, { code: 'MALFORMED_REQUEST', message });
    }
  });
  return server;
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { guard, http, endUsers, maxBodyBytes }: DoorParts,
): Promise<void> {
  const refusal = guard.refusal(request.headers) ?? badTarget(request.url);
  const headers = { ...guard.answerHeaders(request.headers), ...(endUsers && browserHeaders) };
  if (refusal !== undefined) {
    answerFailure(response, forbidden(refusal));
  } else if (isPreflight(request.method, request.headers)) {
    response.writeHead(204, guard.preflightHeaders(request.headers)).end();
  } else if (Number(request.headers['content-length']) > (maxBodyBytes ?? Infinity)) {
    answerFailure(response, tooLarge(maxBodyBytes ?? 0), { headers });
  } else if (endUsers === undefined) {
    await forward(http, { request, response }, { headers, maxBodyBytes });
  } else {
    try {
      if (await endUsers.signIn.serve(request, response)) return;
      const attributed = await endUsers.desk.admit(request, 'http');
      if (response.destroyed) return;
      await forward(http, { request, response }, { headers, maxBodyBytes, attributed });
    } catch (error) {
      const failure = failureOf(error, endUsers.desk);
      const isToken = failure.code.startsWith('TOKEN_') || failure.code === 'SIGN_IN_REQUIRED';
      const challenge = isToken && { 'www-authenticate': challengeOf(failure) };
      answerFailure(response, failure, { headers: { ...headers, ...challenge } });
    }
  }
}

/** What a node answers may be anything: nothing of it ends more than the request. */
async function forward(
  http: HttpRelay,
  { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
  relayed: RelayedRequest,
): Promise<void> {
  try {
    await http.relay(request, response, relayed);
  } catch {
    const message = 'the node answered what cannot be handed on';
    const failure: Failure = { code: 'FORWARDING_FAILED', message, status: 502 };
    answerFailure(response, failure, relayed);
  }
}

async function open(
  request: IncomingMessage,
  { socket, head }: { readonly socket: Duplex; readonly head: Buffer },
  desk: EndUserDesk | undefined,
  webSockets: WebSocketRelay,
): Promise<void> {
  try {
    const attributed = await desk?.admit(request, 'websocket');
    const frames = new FrameWatch();
    const heard = desk && ((part: Buffer) => frames.take(part));
    await webSockets.relay(request, socket, { head, attributed, heard });
    if (desk && attributed) holdSocket(socket, attributed, { desk, frames });
  } catch (error) {
    refuseUpgrade(socket, failureOf(error, desk));
  }
}

function failureOf(error: unknown, desk: EndUserDesk | undefined): Failure {
  if (error instanceof ApiError) {
    const { code, message, details } = error;
    if (code.startsWith('IDENTITY_PROVIDER_') || code === 'SIGN_IN_REFUSED') {
      desk?.log('gateway.sign-in-failed', { code, why: message });
    }
    return { code, message, details };
  }
  const { name, message: why } = error as Error;
  desk?.log('gateway.failed', { error: name, why });
  const { message } = errorAnswer(error).body.error;
  return { code: 'INTERNAL_ERROR', message };
}

/** RFC 6750, section 3. */
const challengeOf = ({ code }: Failure): string =>
  code === 'SIGN_IN_REQUIRED' ? 'Bearer' : 'Bearer error="invalid_token"';

const forbidden = (message: string): Failure => ({ code: 'FORBIDDEN', message });

const badTarget = (url = ''): string | undefined =>
  url.startsWith('/') ? undefined : 'the gateway is no proxy: ask for a path';
