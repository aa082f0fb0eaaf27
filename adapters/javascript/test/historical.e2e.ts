import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFakeNode, type FakeNode } from '@concordat/conformance';
import { createJavascriptAdapter } from '../index.ts';
import { bytesOfBundle } from './logging-application.ts';
import { patientLimits } from './patient-limits.ts';

const source = `
import { historicalState } from './ccf-app.js';
const buf = ccf.strToBuf;
const text = (value) => value === undefined ? null : ccf.bufToStr(value);
export function put(request) {
  const { set = {}, remove = [] } = request.body.json();
  for (const [key, value] of Object.entries(set)) ccf.kv.m.set(buf(key), buf(value));
  for (const key of remove) ccf.kv.m.delete(buf(key));
  ccf.kv['public:log'].set(buf('last'), buf(request.query.replace('name=', '')));
  return { body: true };
}
const shown = ({ transactionId, receipt, kv }) => {
  const all = {};
  kv.m.forEach((value, key) => { all[text(key)] = text(value); });
  return { transactionId, receipt, all, size: kv.m.size, log: text(kv['public:log'].get(buf('last'))) };
};
export function past() {
  if (ccf.historicalState !== historicalState && historicalState !== undefined) throw new Error('two states');
  return { body: shown(ccf.historicalState) };
}
export function parts() {
  const { m } = ccf.historicalState.kv;
  const refused = ['set', 'delete', 'clear'].map((name) => {
    try { m[name](buf('a'), buf('b')); return 'done'; } catch (error) { return error.message; }
  });
  return { body: { has: m.has(buf('a')), not: m.has(buf('b')), gone: text(m.get(buf('b'))),
    version: m.getVersionOfPreviousWrite(buf('a')), none: m.getVersionOfPreviousWrite(buf('b')) ?? null, refused } };
}
export function range(request) {
  const [handle, from, to, seconds] = request.query.split('&').map((one) => Number(one.slice(2)));
  const states = ccf.historical.getStateRange(handle, from, to, seconds);
  if (states === null) return { statusCode: 202 };
  return { body: states.map(shown) };
}
export const drop = (request) => ({ body: ccf.historical.dropCachedStates(Number(request.query.slice(2))) });
export const none = () => ({ body: ccf.historicalState === undefined });
let kept;
export function keep(request) {
  kept ??= ccf.historicalState;
  return { body: text(kept.kv.m.get(buf('a'))) };
}
`;

const endpoint = (js_function: string, mode: string, more: object = {}) => ({
  js_module: 'main.js',
  js_function,
  mode,
  authn_policies: ['no_auth'],
  ...more,
});

const bundle = bytesOfBundle({
  metadata: {
    endpoints: {
      '/m': { post: endpoint('put', 'readwrite'), get: endpoint('none', 'readonly') },
      '/past': { get: endpoint('past', 'historical') },
      '/parts': { get: endpoint('parts', 'historical') },
      '/keep': { get: endpoint('keep', 'historical', { interpreter_reuse: { key: 'k' } }) },
      '/range': { get: endpoint('range', 'readonly'), post: endpoint('range', 'readwrite') },
      '/drop': { get: endpoint('drop', 'readonly') },
    },
  },
  modules: [
    { name: 'main.js', module: source },
    // As @microsoft/ccf-app/historical has it.
    { name: 'ccf-app.js', module: 'export const historicalState = ccf.historicalState;' },
  ],
});

async function nodeWith(t: { after(done: () => Promise<void>): void }): Promise<FakeNode> {
  const node = await createFakeNode(createJavascriptAdapter(), {
    config: patientLimits,
    genesisData: bundle,
  });
  t.after(() => node.close());
  return node;
}

async function put(node: FakeNode, name: string, body: object): Promise<string> {
  const sent = { method: 'POST', body: JSON.stringify(body) };
  const response = await fetch(`${node.url}/m?name=${name}`, sent);
  assert.equal(response.status, 200, await response.clone().text());
  return response.headers.get('x-ms-ccf-transaction-id') as string;
}

/** `handle&from&to&seconds` as a query with names, which alone stays as it is. */
const query = (range: string): string =>
  range
    .split('&')
    .map((value, at) => `${'hftx'[at]}=${value}`)
    .join('&');

const get = (node: FakeNode, path: string, headers = {}) => fetch(node.url + path, { headers });

async function until(node: FakeNode, path: string): Promise<Response> {
  for (let attempt = 0; attempt < 3_000; attempt++) {
    const response = await get(node, path);
    if (response.status !== 202) return response;
    await response.arrayBuffer();
    await sleep(20);
  }
  throw new Error(`${path} stays 202`);
}

test('a historical endpoint sees what its transaction wrote, and nothing else', async (t) => {
  const node = await nodeWith(t);
  const first = await put(node, 'first', { set: { a: '1', b: '1' } });
  const second = await put(node, 'second', { set: { a: '2' }, remove: ['b'] });
  await put(node, 'third', { set: { a: '3' } });
  for (const ask of [
    () => get(node, `/app/past?transaction_id=${first}`),
    () => get(node, '/past', { 'x-ms-ccf-transaction-id': first }),
  ]) {
    const response = await ask();
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('x-ms-ccf-transaction-id'), first);
    assert.deepEqual(await response.json(), {
      transactionId: first,
      receipt: { fake: first },
      all: { a: '1', b: '1' },
      size: 2,
      log: 'first',
    });
  }
  assert.deepEqual(await (await get(node, `/parts?transaction_id=${second}`)).json(), {
    has: true,
    not: false,
    gone: null,
    version: Number(second.split('.')[1]),
    none: null,
    refused: Array(3).fill('the past is read-only'),
  });
  assert.equal(await (await get(node, '/m')).json(), true, 'no state elsewhere');
});

