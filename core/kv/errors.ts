import { CodedError } from '@concordat/std';

/**
 * Why a store refused:
 * - `UNKNOWN_TABLE`: no table of that name is declared here.
 * - `TABLE_EXISTS`: a table of that name is declared already.
 * - `INVALID_TABLE_NAME`: a table name is not 1-255 printable ASCII characters.
 * - `NOT_ORDERED`: a range scan of a hash table.
 * - `NOT_VERSIONED`: a version is asked of a table that keeps none.
 * - `INVALID_KEY`: a key is not a binary string, or is longer than 65,535 bytes.
 * - `VALUE_TOO_LARGE`: a value is longer than 2^30-2 bytes.
 * - `MALFORMED`: bytes are not a canonical write set or section, or name a table of the other
 *   segment.
 * - `SET_OPEN`: the operation waits for the open transaction set to finish or abort.
 * - `SET_CLOSED`: the transaction set is finished, aborted or rolled back.
 * - `LAYER_ORDER`: a layer is not above every present one, or layers forbid the operation.
 * - `FREEZE_LIMIT`: two freezes are open already.
 * - `FREEZE_RELEASED`: the freeze was released before it was read to its end.
 * - `NOT_EMPTY`: a section is restored into an empty store only.
 * - `RESTORING`: the operation waits for the end of a restore.
 */
export type KvErrorCode =
  | 'UNKNOWN_TABLE'
  | 'TABLE_EXISTS'
  | 'INVALID_TABLE_NAME'
  | 'NOT_ORDERED'
  | 'NOT_VERSIONED'
  | 'INVALID_KEY'
  | 'VALUE_TOO_LARGE'
  | 'MALFORMED'
  | 'SET_OPEN'
  | 'SET_CLOSED'
  | 'LAYER_ORDER'
  | 'FREEZE_LIMIT'
  | 'FREEZE_RELEASED'
  | 'NOT_EMPTY'
  | 'RESTORING';

/** An operating failure of the key-value store. Its message never holds a key or a value. */
export class KvError extends CodedError<KvErrorCode> {}
