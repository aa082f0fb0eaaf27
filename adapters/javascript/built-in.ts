import { ApiError } from '@concordat/api';
import { parseTransactionId } from '@concordat/std';
import type { HttpRequest, HttpResponse } from '@concordat/worker-enclave';
import type { TransactionHistory } from './transaction-history.ts';

/**
 * What the framework answers under CCF's paths, whatever the application is: `/app/commit` and
 * `/app/tx?transaction_id=`; undefined for any other path.
 * @throws ApiError INVALID_PARAMETER, METHOD_NOT_ALLOWED
 */
export function builtInAnswer(
  { path, method, query }: HttpRequest,
  history: TransactionHistory,
): HttpResponse | undefined {
  const name = path.startsWith('/app/') ? path.slice('/app'.length) : path;
  if (name !== '/commit' && name !== '/tx') return undefined;
  if (method !== 'GET') throw new ApiError('METHOD_NOT_ALLOWED', 'the method of this path is GET');
  if (name === '/commit') {
    const { view, seqno } = history.last;
    return json({ transaction_id: `${view}.${seqno}` });
  }
  const text = query.get('transaction_id') ?? '';
  const id = parsed(text);
  return json({ transaction_id: text, status: history.statusOf(id.view, id.seqno) });
}

function parsed(text: string): { readonly view: number; readonly seqno: number } {
  const id = parseTransactionId(text);
  if (id !== undefined) return id;
  throw new ApiError('INVALID_PARAMETER', 'transaction_id is view.seqno, as 2.18');
}

const json = (value: unknown): HttpResponse => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});
