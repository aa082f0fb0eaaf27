import { catalogueEntry, isErrorCode } from '@concordat/api';
import { CodedError } from '@concordat/std';

/** Why a command could not do what it was asked. */
export type CliErrorCode =
  | 'USAGE'
  | 'SANDBOX_RUNNING'
  | 'SANDBOX_MISSING'
  | 'SANDBOX_DAMAGED'
  | 'IMAGES_CHANGED'
  | 'NODE_FAILED'
  | 'TIMEOUT'
  | 'PORT_TAKEN'
  | 'VERIFICATION_FAILED'
  | 'MISMATCH';

/** A failure that a person at the command line can act on. */
export class CliError extends CodedError<CliErrorCode> {}

/** What is printed for a failed command: what happened, and what to do next. */
export function explain(error: unknown): string {
  if (!(error instanceof CodedError)) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  const remedy = isErrorCode(error.code) ? `\n  ${catalogueEntry(error.code).remedy}` : '';
  return `${error.code}: ${error.message}${remedy}`;
}
