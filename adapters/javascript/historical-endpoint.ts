import { setTimeout as pause } from 'node:timers/promises';
import { ApiError, errorBody } from '@concordat/api';
import { parseTransactionId } from '@concordat/std';
import type { HttpRequest, HttpResponse } from '@concordat/worker-enclave';
import type { PastFetcher } from './past-fetcher.ts';
import type { PastState } from './past-state.ts';

const header = 'x-ms-ccf-transaction-id';
/** How long an answer waits for the ledger before it says that it is being read, milliseconds. */
const patienceMs = 250;
const retryAfterSeconds = 1;

/**
 * The state that a request of a historical endpoint is about, named by `?transaction_id=` or by the
 * header `x-ms-ccf-transaction-id`; or a 202 while it is being read.
 * @param committedView view of the newest committed transaction known here
 * @throws ApiError INVALID_PARAMETER, TRANSACTION_NOT_COMMITTED, TRANSACTION_NOT_FOUND, and what the
 *   manager refuses with
 */
export async function stateAskedFor(
  { query, headers }: HttpRequest,
  past: Pick<PastFetcher, 'state'>,
  committedView: number,
): Promise<PastState | HttpResponse> {
  const named = query.get('transaction_id') ?? headers[header];
  const id = parseTransactionId(named ?? '');
  if (id === undefined) {
    const why = `transaction_id, or the header ${header}, names a transaction: view.seqno, as 2.18`;
    throw new ApiError('INVALID_PARAMETER', why);
  }
  const reading = past.state(id.seqno).catch((error: unknown) => {
    const isPending = error instanceof ApiError && error.code === 'TRANSACTION_PENDING';
    if (!isPending) throw error;
    // A ledger that has gone on in a later view never gets it any more.
    if (id.view < committedView) throw lost(named);
    throw new ApiError('TRANSACTION_NOT_COMMITTED', `${named} is pending or unknown`);
  });
  const state = await Promise.race([reading, pause(patienceMs, undefined, { ref: false })]);
  if (state === undefined) {
    // Whoever asks again finds it, or what is wrong.
    reading.catch(() => undefined);
    return notReady(`${named} is being read`);
  }
  if (state.view !== id.view) throw lost(named);
  return state;
}

const lost = (named = ''): ApiError =>
  new ApiError('TRANSACTION_NOT_FOUND', `no transaction ${named} was or will be committed`);

const notReady = (why: string): HttpResponse => ({
  status: 202,
  headers: { 'content-type': 'application/json', 'retry-after': String(retryAfterSeconds) },
  body: JSON.stringify(errorBody('PAST_NOT_READY', why)),
});
