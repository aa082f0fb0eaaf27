import { CodedError } from '@concordat/std';

/**
 * `INVALID_OPTIONS`: cannot be meant so. `INVALID_CONFIGURATION`: a value of the configuration file is
 * missing or wrong; `path` in the details and at the beginning of the message says which.
 * `LISTEN_FAILED`: the address is taken or not allowed.
 */
export type GatewayErrorCode = 'INVALID_OPTIONS' | 'INVALID_CONFIGURATION' | 'LISTEN_FAILED';

/** Why a gateway does not start. Whatever happens later is answered to its clients. */
export class GatewayError extends CodedError<GatewayErrorCode> {}
