import { ApiError, catalogueEntry, type ErrorCode, errorBody, isErrorCode } from '@concordat/api';
import type { ReadView } from '@concordat/kv';
import { fromLatin1, fromUtf8, toLatin1, utf8 } from '@concordat/std';
import type {
  Actor,
  AdapterHost,
  HttpRequest,
  HttpResponse,
  Refused,
  Wait,
} from '@concordat/worker-enclave';
import { encodeRequest, operations } from './request.ts';
import { entriesTable, type KeyvalueResult } from './table.ts';

const prefix = '/kv/';
const maxPage = 1_000;
const defaultPage = 100;
/** A page ends early rather than exceed this many bytes of values. */
const maxPageBytes = 1024 * 1024;

/** `PUT`, `GET` and `DELETE /kv/{key}`; the key is percent-encoded UTF-8. */
export async function handleKey(
  request: HttpRequest,
  actor: Actor,
  host: AdapterHost<KeyvalueResult>,
): Promise<HttpResponse> {
  const key = keyOf(request.path);
  if (request.method === 'GET') return read(host.committed(), key);
  const write = request.method === 'PUT' ? operations.put : operations.delete;
  const raw = encodeRequest(write, key, write === operations.put ? request.body : undefined);
  const answer = await host.submit(raw, actor, { wait: waitOf(request.query) });
  if (!answer.ok) return refusedResponse(answer);
  const { result, transactionId } = answer;
  const status = write === operations.put && !result.existed ? 201 : 204;
  return transactionId === undefined ? { status } : { status, transactionId };
}

/** `GET /kv?prefix=&after=&limit=`: a page of entries in key order, values in base64. */
export function handleList(request: HttpRequest, view: ReadView): HttpResponse {
  const { query } = request;
  const limit = limitOf(query.get('limit'));
  const after = query.get('after');
  const entries: { key: string; value: string }[] = [];
  let bytes = 0;
  let next: string | undefined;
  const range = view.table(entriesTable).range({
    prefix: binary(query.get('prefix') ?? ''),
    // The least key above `after` is `after` with a zero byte.
    ...(after === null ? {} : { start: `${binary(after)}\0` }),
  });
  for (const [key, value] of range) {
    if (entries.length === limit || (entries.length > 0 && bytes + value.length > maxPageBytes)) {
      next = entries.at(-1)?.key;
      break;
    }
    bytes += value.length;
    entries.push({ key: fromUtf8(fromLatin1(key)), value: Buffer.from(value).toString('base64') });
  }
  const body = JSON.stringify(next === undefined ? { entries } : { entries, next });
  return { status: 200, headers: { 'content-type': 'application/json' }, body };
}

function read(view: ReadView, key: string): HttpResponse {
  const value = view.table(entriesTable).get(binary(key));
  if (value === undefined) throw new ApiError('NOT_FOUND', 'the key has no value');
  return { status: 200, headers: { 'content-type': 'application/octet-stream' }, body: value };
}

const binary = (text: string): string => toLatin1(utf8(text));

function keyOf(path: string): string {
  try {
    return decodeURIComponent(path.slice(prefix.length));
  } catch {
    throw new ApiError('INVALID_PARAMETER', 'the key in the path is not percent-encoded UTF-8');
  }
}

function waitOf(query: URLSearchParams): Wait {
  const wait = query.get('wait') ?? 'commit';
  if (wait !== 'commit' && wait !== 'local') {
    throw new ApiError('INVALID_PARAMETER', 'wait is commit or local');
  }
  return wait;
}

function limitOf(text: string | null): number {
  if (text === null) return defaultPage;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= maxPage) return limit;
  throw new ApiError('INVALID_PARAMETER', `limit is a number from 1 to ${maxPage}`);
}

function refusedResponse({ code, message, details }: Refused): HttpResponse {
  const known: ErrorCode = isErrorCode(code) ? code : 'INTERNAL_ERROR';
  return {
    status: catalogueEntry(known).status || 500,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(errorBody(known, message, details)),
  };
}
