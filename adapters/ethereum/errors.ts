import { EvmError, type TransactionRefusal } from '@concordat/evm';
import { CodedError } from '@concordat/std';

/** Why a transaction is refused: what the engine says, and what can be said before or around it. */
export type RefusalCode =
  | TransactionRefusal
  | 'UNKNOWN_CHAIN'
  | 'INVALID_SIGNATURE'
  | 'WRONG_CHAIN_ID'
  | 'NOT_REPLAY_PROTECTED'
  | 'OVERSIZED'
  | 'BLOCK_GAS_EXHAUSTED'
  | 'ENGINE_FAULT'
  | 'ALREADY_KNOWN'
  | 'POOL_FULL'
  | 'NOT_NEXT_IN_REPLAY';

/** Why a read cannot be answered. */
export type ReadErrorCode =
  | 'UNKNOWN_BLOCK'
  | 'STATE_NOT_KEPT'
  | 'ACCESS_DENIED'
  | 'TOO_MANY_RESULTS'
  | 'INVALID_CALL'
  | 'NOT_STARTED';

/** Why bytes of ours cannot be read back, or genesis data cannot be used. */
export type DataErrorCode = 'MALFORMED' | 'WRONG_GENESIS_DATA' | 'INVALID_CONFIGURATION';

/** Every code of this room. */
export type EthereumErrorCode = RefusalCode | ReadErrorCode | DataErrorCode;

/** An operating failure of the Ethereum adapter. */
export class EthereumError extends CodedError<EthereumErrorCode> {}

/** An engine's error as one of this room; anything else as it is. */
export function translated(error: unknown): unknown {
  if (!(error instanceof EvmError)) return error;
  return new EthereumError(error.code, error.message, error.details);
}
