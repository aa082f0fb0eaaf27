import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError, errorAnswer, isErrorCode } from '@concordat/api';
import { CodedError } from '@concordat/std';
import { discardRest } from './admin-request.ts';

/** A request of the administrative channel and what is answered to it. */
export interface AdminExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/**
 * Says why a request is refused; an answer that has begun, a stream of events whose past cannot be read
 * on, is cut instead.
 * @param log told of what is no refusal but a fault, and of answers that were cut
 */
export async function answerRefusal(
  { request, response }: AdminExchange,
  error: unknown,
  log: (why: string) => void,
): Promise<void> {
  const { status, body, retryAfterSeconds } = errorAnswer(asApiError(error));
  if (status === 500 || response.headersSent) log(String(error));
  if (response.headersSent) {
    response.destroy();
    return;
  }
  await discardRest(request);
  // What is still left of a refused request is not read: its connection ends with the answer.
  if (!request.complete || status === 401) response.setHeader('connection', 'close');
  if (retryAfterSeconds) response.setHeader('retry-after', String(retryAfterSeconds));
  send(response, status, body);
}

/** Answers JSON. */
export function send(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

function asApiError(error: unknown): unknown {
  if (!(error instanceof CodedError) || error instanceof ApiError) return error;
  const { code } = error;
  return isErrorCode(code) ? new ApiError(code, error.message, error.details) : error;
}
