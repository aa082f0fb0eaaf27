/** What ends a request with an error answer: nothing of it is written. */
export class AppFailure extends Error {
  readonly code: string;
  /** HTTP status, 400 to 599. */
  readonly status: number;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(
    code: string,
    status: number,
    message: string,
    details?: Readonly<Record<string, unknown>>,
  ) {
    super(message);
    this.code = code;
    this.status = status;
    this.details = details;
  }
}

/** Codes that this framework itself answers with; an application's own are its own. */
export type FrameworkCode =
  | 'InvalidInput'
  | 'InvalidPageToken'
  | 'UnsupportedContentType'
  | 'AuthorizationFailed'
  | 'PastNotReady';

/**
 * Ends the request: it is answered with this code and writes nothing.
 * @param code a word of the application's own, such as `NoSuchAccount`
 * @param status 400 to 599
 * @param details what the answer carries beside the message
 * @throws AppFailure always
 */
export function fail(
  code: string,
  status: number,
  message: string,
  details?: Readonly<Record<string, unknown>>,
): never {
  if (!Number.isInteger(status) || status < 400 || status > 599) {
    throw new TypeError(`${code}: the status of a failure is from 400 to 599`);
  }
  throw new AppFailure(code, status, message, details);
}

/** Refuses what a client gave. @param path where it stands, such as `body.amount` */
export const invalidInput = (path: string, why: string): AppFailure =>
  new AppFailure('InvalidInput', 400, `${path}: ${why}`, { path });

/** Why a definition cannot be served. */
export type DefinitionErrorCode =
  | 'TABLE_INVALID'
  | 'ENDPOINT_INVALID'
  | 'PATH_INVALID'
  | 'PATHS_COLLIDE'
  | 'SCHEMA_INVALID';

/** A mistake in an application's definition, thrown where it is made. */
export class DefinitionError extends Error {
  readonly code: DefinitionErrorCode;

  constructor(code: DefinitionErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