test('ids that are none, of the future and of lost views have their codes', async (t) => {
  const node = await nodeWith(t);
  const first = await put(node, 'first', { set: { a: '1' } });
  const [view, seqno] = first.split('.').map(Number) as [number, number];
  const code = async (id: string): Promise<[number, string]> => {
    const response = await get(node, `/past?transaction_id=${encodeURIComponent(id)}`);
    const { error } = (await response.json()) as { error: { code: string } };
    return [response.status, error.code];
  };
  for (const id of [
    '',
    '1',
    '1.',
    '.1',
    '1.2.3',
    'a.b',
    '-1.2',
    '2.0',
    '0.1',
    '2.99999999999999999999',
  ]) {
    assert.deepEqual(await code(id), [400, 'INVALID_PARAMETER'], id);
  }
  assert.equal((await get(node, '/past')).status, 400);
  assert.deepEqual(await code(`${view}.${seqno + 1}`), [404, 'TRANSACTION_NOT_COMMITTED']);
  assert.deepEqual(await code(`${view + 1}.${seqno + 1}`), [404, 'TRANSACTION_NOT_COMMITTED']);
  assert.deepEqual(await code(`${view}.${2 ** 50}`), [404, 'TRANSACTION_NOT_COMMITTED']);
  assert.deepEqual(await code(`${view - 1}.${seqno + 1}`), [404, 'TRANSACTION_NOT_FOUND']);
  assert.deepEqual(await code(`${view + 1}.${seqno}`), [404, 'TRANSACTION_NOT_FOUND']);
});

test('a range is null until it is there, whole, and gone when it is dropped or expires', async (t) => {
  const node = await nodeWith(t);
  const ids: string[] = [];
  for (let at = 0; at < 12; at++)
    ids.push(await put(node, `${at}`, { set: { [`k${at}`]: `${at}` } }));
  const [from, to] = [ids[0], ids.at(-1)].map((id) => Number(id?.split('.')[1])) as [
    number,
    number,
  ];
  assert.equal((await get(node, `/range?${query(`7&${from}&${to}&60`)}`)).status, 202);
  const response = await until(node, `/range?${query(`7&${from}&${to}&60`)}`);
  const states = (await response.json()) as {
    transactionId: string;
    all: object;
    receipt: object;
  }[];
  assert.deepEqual(
    states.map(({ transactionId }) => transactionId),
    ids,
  );
  states.forEach(({ all, receipt }, at) => {
    assert.deepEqual(all, { [`k${at}`]: `${at}` });
    assert.deepEqual(receipt, { fake: ids[at] });
  });
  const written = await fetch(`${node.url}/range?${query(`7&${from}&${to}&60`)}`, {
    method: 'POST',
  });
  assert.equal(written.status, 200, 'where transactions are executed too');
  assert.equal(
    (await get(node, `/range?${query(`7&${from}&${from}&0`)}`)).status,
    202,
    'another range',
  );
  assert.equal(
    (await get(node, `/range?${query(`7&${from}&${to}&0`)}`)).status,
    202,
    'expired at once',
  );
  assert.equal(await (await get(node, '/drop?h=7')).json(), true);
  assert.equal(await (await get(node, '/drop?h=7')).json(), false);
});

test('ranges that cannot be are refused, and one of the future is null for ever', async (t) => {
  const node = await nodeWith(t);
  await put(node, 'first', { set: { a: '1' } });
  for (const range of [
    '7&0&1&60',
    '7&2&1&60',
    '7&1&1001&60',
    '7&1.5&2&60',
    '-1&1&1&60',
    '7&1&1&-1',
    '7&1&9007199254740993&1',
    '4294967296&1&1&1',
    '7&NaN&1&1',
  ]) {
    const response = await get(node, `/range?${query(range)}`);
    assert.equal(response.status, 500, range);
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    assert.equal(error.code, 'APPLICATION_FAILED');
    assert.match(error.message, /range|handle|expiry/);
  }
  for (let attempt = 0; attempt < 5; attempt++) {
    assert.equal((await get(node, `/range?${query('8&1000&1001&60')}`)).status, 202);
    await sleep(20);
  }
  for (let handle = 100; handle < 199; handle++)
    await get(node, `/range?${query(`${handle}&1&1&60`)}`);
  const many = await get(node, `/range?${query('200&1&1&60')}`);
  assert.equal(many.status, 500, 'too many handles');
});

test('a state that a module keeps for the next request is gone there', async (t) => {
  const node = await nodeWith(t);
  const first = await put(node, 'first', { set: { a: '1' } });
  const second = await put(node, 'second', { set: { a: '2' } });
  assert.equal(await (await get(node, `/keep?transaction_id=${first}`)).text(), '1');
  const later = await get(node, `/keep?transaction_id=${second}`);
  assert.equal(later.status, 500);
  assert.match(await later.text(), /another request/);
});
