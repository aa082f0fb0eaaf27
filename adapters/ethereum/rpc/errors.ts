import { CodedError } from '@concordat/std';
import type { EthereumErrorCode } from '../errors.ts';

/**
 * Why a JSON-RPC call has no result. The numbers on the wire are those of JSON-RPC 2.0 section 5.1
 * and EIP-1474; `EXECUTION_REVERTED` is Geth's 3, the one libraries read revert data from;
 * `TRANSACTION_UNDECIDED` is EIP-7966's 4; `ACCESS_DENIED` is EIP-1193's "unauthorized".
 */
export type RpcErrorCode =
  | 'PARSE_ERROR'
  | 'INVALID_REQUEST'
  | 'METHOD_NOT_FOUND'
  | 'METHOD_NOT_SUPPORTED'
  | 'INVALID_PARAMETERS'
  | 'INTERNAL_ERROR'
  | 'SERVER_ERROR'
  | 'RESOURCE_NOT_FOUND'
  | 'RESOURCE_UNAVAILABLE'
  | 'ACCESS_DENIED'
  | 'TRANSACTION_REFUSED'
  | 'TRANSACTION_UNDECIDED'
  | 'EXECUTION_FAILED'
  | 'EXECUTION_REVERTED'
  | 'LIMIT_EXCEEDED';

/** The number on the wire of each code. */
export const rpcErrorNumbers: Readonly<Record<RpcErrorCode, number>> = {
  PARSE_ERROR: -32700,
  INVALID_REQUEST: -32600,
  METHOD_NOT_FOUND: -32601,
  METHOD_NOT_SUPPORTED: -32601,
  INVALID_PARAMETERS: -32602,
  INTERNAL_ERROR: -32603,
  SERVER_ERROR: -32000,
  RESOURCE_NOT_FOUND: -32001,
  RESOURCE_UNAVAILABLE: -32002,
  ACCESS_DENIED: 4100,
  TRANSACTION_REFUSED: -32000,
  TRANSACTION_UNDECIDED: 4,
  EXECUTION_FAILED: -32000,
  EXECUTION_REVERTED: 3,
  LIMIT_EXCEEDED: -32005,
};

/** The `data` member of an error: revert data as hex, or our own code and its details. */
export type RpcErrorData = string | Readonly<Record<string, unknown>>;

/** A JSON-RPC call that is answered with an error object. */
export class RpcError extends CodedError<RpcErrorCode> {
  /** What the error object carries as `data`. */
  readonly data: RpcErrorData | undefined;

  constructor(code: RpcErrorCode, message: string, data?: RpcErrorData) {
    super(code, message);
    this.data = data;
  }

  /** The `error` member of the response (JSON-RPC 2.0 section 5.1). */
  toObject(): { code: number; message: string; data?: RpcErrorData } {
    const code = rpcErrorNumbers[this.code];
    const { message, data } = this;
    return data === undefined ? { code, message } : { code, message, data };
  }
}

/** A parameter that does not have the declared form; `at` names it, e.g. `argument 0, field to`. */
export const invalidParameter = (at: string, why: string): RpcError =>
  new RpcError('INVALID_PARAMETERS', `invalid ${at}: ${why}`);

const numbersOfRefusals: ReadonlyMap<string, RpcErrorCode> = new Map([
  ['ACCESS_DENIED', 'ACCESS_DENIED'],
  ['TOO_MANY_RESULTS', 'LIMIT_EXCEEDED'],
  ['POOL_FULL', 'LIMIT_EXCEEDED'],
  ['OVERLOADED', 'LIMIT_EXCEEDED'],
  ['NOT_STARTED', 'RESOURCE_UNAVAILABLE'],
  ['NODE_NOT_READY', 'RESOURCE_UNAVAILABLE'],
  ['NODE_STOPPING', 'RESOURCE_UNAVAILABLE'],
  ['LEADER_UNKNOWN', 'RESOURCE_UNAVAILABLE'],
  ['READ_NOT_CONFIRMED', 'RESOURCE_UNAVAILABLE'],
  ['TRANSACTION_LOST', 'RESOURCE_UNAVAILABLE'],
  // It may still commit: neither refused nor accepted.
  ['TRANSACTION_UNKNOWN', 'TRANSACTION_UNDECIDED'],
  ['INTERNAL_ERROR', 'INTERNAL_ERROR'],
]);

/**
 * Geth's words for each refusal: what ethers, viem and Hardhat look for to tell one from another.
 */
const gethWords: ReadonlyMap<string, string> = new Map<EthereumErrorCode, string>([
  ['UNDECODABLE', 'failed to decode transaction'],
  ['TRANSACTION_TYPE_NOT_SUPPORTED', 'transaction type not supported'],
  ['INVALID_SIGNATURE', 'invalid sender'],
  ['WRONG_CHAIN_ID', 'invalid chain id for signer'],
  ['NOT_REPLAY_PROTECTED', 'only replay-protected (EIP-155) transactions allowed over RPC'],
  ['OVERSIZED', 'oversized data'],
  ['INTRINSIC_GAS_TOO_LOW', 'intrinsic gas too low'],
  ['GAS_LIMIT_TOO_HIGH', 'exceeds block gas limit'],
  ['BLOCK_GAS_EXHAUSTED', 'gas limit reached'],
  ['INITCODE_TOO_LARGE', 'max initcode size exceeded'],
  ['NONCE_TOO_LOW', 'nonce too low'],
  ['NONCE_TOO_HIGH', 'nonce too high'],
  ['INSUFFICIENT_FUNDS', 'insufficient funds for gas * price + value'],
  ['FEE_TOO_LOW', 'max fee per gas less than block base fee'],
  ['TIP_ABOVE_FEE_CAP', 'max priority fee per gas higher than max fee per gas'],
  ['SENDER_NOT_EOA', 'sender not an eoa'],
  ['ALREADY_KNOWN', 'already known'],
  ['POOL_FULL', 'txpool is full'],
  ['UNKNOWN_BLOCK', 'header not found'],
  ['TOO_MANY_RESULTS', 'query returned more than the allowed number of results'],
]);

/**
 * A refusal of the chain or the framework as a JSON-RPC error; `data` carries its code. A chain's
 * refusal of a submission stands in `details.reason` behind the framework's code.
 */
export function refusalToRpc(refusal: {
  readonly code: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}): RpcError {
  const { message } = refusal;
  const { reason, ...details } = refusal.details ?? {};
  const code = typeof reason === 'string' && gethWords.has(reason) ? reason : refusal.code;
  const words = gethWords.get(code);
  const known = words === undefined || message.includes(words);
  return new RpcError(
    numbersOfRefusals.get(code) ?? 'TRANSACTION_REFUSED',
    known ? message : `${words}: ${message}`,
    { code, ...details },
  );
}

/** Any failure of a call as a JSON-RPC error; undefined when it is a bug, not a failure. */
export function failureToRpc(failure: unknown): RpcError | undefined {
  if (failure instanceof RpcError) return failure;
  return failure instanceof CodedError ? refusalToRpc(failure) : undefined;
}
