import { CodedError } from '@concordat/std';

/**
 * Why a ledger could not be examined at all; what is wrong with one that could is in its report.
 * - `LEDGER_UNREADABLE`: the directory cannot be read, or holds no chunk of a ledger.
 * - `INVALID_NETWORK_CERTIFICATE`: what was given to pin is not one PEM certificate.
 * - `INVALID_PARAMETER`: the expected transaction is no `view.seqno`.
 * - `INVALID_EPOCH_KEYS`: what was given is no file of epoch keys.
 * - `WRONG_NETWORK`: what was given, or the ledger it is to be used with, is of another network.
 * - `LEDGER_DAMAGED`: the ledger to work on does not hold, with `height`, `code` and `file`.
 * - `UNKNOWN_SHARING`: a share is of no sharing this ledger records, or not of that holder.
 * - `INVALID_DECRYPTION_SHARES`: what was given is no file of decryption shares.
 * - `OTHER_REQUESTER`: decryption shares were made for somebody else.
 * - `OFFER_REFUSED`: a recovering node is not to be given shares, with `reason`.
 * - `NO_SHARES`: the recovery copies given read nothing of the ledger.
 * - `INVALID_IMAGE`: what was to execute the ledger anew is no confined image of a worker.
 * - `REEXECUTION_FAILED`: that program could not go on; it says nothing about the ledger.
 */
export type AuditorErrorCode =
  | 'LEDGER_UNREADABLE'
  | 'INVALID_NETWORK_CERTIFICATE'
  | 'INVALID_PARAMETER'
  | 'INVALID_EPOCH_KEYS'
  | 'WRONG_NETWORK'
  | 'LEDGER_DAMAGED'
  | 'UNKNOWN_SHARING'
  | 'INVALID_DECRYPTION_SHARES'
  | 'OTHER_REQUESTER'
  | 'OFFER_REFUSED'
  | 'NO_SHARES'
  | 'INVALID_IMAGE'
  | 'REEXECUTION_FAILED';

/** The error of this room. */
export class AuditorError extends CodedError<AuditorErrorCode> {}
