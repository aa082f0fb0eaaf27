import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, type ErrorCode } from '@concordat/api';
import { type ActorId, utf8 } from '@concordat/std';
import type { AdapterHost, HttpRequest, HttpResponse } from '@concordat/worker-enclave';
import { builtInAnswer } from '../built-in.ts';
import { parseBundle } from '../bundle.ts';
import { openapiDocument } from '../openapi.ts';
import { TransactionHistory } from '../transaction-history.ts';
import { bytesOfBundle } from './logging-application.ts';

const actor = { actorId: 'a' as ActorId, name: 'a', kinds: [], roles: [] };
const history = new TransactionHistory();
history.committed({ view: 2, firstSeqno: 1, count: 3 });

type Ask = AdapterHost['askLedger'];

async function get(url: string, askLedger: Ask, more: Partial<HttpRequest> = {}) {
  const { pathname: path, searchParams: query } = new URL(url, 'https://node.example');
  const request = { method: 'GET', path, query, headers: {}, body: new Uint8Array(0), ...more };
  const sources = { actor, host: { askLedger }, history, openapi: () => undefined };
  try {
    const response = (await builtInAnswer(request, sources)) as HttpResponse;
    const text = Buffer.from((response.body ?? '') as string).toString();
    return { status: response.status, headers: response.headers ?? {}, text };
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    return { status: error.status, headers: {}, text: error.code };
  }
}

const refusing =
  (code: ErrorCode): Ask =>
  () =>
    Promise.reject(new ApiError(code, 'why'));

const viewsOf =
  (...views: [number, number][]): Ask =>
  () =>
    Promise.resolve(
      utf8(JSON.stringify(views.map(([view, firstSeqno]) => ({ view, firstSeqno })))),
    );

const nothing: Ask = () => Promise.reject(new Error('nothing is to be asked'));

test('a receipt is asked for in the form that is wanted', async () => {
  const subjects: string[] = [];
  const ask: Ask = (_actor, { subject, view, seqno }) => {
    subjects.push(`${subject} ${view}.${seqno}`);
    return Promise.resolve(utf8('{}'));
  };
  const path = '/app/receipt?transaction_id=2.3';
  const types = [];
  for (const [url, headers] of [
    [path, {}],
    [`${path}&format=cose`, {}],
    [path, { accept: 'text/html, application/cose;q=0.5' }],
    [`${path}&format=json`, { accept: 'application/cose' }],
  ] as const) {
    types.push((await get(url, ask, { headers })).headers['content-type']);
  }
  assert.deepEqual(subjects, ['receipt 2.3', 'coseReceipt 2.3', 'coseReceipt 2.3', 'receipt 2.3']);
  const [json, cose] = ['application/json', 'application/cose'];
  assert.deepEqual(types, [json, cose, cose, json]);
});

test('a receipt that is not ready says when to ask again, one that will never be is not found', async () => {
  const path = '/receipt?transaction_id=2.9';
  const early = await get(path, refusing('TRANSACTION_PENDING'));
  assert.deepEqual([early.status, early.headers['retry-after']], [202, '1']);
  assert.match(early.text, /"code":"TRANSACTION_PENDING"/);
  assert.equal((await get(path, refusing('TRANSACTION_NOT_FOUND'))).status, 404);
  for (const bad of ['', '?transaction_id=', '?transaction_id=2', '?transaction_id=2.x']) {
    assert.equal((await get(`/receipt${bad}`, nothing)).text, 'INVALID_PARAMETER', bad);
  }
  const posted = await get(path, nothing, { method: 'POST' });
  assert.equal(posted.text, 'METHOD_NOT_ALLOWED');
});

test('the history of views has an entry for each view, those without a transaction included', async () => {
  const ask = viewsOf([2, 1], [3, 40], [6, 55]);
  const history = async (query: string) =>
    JSON.parse((await get(`/commit?${query}`, ask)).text).view_history;
  assert.deepEqual(await history('view_history=true'), [1, 1, 40, 55, 55, 55]);
  assert.deepEqual(await history('view_history_since=3'), [40, 55, 55, 55]);
  assert.deepEqual(await history('view_history_since=5'), [55, 55]);
  assert.deepEqual(await history('view_history_since=6'), [55]);
  assert.equal(await history('view_history=false'), undefined);
  assert.equal((await get('/commit?view_history_since=7', ask)).text, 'NOT_FOUND');
  const many = viewsOf([1, 1], [10_001, 2]);
  assert.equal((await get('/commit?view_history=true', many)).text, 'INVALID_PARAMETER');
  assert.equal((await get('/commit?view_history_since=2', many)).status, 200);
  const huge = await get(`/commit?view_history_since=${'9'.repeat(16)}`, many);
  assert.equal(huge.text, 'INVALID_PARAMETER');
});

const endpoint = { js_module: 'a.js', js_function: 'run', mode: 'readonly' };

test('the document has what app.json says, and what follows from paths and policies', () => {
  const bundle = parseBundle(
    bytesOfBundle({
      metadata: {
        endpoints: {
          '/a/{id}': {
            get: {
              ...endpoint,
              openapi: { summary: 'One', responses: { 200: { description: 'ok' } } },
              authn_policies: ['user_cert', { all_of: ['member_cert', 'jwt'] }, 'any_cert'],
            },
            put: { ...endpoint, openapi_hidden: true },
          },
          '/b/{x}': {
            get: {
              ...endpoint,
              openapi: { parameters: [{ name: 'x', in: 'path' }], security: [] },
            },
          },
          '/hidden': { get: { ...endpoint, openapi_hidden: true } },
        },
      },
      modules: [{ name: 'a.js', module: 'export function run() {}' }],
    }),
  );
  const { paths, openapi } = openapiDocument(bundle) as {
    openapi: string;
    paths: Record<string, Record<string, Record<string, unknown>>>;
  };
  assert.equal(openapi, '3.0.3');
  assert.deepEqual(Object.keys(paths), ['/a/{id}', '/b/{x}', '/commit', '/tx', '/receipt', '/api']);
  const one = paths['/a/{id}'] as Record<string, unknown>;
  assert.deepEqual(one, {
    get: {
      summary: 'One',
      parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
      responses: { 200: { description: 'ok' } },
      security: [{ certificate: [] }, { certificate: [], jwt: [] }],
    },
  });
  const two = paths['/b/{x}']?.get;
  assert.deepEqual(two?.parameters, [{ name: 'x', in: 'path' }]);
  assert.deepEqual(two?.responses, { default: { description: 'An answer.' } });
});
