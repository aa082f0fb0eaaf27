import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { catalogueEntry, type ErrorCode, errorBody } from '@concordat/api';
import { type RpcCall, rpcCalls } from './request-body.ts';

/** What went wrong with a request, as its client is told. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  /** HTTP status; default that of the catalogue. */
  readonly status?: number;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Server error of JSON-RPC 2.0, section 5.1. */
const rpcServerError = -32000;

/**
 * The body of a failure: to JSON-RPC calls a JSON-RPC error under the id asked with, one for each
 * call of a batch, so that wallets and libraries show its message; else the error body of nodes.
 */
export function failureBody(failure: Failure, requestBody: Buffer | undefined): string {
  const { code, message, details } = failure;
  const calls = rpcCalls(requestBody);
  if (!calls) return JSON.stringify(errorBody(code, message, details));
  const error = { code: rpcServerError, message, data: { code, ...details } };
  const answers = calls.map(({ id }: RpcCall) => ({ jsonrpc: '2.0', id: id ?? null, error }));
  const isBatch = requestBody?.toString('utf8').trimStart().startsWith('[');
  return JSON.stringify(isBatch ? answers : answers[0]);
}

/** Answers a request with a failure, unless its answer has begun: then it is cut. */
export function answerFailure(
  response: ServerResponse<IncomingMessage>,
  failure: Failure,
  given: { readonly headers?: OutgoingHttpHeaders; readonly requestBody?: Buffer | undefined } = {},
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const status = failure.status ?? catalogueEntry(failure.code).status;
  const body = failureBody(failure, given.requestBody);
  response.writeHead(status, {
    ...given.headers,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...(status === 503 && { 'retry-after': '1' }),
    // A request whose body was not read leaves the connection out of step.
    ...(!response.req.complete && { connection: 'close' }),
  });
  response.end(body);
}

/** Answers a connection that asked for an upgrade with a failure, and ends it. */
export function refuseUpgrade(socket: Duplex, failure: Failure): void {
  const status = failure.status ?? catalogueEntry(failure.code).status;
  const body = failureBody(failure, undefined);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

/** The body has more bytes than a door takes. */
export const tooLarge = (maxBytes: number): Failure => ({
  code: 'PAYLOAD_TOO_LARGE',
  message: `a body has at most ${maxBytes} bytes`,
  details: { maxBytes },
});
