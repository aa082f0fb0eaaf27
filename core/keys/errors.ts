import { CodedError } from '@concordat/std';

/**
 * Why a session key could not be had: another key is known for the epoch; the key was forgotten. Why a part of the threshold scheme is
 * refused: not an element or scalar of the group, not the declared form, not proved, given twice,
 * too few, not making up the key it should. Why a recovery copy does not open: RECOVERY_NOT_OPENED
 * (wrong key or passphrase, or changed), INVALID_SHARE (of another key or an older sharing). Why an
 * auditor's file of shares does not: SHARES_NOT_OPENED.
 */
export type KeysErrorCode =
  | 'INVALID_RECIPIENT'
  | 'EPOCH_CONFLICT'
  | 'FORGOTTEN'
  | 'INVALID_ELEMENT'
  | 'INVALID_SCALAR'
  | 'MALFORMED'
  | 'INVALID_CIPHERTEXT'
  | 'INVALID_SHARE'
  | 'DUPLICATE_SHARE'
  | 'TOO_FEW_SHARES'
  | 'INVALID_TERMS'
  | 'INVALID_HOLDER_KEY'
  | 'INVALID_DEALING'
  | 'INVALID_COMPLAINT'
  | 'TOO_FEW_DEALINGS'
  | 'RESHARE_DIFFERS'
  | 'DUPLICATE_DEALING'
  | 'INVALID_CONFIRMATION'
  | 'CEREMONY_PHASE'
  | 'WEAK_PASSPHRASE'
  | 'RECOVERY_NOT_OPENED'
  | 'SHARES_NOT_OPENED';

/** The error of this room. Messages name epochs, recipients and holders, never key bytes. */
export class KeysError extends CodedError<KeysErrorCode> {}
