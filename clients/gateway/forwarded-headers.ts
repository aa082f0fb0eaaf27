import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { type Consistency, consistencyHeader } from '@concordat/api';

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

/** Headers a request is forwarded with; `consistency` where the request names none itself. */
export function requestHeaders(
  headers: IncomingHttpHeaders,
  consistency: Consistency = 'committed',
): OutgoingHttpHeaders {
  const named = namedByConnection(headers);
  const forwarded = consistencyOf(headers, consistency);
  for (const [name, value] of Object.entries(headers)) {
    if (hopByHop.has(name) || localOnly.has(name) || named.has(name)) continue;
    if (name.startsWith('sec-') || name.startsWith('access-control-')) continue;
    forwarded[name] = value;
  }
  // Node frames the body of no GET or DELETE by itself, and an unframed body is another request.
  if (headers['transfer-encoding'] !== undefined) forwarded['transfer-encoding'] = 'chunked';
  return forwarded;
}

/** Headers an answer is handed on with. */
export function answerHeaders(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const named = namedByConnection(headers);
  const forwarded: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(headers)) {
    if (hopByHop.has(name) || named.has(name) || name.startsWith('access-control-')) continue;
    forwarded[name] = value;
  }
  return forwarded;
}

/** Headers a WebSocket handshake is forwarded with (RFC 6455, section 4.1). */
export function handshakeHeaders(
  headers: IncomingHttpHeaders,
  consistency: Consistency = 'committed',
): OutgoingHttpHeaders {
  const forwarded: OutgoingHttpHeaders = {
    ...consistencyOf(headers, consistency),
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

const namedByConnection = ({ connection = '' }: IncomingHttpHeaders): ReadonlySet<string> =>
  new Set(connection.split(',').map((name) => name.trim().toLowerCase()));
