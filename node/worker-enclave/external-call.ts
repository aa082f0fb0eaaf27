import { CodedError } from '@concordat/std';

/** A system that the constitution lists, as the manager tells the worker. */
export interface ExternalSystem {
  readonly name: string;
  /** `https://host:port` */
  readonly origin: string;
  /** Ids of the adapters whose applications may call it. */
  readonly adapters: readonly string[];
  /** PEM of what it is known by; empty: by the roots that the runtime brings along. */
  readonly certificates: readonly string[];
  /** From the connection to the whole answer, milliseconds. */
  readonly timeoutMs: number;
  readonly maxRequestBytes: number;
  readonly maxAnswerBytes: number;
  /** Calls of one worker at a time. */
  readonly maxCalls: number;
}

/** One call of an application to a system outside of the network. */
export interface ExternalCall {
  /** Name of the system in the constitution. */
  readonly system: string;
  readonly method: string;
  /** Path and query, beginning with `/`; visible ASCII. */
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/** What the system answered, whatever its status; a redirection is an answer like any other. */
export interface ExternalAnswer {
  /** 200 to 599. */
  readonly status: number;
  /** Lower-case names, in the order they came. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/** Why a call has no answer; each is in the catalogue of `core/api`. */
export const externalErrorCodes = [
  'EXTERNAL_SYSTEM_NOT_LISTED',
  'EXTERNAL_REQUEST_INVALID',
  'EXTERNAL_OVERLOADED',
  'EXTERNAL_UNREACHABLE',
  'EXTERNAL_CERTIFICATE_REFUSED',
  'EXTERNAL_TLS_FAILED',
  'EXTERNAL_CONNECTION_LOST',
  'EXTERNAL_TIMEOUT',
  'EXTERNAL_ANSWER_TOO_LARGE',
  'EXTERNAL_ANSWER_MALFORMED',
] as const;

/** One of them. */
export type ExternalErrorCode = (typeof externalErrorCodes)[number];

/** A call that has no answer. */
export class ExternalError extends CodedError<ExternalErrorCode> {}

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);
const maxPathLength = 8_192;
const maxHeaders = 50;
const maxHeaderBytes = 8_192;
/** They say how the message is framed or where it goes: that is not for the application to say. */
const ownHeaders = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Refuses what is no request to one path of this very system.
 * @throws ExternalError EXTERNAL_REQUEST_INVALID
 */
export function checkExternalCall(call: ExternalCall, { maxRequestBytes }: ExternalSystem): void {
  const { method, path, headers, body } = call;
  const invalid = (why: string): ExternalError =>
    new ExternalError('EXTERNAL_REQUEST_INVALID', why);
  if (!methods.has(method)) throw invalid(`the method is one of ${[...methods].join(', ')}`);
  if (!/^\/[\x21-\x7e]*$/.test(path) || path.includes('#') || path.length > maxPathLength) {
    throw invalid(
      'the path begins with / and is visible ASCII without #, at most 8,192 characters',
    );
  }
  if (body.length > maxRequestBytes) throw invalid(`a body has at most ${maxRequestBytes} bytes`);
  if (body.length > 0 && (method === 'GET' || method === 'HEAD')) {
    throw invalid(`a ${method} has no body`);
  }
  let bytes = 0;
  for (const [name, value] of headers) {
    bytes += name.length + value.length;
    const wellFormed = /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name) && /^[\x20-\x7e]*$/.test(value);
    if (!wellFormed) throw invalid('a header is not well-formed; names are in lower case');
    if (ownHeaders.has(name) || name.startsWith('proxy-')) {
      throw invalid(`the header ${name} is not for an application to set`);
    }
  }
  if (headers.length > maxHeaders || bytes > maxHeaderBytes) throw invalid('too many headers');
}
