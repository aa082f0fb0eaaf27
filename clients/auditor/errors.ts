import { CodedError } from '@concordat/std';

/**
 * Why a ledger could not be examined at all; what is wrong with one that could is in its report.
 * - `LEDGER_UNREADABLE`: the directory cannot be read, or holds no chunk of a ledger.
 * - `INVALID_NETWORK_CERTIFICATE`: what was given to pin is not one PEM certificate.
 * - `NOT_A_KEY_HOLDER`: the constitution lists no key holder with the key given.
 * - `INVALID_PARAMETER`: the expected transaction is no `view.seqno`.
 * - `INVALID_EPOCH_KEYS`: what was given is no file of epoch keys.
 * - `WRONG_NETWORK`: what was given, or the ledger it is to be used with, is of another network.
 */
export type AuditorErrorCode =
  | 'LEDGER_UNREADABLE'
  | 'INVALID_NETWORK_CERTIFICATE'
  | 'NOT_A_KEY_HOLDER'
  | 'INVALID_PARAMETER'
  | 'INVALID_EPOCH_KEYS'
  | 'WRONG_NETWORK';

/** The error of this room. */
export class AuditorError extends CodedError<AuditorErrorCode> {}
