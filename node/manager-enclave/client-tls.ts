import { constants } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { catalogueEntry, type ErrorCode, errorBody } from '@concordat/api';

/** A refused client has this long to read why, ms. */
const refusalTimeoutMs = 2_000;

/** Node's TLS server options for client channels: the actor is judged after the handshake. */
export function clientTlsOptions(credentials: { key: string; certificate: string }) {
  return {
    key: credentials.key,
    cert: credentials.certificate,
    requestCert: true,
    // A refused client gets a readable answer, so the certificate is judged after the handshake.
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3' as const,
    handshakeTimeout: 5_000,
    // A resumed session carries no certificates above the leaf, and staff need theirs.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** Answers a client that may not be here with one readable HTTP response, whatever it asked. */
export function refuseClient(socket: TLSSocket, code: ErrorCode, message: string): void {
  const body = JSON.stringify(errorBody(code, message));
  const status =
    catalogueEntry(code).status === 503 ? '503 Service Unavailable' : '401 Unauthorized';
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
  // Read on so that what the client still sends does not reset the answer away.
  socket.resume();
  setTimeout(() => socket.destroy(), refusalTimeoutMs).unref();
}
