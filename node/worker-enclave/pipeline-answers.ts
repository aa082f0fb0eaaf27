import type { Refused } from './adapter.ts';
import { refusal } from './submission.ts';

/** For what was not executed anywhere. */
export const notOrdered = refusal(
  'TRANSACTION_LOST',
  'the transaction was not ordered; send it again',
);
/** For what nobody got to execute. */
export const waitedTooLong = refusal('OVERLOADED', 'the request waited too long to be ordered');
/** For what a former leader may have executed. */
export const unknown = refusal(
  'TRANSACTION_UNKNOWN',
  'no leader took it in time; the outcome is not known',
);
/** What a transaction is answered with whose batch, of it alone, could not be executed. */
export function failureAnswer(why: string): Refused {
  if (why === 'EXECUTION_TIMEOUT') return refusal(why, 'the execution took too long');
  if (why === 'BLOCK_TOO_LARGE') {
    return refusal('PAYLOAD_TOO_LARGE', 'the writes of the transaction do not fit in a block');
  }
  return refusal('INTERNAL_ERROR', 'the transaction could not be executed');
}
