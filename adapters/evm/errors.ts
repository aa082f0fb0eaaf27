import { CodedError } from '@concordat/std';

/** Why a transaction is refused; the wording follows go-ethereum. Nothing of it stays. */
export type TransactionRefusal =
  | 'TRANSACTION_TYPE_NOT_SUPPORTED'
  | 'INTRINSIC_GAS_TOO_LOW'
  | 'GAS_LIMIT_TOO_HIGH'
  | 'INITCODE_TOO_LARGE'
  | 'NONCE_TOO_LOW'
  | 'NONCE_TOO_HIGH'
  | 'INSUFFICIENT_FUNDS'
  | 'FEE_TOO_LOW'
  | 'TIP_ABOVE_FEE_CAP'
  | 'SENDER_NOT_EOA'
  | 'INVALID_BLOBS'
  | 'UNDECODABLE';

/**
 * Every code of this room. `INVALID_CALL`: a call's fields are out of range. `MALFORMED`: stored
 * bytes are no record, or the code of an account is not there. `INVALID_CONFIGURATION`: no fork has
 * that name. `ENGINE_FAULT`: the engine stopped, the transaction left no trace and everything cached
 * is forgotten.
 */
export type EvmErrorCode =
  | TransactionRefusal
  | 'INVALID_CALL'
  | 'MALFORMED'
  | 'INVALID_CONFIGURATION'
  | 'ENGINE_FAULT';

/** An operating failure of the engine. */
export class EvmError extends CodedError<EvmErrorCode> {}

/** What a failed message says, by the number the assembly gives (`assembly/` has the numbers). */
export const failureTexts: readonly string[] = [
  '',
  'out of gas',
  'invalid opcode',
  'stack underflow',
  'stack overflow',
  'invalid JUMP',
  'static state change',
  'out of gas',
  'precompile failed',
  'insufficient balance',
  'create collision',
  'code size to deposit exceeds maximum code size',
  'initcode exceeds max initcode size',
  'invalid bytecode deployed',
  'out of gas',
  'failed',
];
