import { CodedError } from '@concordat/std';
import { catalogueEntry, type ErrorCode, isErrorCode } from './error-catalogue.ts';

/** The JSON body of every HTTP answer that is an error. */
export interface ErrorBody {
  readonly error: {
    readonly code: string;
    /** A sentence about this very case; never a secret, key or plaintext. */
    readonly message: string;
    readonly details?: Readonly<Record<string, unknown>>;
  };
}

/** An error with a code of the catalogue, so with an HTTP status. */
export class ApiError extends CodedError<ErrorCode> {
  /** HTTP status, 0 where the code is never an HTTP answer. */
  get status(): number {
    return catalogueEntry(this.code).status;
  }
}

/** The body for a code; without details when they are absent or empty. */
export const errorBody = (
  code: ErrorCode,
  message: string = catalogueEntry(code).meaning,
  details?: Readonly<Record<string, unknown>>,
): ErrorBody =>
  details !== undefined && Object.keys(details).length > 0
    ? { error: { code, message, details } }
    : { error: { code, message } };

/** An error answer: status, body, and seconds for Retry-After where trying again makes sense. */
export interface ErrorAnswer {
  readonly status: number;
  readonly body: ErrorBody;
  readonly retryAfterSeconds?: number;
}

/**
 * The answer for anything thrown: a coded error of the catalogue as it is, anything else as
 * INTERNAL_ERROR without its message, which may hold what is not the client's to know.
 */
export function errorAnswer(error: unknown): ErrorAnswer {
  if (error instanceof CodedError && isErrorCode(error.code)) {
    const { status, retryable } = catalogueEntry(error.code);
    const body = errorBody(error.code, error.message, error.details);
    return { status: status || 500, body, ...(retryable && { retryAfterSeconds: 1 }) };
  }
  return { status: 500, body: errorBody('INTERNAL_ERROR') };
}

/**
 * Reads an error body; undefined when the value is not one. For clients. Details that are a list, as
 * CCF has them, are under `list`.
 */
export function parseErrorBody(value: unknown): ErrorBody | undefined {
  const error = (value as { error?: unknown } | null | undefined)?.error;
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, message, details } = error as Record<string, unknown>;
  if (typeof code !== 'string' || typeof message !== 'string') return undefined;
  if (details === undefined) return { error: { code, message } };
  if (typeof details !== 'object' || details === null) return undefined;
  if (Array.isArray(details)) return { error: { code, message, details: { list: details } } };
  return { error: { code, message, details: details as Record<string, unknown> } };
}
