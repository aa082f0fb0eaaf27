import { CodedError } from '@concordat/std';

/** `INVALID_OPTIONS`: cannot be meant so. `LISTEN_FAILED`: the address is taken or not allowed. */
export type GatewayErrorCode = 'INVALID_OPTIONS' | 'LISTEN_FAILED';

/** Why a gateway does not start. Whatever happens later is answered to its clients. */
export class GatewayError extends CodedError<GatewayErrorCode> {}
