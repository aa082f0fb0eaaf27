import { CodedError } from '@concordat/std';

/** Why a bundle is refused; details name file and line where there are any. */
export type BundleErrorCode =
  | 'BUNDLE_MALFORMED'
  | 'BUNDLE_TOO_LARGE'
  | 'UNKNOWN_PROPERTY'
  | 'UNKNOWN_POLICY'
  | 'UNSUPPORTED'
  | 'PATH_INVALID'
  | 'PATHS_COLLIDE'
  | 'MODULE_MISSING'
  | 'MODULE_CYCLE'
  | 'DYNAMIC_IMPORT'
  | 'SYNTAX_ERROR'
  | 'FUNCTION_MISSING';

/** A bundle that cannot be run; the message begins with `file:line: ` where it is about a line. */
export class BundleError extends CodedError<BundleErrorCode> {}

/** Makes an error that says where. @param line from 1 */
export function bundleError(
  code: BundleErrorCode,
  why: string,
  at?: { readonly file: string; readonly line?: number },
): BundleError {
  if (at === undefined) return new BundleError(code, why);
  const place = at.line === undefined ? at.file : `${at.file}:${at.line}`;
  return new BundleError(code, `${place}: ${why}`, at);
}

/** What went wrong in the protocol between a worker enclave and an application's process. */
export class ProcessError extends CodedError<'PROTOCOL' | 'ENDED' | 'NOT_UP' | 'UNFINISHED'> {}
