import { CodedError } from '@concordat/std';

/**
 * Why a token could not be used. Every message says what to do next; none holds a PIN.
 * - `BINDING_MISSING`: the package that calls C functions is not installed for this platform.
 * - `MODULE_UNREADABLE`: there is no such file, or it is no PKCS#11 module.
 * - `TOKEN_NOT_FOUND`: no slot holds a token, or none with that label.
 * - `TOKEN_AMBIGUOUS`: several tokens fit.
 * - `TOKEN_NOT_READY`: the token is not initialised, or has no user PIN yet.
 * - `PIN_REQUIRED`: no PIN was given.
 * - `PIN_WRONG`: the token refused the PIN. It counts these.
 * - `PIN_LOCKED`: too many wrong PINs.
 * - `KEY_NOT_FOUND`: no private key, or no public key beside it, of that label or id.
 * - `KEY_AMBIGUOUS`: several private keys fit.
 * - `KEY_EXISTS`: a key of that label is in the token already.
 * - `KEY_UNSUITABLE`: of another type or curve, or not allowed to do what was asked.
 * - `INVALID_NAME`: a label or id that no token can hold.
 * - `INVALID_POINT`: what was to be agreed with is no point of P-256.
 * - `UNSUPPORTED_BY_TOKEN`: the token lacks the mechanism.
 * - `TOKEN_CLOSED`: it was closed here, or taken out.
 * - `TOKEN_FAILED`: any other answer; `details.returned` is its name in the standard.
 */
export type Pkcs11ErrorCode =
  | 'BINDING_MISSING'
  | 'MODULE_UNREADABLE'
  | 'TOKEN_NOT_FOUND'
  | 'TOKEN_AMBIGUOUS'
  | 'TOKEN_NOT_READY'
  | 'PIN_REQUIRED'
  | 'PIN_WRONG'
  | 'PIN_LOCKED'
  | 'KEY_NOT_FOUND'
  | 'KEY_AMBIGUOUS'
  | 'KEY_EXISTS'
  | 'KEY_UNSUITABLE'
  | 'INVALID_NAME'
  | 'INVALID_POINT'
  | 'UNSUPPORTED_BY_TOKEN'
  | 'TOKEN_CLOSED'
  | 'TOKEN_FAILED';

/** The error of this room. */
export class Pkcs11Error extends CodedError<Pkcs11ErrorCode> {}
