import { CodedError } from '@concordat/std';

/**
 * Why a network under test did not do what a test waited for.
 * - `TIMEOUT`: what was waited for did not come; the message says what came instead.
 * - `NO_PROCESS`: the process meant is not running.
 * - `COMMAND_FAILED`: a command of the machine (ip, mount, ...) failed; the message is what it said.
 * - `NO_PORT`: every port that may be taken is.
 * - `NOT_ADMITTED`: the members did not let a node in.
 * - `PAGE_WRONG`: following a page of the documents did not do what it says.
 * - `IMAGES_UNSTABLE`: the enclave images were built anew while they were copied.
 */
export type LocalNetworkErrorCode =
  | 'TIMEOUT'
  | 'NO_PROCESS'
  | 'COMMAND_FAILED'
  | 'NO_PORT'
  | 'NOT_ADMITTED'
  | 'PAGE_WRONG'
  | 'IMAGES_UNSTABLE';

/** The error of this room. */
export class LocalNetworkError extends CodedError<LocalNetworkErrorCode> {}
