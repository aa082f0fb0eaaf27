import { CodedError } from '@concordat/std';

/** Why a cryptographic operation on foreign input failed. */
export type CryptoErrorCode =
  | 'AUTHENTICATION_FAILED'
  | 'INVALID_KEY'
  | 'INVALID_CERTIFICATE'
  | 'INVALID_REQUEST'
  | 'INVALID_REVOCATION_LIST'
  | 'UNSUPPORTED_REVOCATION_LIST'
  | 'MALFORMED_PEM'
  | 'MALFORMED_CBOR'
  | 'MALFORMED_COSE'
  | 'MALFORMED_JWT';

/** The error of this room. Messages never hold a key, a secret or a plaintext. */
export class CryptoError extends CodedError<CryptoErrorCode> {}
