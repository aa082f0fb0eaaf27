import { type ErrorCode, errorCatalogue, isErrorCode, parseErrorBody } from '@concordat/api';
import { CodedError } from '@concordat/std';

/**
 * Failures this side of the wire; whatever a node answers carries a code of the catalogue instead.
 * - `INVALID_IDENTITY`: certificate and key cannot be read or do not belong together.
 * - `INVALID_NETWORK_CERTIFICATE`: what was given to pin is not one PEM certificate.
 * - `INVALID_ADDRESS`: not `host:port`.
 * - `UNREACHABLE`: no connection; the request was not sent.
 * - `NOT_TLS`: who answers at the address does not speak TLS 1.3.
 * - `INVALID_PINNED_CODE`: what was given to pin is no list of measurements and platforms.
 * - `EVIDENCE_REFUSED`: the node did not prove that it runs pinned code; `details.reason` says what
 *   failed.
 * - `NODE_NOT_VERIFIED`: who answers is not the node that proved itself; nothing was sent.
 * - `NO_NODE`: none of the addresses has a node that can be used; `details.nodes` says why.
 * - `SERVER_CERTIFICATE_INVALID`: the node's certificate is expired or not yet valid.
 * - `CERTIFICATE_REFUSED`: the server ended the handshake because of our certificate.
 * - `CONNECTION_LOST`: the connection broke before the answer; the request may have had its effect.
 * - `TIMEOUT`: no answer in time; the request may have had its effect.
 * - `CLOSED`: this client was closed.
 * - `TOO_MANY_IN_FLIGHT`: more requests than the client may have unanswered; it was not sent.
 * - `UNEXPECTED_ANSWER`: the answer does not have the form of the protocol.
 * - `RECEIPT_INVALID`: a node handed over a receipt that does not prove the transaction.
 * - `RPC_ERROR`: a JSON-RPC error answer; `details` holds its `code`, `message` and `data`.
 * - `NO_ADMIN_CLIENT`: the call asks the administrative channel, but no client of it was given.
 * - `UNSEALED_ANSWER`: a sealed request was answered in the clear, by the node or by whoever carries it;
 *   `details` holds its `status` and, where it names one, `serverCode`. It proves nothing: the request
 *   may have had its effect.
 * - `SEALED_REPLY_INVALID`: the sealed reply does not open: it was altered, or is of another request.
 * - `REQUEST_KEY_REFUSED`: the key to seal requests to is not lately endorsed by the pinned network.
 */
export type ClientErrorCode =
  | 'INVALID_IDENTITY'
  | 'INVALID_NETWORK_CERTIFICATE'
  | 'INVALID_ADDRESS'
  | 'UNREACHABLE'
  | 'NOT_TLS'
  | 'INVALID_PINNED_CODE'
  | 'EVIDENCE_REFUSED'
  | 'NODE_NOT_VERIFIED'
  | 'NO_NODE'
  | 'SERVER_CERTIFICATE_INVALID'
  | 'CERTIFICATE_REFUSED'
  | 'CONNECTION_LOST'
  | 'TIMEOUT'
  | 'CLOSED'
  | 'TOO_MANY_IN_FLIGHT'
  | 'UNEXPECTED_ANSWER'
  | 'RECEIPT_INVALID'
  | 'RPC_ERROR'
  | 'UNSEALED_ANSWER'
  | 'SEALED_REPLY_INVALID'
  | 'REQUEST_KEY_REFUSED'
  | 'NO_ADMIN_CLIENT';

/** The error of this room: a code of its own, or the code of the catalogue a node answered with. */
export class SdkError extends CodedError<ClientErrorCode | ErrorCode> {}

/**
 * Whether the same request may succeed later, unchanged, and a read is worth trying again. For a
 * request that changes something only `isUntouched` says that a second one is not a duplicate.
 */
export const isTransient = (error: unknown): boolean =>
  error instanceof SdkError &&
  (transient.has(error.code) || (isErrorCode(error.code) && isRetryable(error.code)));

const transient: ReadonlySet<string> = new Set(['UNREACHABLE', 'CONNECTION_LOST']);

/** That a transaction is pending is an answer, not a failure. */
const isRetryable = (code: ErrorCode): boolean =>
  code !== 'TRANSACTION_PENDING' && 'retryable' in errorCatalogue[code];

/**
 * Whether a failed request may be sent again that the network executes once: with an idempotency key,
 * or because it changes nothing.
 */
export const mayRepeat = (error: unknown): boolean =>
  isTransient(error) ||
  (error instanceof SdkError && (outcomeUnknown.has(error.code) || isOutage(error)));

const outcomeUnknown: ReadonlySet<string> = new Set([
  'TIMEOUT',
  'TRANSACTION_UNKNOWN',
  'SEALED_REPLY_INVALID',
]);

/** What a proxy says whose node is away. */
const isOutage = ({ code, details }: SdkError): boolean =>
  code === 'UNSEALED_ANSWER' && Number(details.status) >= 500;

/** Whether the failed request certainly had and will have no effect. */
export const isUntouched = (error: unknown): boolean =>
  error instanceof SdkError && untouched.has(error.code);

const untouched: ReadonlySet<string> = new Set([
  'UNREACHABLE',
  'NOT_TLS',
  'WRONG_NETWORK',
  'EVIDENCE_REFUSED',
  'NODE_NOT_VERIFIED',
  'NO_NODE',
  'SERVER_CERTIFICATE_INVALID',
  'CERTIFICATE_REFUSED',
  'TOO_MANY_IN_FLIGHT',
  'CLIENT_CERTIFICATE_REQUIRED',
  'CLIENT_CERTIFICATE_EXPIRED',
  'CLIENT_CERTIFICATE_NOT_YET_VALID',
  'CLIENT_CERTIFICATE_INVALID',
  'UNKNOWN_ACTOR',
  'NODE_NOT_READY',
  'NODE_STOPPING',
  'NODE_QUARANTINED',
  'WORKER_UNAVAILABLE',
  'LEADER_UNKNOWN',
  'NOT_LEADER',
  'FORWARDING_FAILED',
  'OVERLOADED',
  'READ_NOT_CONFIRMED',
  'TRANSACTION_LOST',
]);

/** The error for an HTTP answer that is no success: what its body says, or the bare status. */
export function errorOfAnswer(status: number, body: Uint8Array): SdkError {
  const json = parseJson(body);
  const parsed = parseErrorBody(json);
  if (parsed) {
    const { code, message, details = {} } = parsed.error;
    if (isErrorCode(code)) return new SdkError(code, message, { ...details, status });
    return new SdkError('UNEXPECTED_ANSWER', message, { ...details, status, serverCode: code });
  }
  const { jsonrpc, error } = (json ?? {}) as { jsonrpc?: unknown; error?: unknown };
  if (jsonrpc === '2.0' && error) return rpcError(error, { status });
  return new SdkError('UNEXPECTED_ANSWER', `the node answered HTTP status ${status}`, { status });
}

/** The error for the `error` member of a JSON-RPC answer (JSON-RPC 2.0, section 5.1). */
export function rpcError(
  error: unknown,
  details: Readonly<Record<string, unknown>> = {},
): SdkError {
  const { code, message, data } = (error ?? {}) as Record<string, unknown>;
  const text = typeof message === 'string' ? message : 'the call failed';
  const told = { code, message: text, ...(data !== undefined && { data }) };
  return new SdkError('RPC_ERROR', text, { ...details, ...told });
}

/** The JSON of some bytes; undefined when they are none. */
export function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8'));
  } catch {
    return undefined;
  }
}
