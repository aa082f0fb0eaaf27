import { ApiError, coseMediaType, errorAnswer, receiptFormOf } from '@concordat/api';
import { fromUtf8, parseTransactionId, type Seqno, type View } from '@concordat/std';
import {
  type Actor,
  type AdapterHost,
  type HttpRequest,
  type HttpResponse,
  isNobody,
} from '@concordat/worker-enclave';
import type { TransactionHistory } from './transaction-history.ts';

/** What the framework's own paths are answered from. */
export interface BuiltInSources {
  readonly actor: Actor;
  readonly host: Pick<AdapterHost, 'askLedger'>;
  readonly history: TransactionHistory;
  /** JSON of the OpenAPI document; undefined while no application is deployed. */
  readonly openapi: () => string | undefined;
}

const names = new Set(['/commit', '/tx', '/receipt', '/api']);
/** Views listed at a time. */
const maxViews = 10_000;

/**
 * What the framework answers under CCF's paths, whatever the application is: `/app/commit`,
 * `/app/tx`, `/app/receipt` and `/app/api`; undefined for any other path.
 * @throws ApiError CLIENT_CERTIFICATE_REQUIRED, INVALID_PARAMETER, METHOD_NOT_ALLOWED, NOT_FOUND, TRANSACTION_NOT_FOUND, and
 *   what else the manager refuses with
 */
export function builtInAnswer(
  request: HttpRequest,
  sources: BuiltInSources,
): Promise<HttpResponse> | undefined {
  const { path } = request;
  const name = path.startsWith('/app/') ? path.slice('/app'.length) : path;
  return names.has(name) ? answer(name, request, sources) : undefined;
}

async function answer(
  name: string,
  request: HttpRequest,
  sources: BuiltInSources,
): Promise<HttpResponse> {
  const { method, query } = request;
  if (isNobody(sources.actor.actorId)) {
    throw new ApiError('CLIENT_CERTIFICATE_REQUIRED', 'this path is for actors of the network');
  }
  if (method !== 'GET') throw new ApiError('METHOD_NOT_ALLOWED', 'the method of this path is GET');
  if (name === '/commit') return commit(query, sources);
  if (name === '/api') return api(sources);
  const text = query.get('transaction_id') ?? '';
  const id = parsed(text);
  if (name === '/receipt') return receipt(id, request, sources);
  const status = sources.history.statusOf(id.view, id.seqno);
  return json({ transaction_id: text, status });
}

function api({ openapi }: BuiltInSources): HttpResponse {
  const body = openapi();
  if (body === undefined) throw new ApiError('NOT_FOUND', 'no application is deployed');
  return { status: 200, headers: { 'content-type': 'application/json' }, body };
}

/** A receipt that is not ready is a 202 with an error body, as at CCF. */
async function receipt(
  { view, seqno }: { readonly view: View; readonly seqno: Seqno },
  { query, headers }: HttpRequest,
  { actor, host }: BuiltInSources,
): Promise<HttpResponse> {
  const form = receiptFormOf(query.get('format'), headers.accept);
  const subject = form === 'cose' ? 'coseReceipt' : 'receipt';
  try {
    const body = await host.askLedger(actor, { subject, view, seqno });
    const type = form === 'cose' ? coseMediaType : 'application/json';
    return { status: 200, headers: { 'content-type': type }, body };
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'TRANSACTION_PENDING') throw error;
    const { status, body, retryAfterSeconds = 1 } = errorAnswer(error);
    const retry = { 'retry-after': String(retryAfterSeconds) };
    const shown = { 'content-type': 'application/json', ...retry };
    return { status, headers: shown, body: JSON.stringify(body) };
  }
}

/** The newest committed transaction and, if asked for, the first seqno of each view up to it. */
async function commit(query: URLSearchParams, sources: BuiltInSources): Promise<HttpResponse> {
  const { view, seqno } = sources.history.last;
  const transaction_id = `${view}.${seqno}`;
  const since = sinceOf(query);
  if (since === undefined) return json({ transaction_id });
  const { actor, host } = sources;
  const bytes = await host.askLedger(actor, { subject: 'viewHistory' });
  const starts = JSON.parse(fromUtf8(bytes)) as { view: number; firstSeqno: number }[];
  const last = starts.at(-1)?.view ?? 0;
  if (since > last) throw new ApiError('NOT_FOUND', `no transaction of view ${since} is committed`);
  if (last - since >= maxViews) {
    const why = `more than ${maxViews} views: name a later one in view_history_since`;
    throw new ApiError('INVALID_PARAMETER', why);
  }
  return json({ transaction_id, view_history: firstSeqnos(starts, since) });
}

/** The view from which history is wanted; undefined when none is. @throws ApiError */
function sinceOf(query: URLSearchParams): number | undefined {
  const [whole, text] = [query.get('view_history'), query.get('view_history_since')];
  if (whole !== null && whole !== 'true' && whole !== 'false') {
    throw new ApiError('INVALID_PARAMETER', 'view_history is true or false');
  }
  if (text === null) return whole === 'true' ? 1 : undefined;
  const since = /^[0-9]{1,16}$/.test(text) ? Number(text) : 0;
  if (Number.isSafeInteger(since) && since >= 1) return since;
  throw new ApiError('INVALID_PARAMETER', 'view_history_since is a view, from 1');
}

/** One entry a view; a view without a transaction has that of the next one, as at CCF. */
function firstSeqnos(
  starts: readonly { readonly view: number; readonly firstSeqno: number }[],
  since: number,
): number[] {
  const found: number[] = [];
  for (const { view, firstSeqno } of starts) {
    while (since + found.length <= view) found.push(firstSeqno);
  }
  return found;
}

function parsed(text: string): { readonly view: View; readonly seqno: Seqno } {
  const id = parseTransactionId(text);
  if (id !== undefined) return id;
  throw new ApiError('INVALID_PARAMETER', 'transaction_id is view.seqno, as 2.18');
}

const json = (value: unknown): HttpResponse => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});
