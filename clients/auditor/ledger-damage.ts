import type { LedgerErrorCode } from '@concordat/ledger';
import { CodedError } from '@concordat/std';

/**
 * Why a ledger was refused, beyond what is wrong with one block:
 * - `MISSING_BLOCKS`: later chunks are there, but not the one that begins at this height.
 * - `OVERLAPPING_CHUNKS`: two chunks claim this height.
 * - `TRUNCATED_CHUNK`: a chunk that must be whole ends before this height.
 * - `UNREADABLE_FILE`: the file system does not give the file.
 * - `WRONG_NETWORK`: the first block is not the genesis of the pinned network.
 * - `MALFORMED_GOVERNANCE`: administrative writes do not have their form.
 * - `ENDS_EARLY`: the ledger is whole but ends before the transaction it must contain.
 * - `OTHER_HISTORY`: where that transaction should be, there is one of another view.
 */
export type DamageCode =
  | LedgerErrorCode
  | 'MISSING_BLOCKS'
  | 'OVERLAPPING_CHUNKS'
  | 'TRUNCATED_CHUNK'
  | 'UNREADABLE_FILE'
  | 'WRONG_NETWORK'
  | 'MALFORMED_GOVERNANCE'
  | 'ENDS_EARLY'
  | 'OTHER_HISTORY';

/** The first damage of a ledger. */
export interface Damage {
  readonly height: number;
  readonly code: DamageCode;
  /** Base name of the chunk file; absent where no file is to blame. */
  readonly file?: string;
  readonly message: string;
}

/** Thrown within the verification, never out of it. */
export class LedgerDamage extends CodedError<DamageCode> {
  readonly height: number;

  constructor(code: DamageCode, height: number, message: string) {
    super(code, message, { height });
    this.height = height;
  }
}
