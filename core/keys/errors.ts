import { CodedError } from '@concordat/std';

/**
 * Why a session key could not be had: the wrap is not for this network, epoch, recipient and key;
 * another key is known for the epoch; the key was forgotten.
 */
export type KeysErrorCode = 'UNWRAP_FAILED' | 'INVALID_RECIPIENT' | 'EPOCH_CONFLICT' | 'FORGOTTEN';

/** The error of this room. Messages name epochs and recipients, never key bytes. */
export class KeysError extends CodedError<KeysErrorCode> {}
