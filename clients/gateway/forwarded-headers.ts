import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { type Consistency, consistencyHeader, endUserHeader } from '@concordat/api';

/** For whom a request goes on, where the gateway knows end users. */
export interface Attributed {
  /** Value of the end user's header. */
  readonly claim?: string;
  /** Bearer token for the application. */
  readonly token?: string;
}

/** Headers of one connection, not of the message (RFC 9110, section 7.6.1). */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What concerns the browser and this machine only: a node has its own view of hosts and origins. */
const localOnly: ReadonlySet<string> = new Set(['host', 'origin', 'referer', 'cookie', 'expect']);

/**
 * Headers a request is forwarded with; `consistency` where the request names none itself. Which end user
 * asks is for the gateway to say: what clients say of it is dropped.
 */
export function requestHeaders(
  headers: IncomingHttpHeaders,
  consistency: Consistency = 'committed',
  attributed?: Attributed,
): OutgoingHttpHeaders {
  const named = namedByConnection(headers);
  const forwarded = consistencyOf(headers, consistency);
  for (const [name, value] of Object.entries(headers)) {
    if (hopByHop.has(name) || localOnly.has(name) || named.has(name)) continue;
    if (name.startsWith('sec-') || name.startsWith('access-control-')) continue;
    if (name === endUserHeader || (attributed && credentials.has(name))) continue;
    forwarded[name] = value;
  }
  Object.assign(forwarded, attributedHeaders(attributed));
  // Node frames the body of no GET or DELETE by itself, and an unframed body is another request.
  if (headers['transfer-encoding'] !== undefined) forwarded['transfer-encoding'] = 'chunked';
  return forwarded;
}

/** What an end user shows to the gateway is not the network's to see. */
const credentials: ReadonlySet<string> = new Set(['authorization', 'concordat-session']);

const attributedHeaders = ({ claim, token }: Attributed = {}): OutgoingHttpHeaders => ({
  ...(claim !== undefined && { [endUserHeader]: claim }),
  ...(token !== undefined && { authorization: `Bearer ${token}` }),
});

/** Headers an answer is handed on with; a page that knows end users gets its cookies from the gateway. */
export function answerHeaders(
  headers: IncomingHttpHeaders,
  attributed?: Attributed,
): OutgoingHttpHeaders {
  const named = namedByConnection(headers);
  const forwarded: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(headers)) {
    if (hopByHop.has(name) || named.has(name) || name.startsWith('access-control-')) continue;
    if (attributed && ofThisOrigin.has(name)) continue;
    forwarded[name] = value;
  }
  return forwarded;
}

/** Answers that would change what the browser keeps of the gateway's origin. */
const ofThisOrigin: ReadonlySet<string> = new Set([
  'set-cookie',
  'clear-site-data',
  'service-worker-allowed',
]);

/** Headers a WebSocket handshake is forwarded with (RFC 6455, section 4.1). */
export function handshakeHeaders(
  headers: IncomingHttpHeaders,
  consistency: Consistency = 'committed',
  attributed?: Attributed,
): OutgoingHttpHeaders {
  const forwarded: OutgoingHttpHeaders = {
    ...consistencyOf(headers, consistency),
    ...attributedHeaders(attributed),
    connection: 'Upgrade',
    upgrade: 'websocket',
  };
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith('sec-websocket-')) forwarded[name] = value;
  }
  return forwarded;
}

function consistencyOf(headers: IncomingHttpHeaders, other: Consistency): OutgoingHttpHeaders {
  const asked = headers[consistencyHeader];
  if (asked !== undefined) return { [consistencyHeader]: asked };
  return other === 'committed' ? {} : { [consistencyHeader]: other };
}

/** What `connection` names beside them; never the length of a body, which would be another request then. */
function namedByConnection({ connection = '' }: IncomingHttpHeaders): ReadonlySet<string> {
  const names = new Set(connection.split(',').map((name) => name.trim().toLowerCase()));
  names.delete('content-length');
  return names;
}
