import { CodedError } from '@concordat/std';

/**
 * Why a block, receipt, chunk, snapshot or history page was refused:
 * - `MALFORMED`: the bytes do not have the form of the format.
 * - `WRONG_HEIGHT`, `WRONG_SEQNO`, `WRONG_VIEW`: the block is not the next one of this ledger.
 * - `BROKEN_CHAIN`: it names another previous block.
 * - `UNKNOWN_LEADER`: no key is known for the node that sealed it.
 * - `UNKNOWN_EPOCH`: no session key is known for its epoch.
 * - `AUTHENTICATION_FAILED`: the private segment was not sealed with this key for this block.
 * - `WRONG_ROOT`: its transactions do not have the block root the header states.
 * - `BAD_SIGNATURE`: the leader's key did not sign this history.
 * - `NO_SUCH_TRANSACTION`: the seqno is not in the block.
 * - `WRONG_NETWORK`: a snapshot of another network.
 * - `WRONG_SNAPSHOT`: a manifest of another digest than the one asked for.
 * - `WRONG_CHUNK`: a chunk is not the one its snapshot's manifest names at this index.
 * - `WRONG_PAGE`: a history page is not the one of this history.
 * - `PAGE_NEEDED`: the answer is in a history page that is not in memory (`details.page`).
 */
export type LedgerErrorCode =
  | 'MALFORMED'
  | 'WRONG_HEIGHT'
  | 'WRONG_SEQNO'
  | 'WRONG_VIEW'
  | 'BROKEN_CHAIN'
  | 'UNKNOWN_LEADER'
  | 'UNKNOWN_EPOCH'
  | 'AUTHENTICATION_FAILED'
  | 'WRONG_ROOT'
  | 'BAD_SIGNATURE'
  | 'NO_SUCH_TRANSACTION'
  | 'WRONG_NETWORK'
  | 'WRONG_SNAPSHOT'
  | 'WRONG_CHUNK'
  | 'WRONG_PAGE'
  | 'PAGE_NEEDED';

/** The error of this room; `details.height` is the block's, where it is known. */
export class LedgerError extends CodedError<LedgerErrorCode> {}
