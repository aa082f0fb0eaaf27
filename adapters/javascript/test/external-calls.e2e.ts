import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createFakeNode,
  type FakeAnswer,
  type FakeNode,
  type FakeNodeOptions,
  FakeSystem,
} from '@concordat/conformance';
import { createJavascriptAdapter } from '../index.ts';
import { bytesOfBundle } from './logging-application.ts';
import { patientLimits } from './patient-limits.ts';

const source = `
const records = ccf.kv.records;
const rateOf = async (of, options = {}) => {
  const answer = await concordat.external('rates', { path: '/rates/' + of, ...options });
  return { status: answer.status, ...answer.body.json() };
};
export async function buyCalls(request) {
  const { of } = request.body.json();
  const before = records.get(ccf.strToBuf('count'));
  const rate = await rateOf(of, { headers: { 'Idempotency-Key': request.idempotencyKey } });
  const after = records.get(ccf.strToBuf('count'));
  return { rate, key: request.idempotencyKey, caller: request.caller.id, before: !!before, after: !!after };
}
export function buy(request) {
  const { of } = request.body.json();
  const count = Number(ccf.bufToStr(records.get(ccf.strToBuf('count')) ?? ccf.strToBuf('0'))) + 1;
  records.set(ccf.strToBuf('count'), ccf.strToBuf(String(count)));
  records.set(ccf.strToBuf(of), ccf.jsonCompatibleToBuf(request.called));
  return { body: { ...request.called, sameKey: request.idempotencyKey === request.called.key, count } };
}
export async function manyCalls(request) {
  const wanted = request.body.json().map((of) => rateOf(of).catch((error) => ({ code: error.code })));
  return Promise.all(wanted);
}
export const echo = (request) => {
  records.set(ccf.strToBuf('echo'), ccf.strToBuf('1'));
  return { body: request.called ?? null };
};
export function plain(request) {
  records.set(ccf.strToBuf('plain'), ccf.strToBuf('1'));
  return { body: { called: 'called' in request, key: 'idempotencyKey' in request } };
}
export const read = (request) => {
  const value = records.get(ccf.strToBuf(request.query.replace('=', '')));
  return value === undefined ? { statusCode: 404 } : { body: ccf.bufToStr(value) };
};
export const calledTooLate = () => { concordat.external('rates', { path: '/rates/eur' }); };
export const asyncTooLate = async () => { await concordat.external('rates', { path: '/rates/eur' }); };
export const syncCalls = () => 7;
export const nothing = () => {};
export const never = () => new Promise(() => {});
export const throwsCalls = async () => { await rateOf('eur'); throw new Error('no luck'); };
export const writesCalls = async () => { await rateOf('eur'); records.set(ccf.strToBuf('x'), ccf.strToBuf('y')); };
export const loops = async () => { await rateOf('eur'); for (;;); };
export const eats = async () => { await rateOf('eur'); const all = []; for (;;) all.push(new Uint8Array(1e7).fill(1)); };
export const eatsAtOnce = async () => { const all = []; for (;;) all.push(new Uint8Array(1e7).fill(1)); };
export const large = async () => 'a'.repeat(2e6);
export const notJson = async () => 10n;
export const cyclic = async () => { const a = {}; a.a = a; return a; };
export async function tooMany() {
  for (let at = 0; at < 17; at++) await rateOf('eur');
}
export async function forge() { throw Object.assign(new Error('x'), { code: 'EXTERNAL_TIMEOUT' }); }
export async function forgeNone() { throw Object.assign(new Error('x'), { code: 'EXTERNAL_NONSENSE' }); }
export async function badRequest(request) {
  const options = request.body.json();
  return rateOf('eur', options);
}
export async function options(request) {
  const bytes = new Uint8Array([104, 105, 0, 106]).subarray(0, 2);
  const answers = [];
  for (const body of ['text', bytes, bytes.slice().buffer, { a: 1 }, [1, 2]]) {
    const { body: answer, headers } = await concordat.external('rates', { method: 'POST', path: '/echo', body });
    answers.push([answer.text(), headers['x-type'], answer.arrayBuffer().byteLength]);
  }
  return answers;
}
let shared;
export async function sharing(request) {
  const { of } = request.body.json();
  shared ??= rateOf('slow');
  await shared;
  return [of, await rateOf(of)];
}
let release = () => {};
export async function park(request) {
  const { of } = request.body.json();
  if (of === 'first') await new Promise((resolve) => { release = resolve; });
  else release();
  for (let at = 0; at < 10 && of !== 'first'; at++) await null;
  return { body: [of] };
}
export async function floating() {
  concordat.external('rates', { path: '/rates/floating' });
  return ['done'];
}
`;

const endpoint = (js_function: string, concordat_calls?: string, mode = 'readwrite') => ({
  js_module: 'main.js',
  js_function,
  mode,
  authn_policies: ['any_cert'],
  ...(concordat_calls !== undefined && { concordat_calls }),
});

const calling = [
  ...['manyCalls', 'syncCalls', 'nothing', 'never', 'throwsCalls', 'writesCalls', 'loops', 'eats'],
  'eatsAtOnce',
  ...[
    'large',
    'notJson',
    'cyclic',
    'tooMany',
    'forge',
    'forgeNone',
    'badRequest',
    'options',
    'floating',
  ],
];

const bundle = (comment = '') =>
  bytesOfBundle({
    metadata: {
      endpoints: {
        '/buy': { post: endpoint('buy', 'buyCalls') },
        '/plain': { post: endpoint('plain') },
        '/read': { get: endpoint('read', undefined, 'readonly') },
        '/calledTooLate': { post: endpoint('calledTooLate') },
        '/asyncTooLate': { post: endpoint('asyncTooLate') },
        '/park': { post: { ...endpoint('park'), interpreter_reuse: { key: 'a' } } },
        '/sharing': { post: { ...endpoint('echo', 'sharing'), interpreter_reuse: { key: 'a' } } },
        ...Object.fromEntries(
          calling.map((name) => [`/${name}`, { post: endpoint('echo', name) }]),
        ),
      },
    },
    modules: [{ name: 'main.js', module: comment + source }],
  });

const rates: FakeAnswer = (request, answer, body) => {
  if (request.url === '/echo') {
    answer.setHeader('x-type', request.headers['content-type'] ?? 'none').end(body);
  } else if (request.url === '/rates/hang') return;
  else if (request.url === '/rates/slow') setTimeout(() => answer.end('{}'), 300);
  else if (request.url === '/rates/reset') request.socket.destroy();
  else if (request.url === '/rates/large') answer.end('a'.repeat(100_000));
  else answer.end(JSON.stringify({ of: request.url, key: request.headers['idempotency-key'] }));
};

async function open(
  t: TestContext,
  options: FakeNodeOptions = {},
): Promise<{ node: FakeNode; system: FakeSystem }> {
  const system = await FakeSystem.open(rates);
  t.after(() => system.close());
  const node = await createFakeNode(createJavascriptAdapter(), {
    config: patientLimits,
    externalSystems: [system.entry()],
    ...options,
  });
  t.after(() => node.close());
  node.deploy('javascript', bundle());
  return { node, system };
}

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the application answered
  readonly body: any;
  readonly id: string | null;
}

async function post(
  node: FakeNode,
  path: string,
  body: unknown = {},
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`${node.url}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers,
  });
  const text = await response.text();
  return {
    status: response.status,
    body: text === '' ? undefined : JSON.parse(text),
    id: response.headers.get('x-ms-ccf-transaction-id'),
  };
}

/** Waits until the system was asked so often. */
async function askedBy(system: FakeSystem, times: number): Promise<void> {
  const deadline = performance.now() + 120_000;
  while (system.asked.length < times) {
    assert.ok(performance.now() < deadline, 'the system was not asked');
    await sleep(5);
  }
}

const codeOf = ({ body }: Answer): string => body?.error?.code;

test('an endpoint whose function calls a system is one transaction with what it heard', async (t) => {
  const { node, system } = await open(t);
  const answer = await post(node, '/buy', { of: 'eur' });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  const { rate, key, caller, sameKey, count } = answer.body;
  assert.equal(rate.of, '/rates/eur');
  assert.match(key, /^[0-9a-f]{64}$/);
  assert.equal(rate.key, key, 'the system got the key');
  assert.equal(sameKey, true);
  assert.equal(caller, node.actor.actorId);
  assert.equal(count, 1);
  assert.match(String(answer.id), /^\d+\.\d+$/);
  const kept = (await (await fetch(`${node.url}/read?eur`)).json()) as object;
  assert.deepEqual({ ...kept, sameKey, count }, answer.body);
  assert.deepEqual(system.asked, [{ line: 'GET /rates/eur', key, body: '' }]);
  const carried = Buffer.concat(node.external.carried).toString('latin1');
  assert.ok(!carried.includes(key) && !carried.includes('/rates/'));
});

test('other requests do not wait for a call', async (t) => {
  const { node, system } = await open(t, {});
  node.listSystems([system.entry({ timeoutMs: 15_000 })]);
  await post(node, '/plain?warm');
  const hanging = Array.from({ length: 5 }, () => post(node, '/manyCalls', ['hang']));
  await askedBy(system, 5);
  for (let at = 0; at < 20; at++) {
    assert.equal((await post(node, `/plain?${at}`)).status, 200);
    assert.equal((await fetch(`${node.url}/read?plain`)).status, 200);
  }
  assert.deepEqual((await post(node, '/manyCalls', ['eur'])).body[0].of, '/rates/eur');
  // Still none of those has ended: by time it would be another code.
  node.external.cut('EXTERNAL_SYSTEM_NOT_LISTED');
  for (const { body } of await Promise.all(hanging)) {
    assert.deepEqual(body, [{ code: 'EXTERNAL_SYSTEM_NOT_LISTED' }], 'the function may catch it');
  }
});

test('several calls of one request run beside each other, each with an end of its own', async (t) => {
  const { node, system } = await open(t);
  node.listSystems([system.entry({ timeoutMs: 3_000 })]);
  const wanted = ['eur', 'hang', 'usd', 'large', 'reset', 'chf'];
  const { body } = await post(node, '/manyCalls', wanted);
  assert.deepEqual(
    body.map((one: { of?: string; code?: string }) => one.of ?? one.code),
    [
      '/rates/eur',
      'EXTERNAL_TIMEOUT',
      '/rates/usd',
      'EXTERNAL_ANSWER_TOO_LARGE',
      'EXTERNAL_CONNECTION_LOST',
      '/rates/chf',
    ],
  );
});

test('what a call fails with, uncaught, is what the request is answered with, and nothing is written', async (t) => {
  const { node, system } = await open(t);
  for (const [of, code, status] of [
    ['large', 'EXTERNAL_ANSWER_TOO_LARGE', 502],
    ['reset', 'EXTERNAL_CONNECTION_LOST', 502],
  ] as const) {
    const answer = await post(node, '/buy', { of });
    assert.equal(codeOf(answer), code);
    assert.equal(answer.status, status);
    assert.equal(answer.id, null);
  }
  node.listSystems([system.entry({ timeoutMs: 200 })]);
  const late = await post(node, '/buy', { of: 'hang' });
  assert.deepEqual([late.status, codeOf(late)], [504, 'EXTERNAL_TIMEOUT']);
  node.listSystems([system.entry({ certificates: [] })]);
  assert.equal(codeOf(await post(node, '/buy', { of: 'eur' })), 'EXTERNAL_CERTIFICATE_REFUSED');
  node.listSystems([system.entry({ origin: 'https://localhost:1' })]);
  assert.equal(codeOf(await post(node, '/buy', { of: 'eur' })), 'EXTERNAL_UNREACHABLE');
  node.listSystems([system.entry({ adapters: ['ethereum'] })]);
  assert.equal(codeOf(await post(node, '/buy', { of: 'eur' })), 'EXTERNAL_SYSTEM_NOT_LISTED');
  node.listSystems([]);
  assert.equal(codeOf(await post(node, '/buy', { of: 'eur' })), 'EXTERNAL_SYSTEM_NOT_LISTED');
  assert.equal((await fetch(`${node.url}/read?count`)).status, 404);
});

test('a function that ends badly costs its request and nobody else', async (t) => {
  const { node } = await open(t, { config: { maxRequestMs: 2_000, maxMemoryMebibytes: 256 } });
  const cases: [string, string][] = [
    ['never', 'APPLICATION_FAILED'],
    ['throwsCalls', 'APPLICATION_FAILED'],
    ['writesCalls', 'APPLICATION_FAILED'],
    ['loops', 'APPLICATION_TIMEOUT'],
    ['large', 'APPLICATION_FAILED'],
    ['notJson', 'APPLICATION_FAILED'],
    ['cyclic', 'APPLICATION_FAILED'],
    ['tooMany', 'APPLICATION_FAILED'],
    ['forge', 'EXTERNAL_TIMEOUT'],
    ['forgeNone', 'APPLICATION_FAILED'],
    ['calledTooLate', 'APPLICATION_FAILED'],
    ['asyncTooLate', 'APPLICATION_FAILED'],
    ['eats', 'APPLICATION_STOPPED'],
  ];
  for (const [name, code] of cases) {
    const answer = await post(node, `/${name}`);
    assert.equal(codeOf(answer), code, `${name}: ${JSON.stringify(answer.body)}`);
    const next = await post(node, '/plain?after');
    assert.equal(next.status, 200, name);
    assert.deepEqual(next.body, { called: false, key: false });
  }
  assert.deepEqual((await post(node, '/syncCalls')).body, 7);
  assert.equal((await post(node, '/nothing')).body, null);
  assert.deepEqual((await post(node, '/floating')).body, ['done']);
});

test('functions that wait when their process ends are told, and the next ones run', async (t) => {
  const { node, system } = await open(t, {
    config: { maxRequestMs: 2_000, maxMemoryMebibytes: 256 },
  });
  const waiting = post(node, '/manyCalls', ['hang', 'eur']);
  await askedBy(system, 2);
  assert.equal(codeOf(await post(node, '/eatsAtOnce')), 'APPLICATION_STOPPED');
  node.external.cut('EXTERNAL_CONNECTION_LOST');
  assert.equal(codeOf(await waiting), 'APPLICATION_STOPPED');
  assert.equal((await post(node, '/buy', { of: 'eur' })).status, 200);
});

test('a request that is none is refused before anybody is asked', async (t) => {
  const { node, system } = await open(t);
  const bad: Record<string, unknown>[] = [
    { path: 'https://elsewhere.example/' },
    { path: '/a\r\nb: c' },
    { method: 'CONNECT' },
    { headers: { host: 'elsewhere.example' } },
    { headers: { 'x-a': 'b\r\nc: d' } },
    { method: 'POST', body: 'a'.repeat(70_000) },
    { method: 'GET', body: 'a' },
  ];
  for (const given of bad) {
    const answer = await post(node, '/badRequest', given);
    assert.equal(codeOf(answer), 'EXTERNAL_REQUEST_INVALID', JSON.stringify(given).slice(0, 50));
  }
  const headers = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`x-${at}`, 'a']));
  for (const given of [
    { path: 7 },
    { method: null },
    { body: 'a'.repeat(1_100_000) },
    { path: `/${'a'.repeat(100_000)}` },
    { headers: headers(5_000) },
    { headers: headers(70_000) },
  ]) {
    const beside = post(node, '/manyCalls', ['hang']);
    await askedBy(system, 1);
    assert.equal(codeOf(await post(node, '/badRequest', given)), 'APPLICATION_FAILED');
    node.external.cut('EXTERNAL_CONNECTION_LOST');
    // Nobody else's request is in danger.
    assert.deepEqual((await beside).body, [{ code: 'EXTERNAL_CONNECTION_LOST' }]);
    system.asked.splice(0);
  }
  assert.equal(system.asked.length, 0);
});

test('bodies are texts, buffers or JSON', async (t) => {
  const { node } = await open(t);
  const { body } = await post(node, '/options');
  assert.deepEqual(body, [
    ['text', 'none', 4],
    ['hi', 'none', 2],
    ['hi', 'none', 2],
    ['{"a":1}', 'application/json', 7],
    ['[1,2]', 'application/json', 5],
  ]);
});

test('attempts with one idempotency key show the system one key, and act once here', async (t) => {
  const { node, system } = await open(t);
  const headers = { 'concordat-idempotency-key': 'order-7' };
  const [first, second] = [
    await post(node, '/buy', { of: 'eur' }, headers),
    await post(node, '/buy', { of: 'eur' }, headers),
  ];
  assert.equal(first.id, second.id);
  assert.deepEqual(first.body, second.body);
  assert.equal(system.asked.length, 1, 'it was not even asked again');
  const other = await post(node, '/buy', { of: 'eur' }, { 'concordat-idempotency-key': 'order-8' });
  assert.notEqual(other.body.key, first.body.key);
  const [one, two] = [await post(node, '/buy', { of: 'a' }), await post(node, '/buy', { of: 'a' })];
  assert.notEqual(one.body.key, two.body.key);
});

test('a request does not get what the function of another one returned', async (t) => {
  const { node, system } = await open(t);
  node.listSystems([system.entry({ timeoutMs: 1_500 })]);
  const first = post(node, '/sharing', { of: 'hang' });
  await askedBy(system, 1);
  // It waits for a call of the other, with which it goes on when that is answered.
  assert.equal(codeOf(await post(node, '/sharing', { of: 'eur' })), 'APPLICATION_FAILED');
  const answer = await first;
  assert.equal(codeOf(answer), 'EXTERNAL_TIMEOUT', JSON.stringify(answer.body));
  assert.equal(codeOf(await post(node, '/park', { of: 'first' })), 'APPLICATION_FAILED');
  assert.deepEqual((await post(node, '/park', { of: 'second' })).body, ['second']);
});

test('a leader that is replaced during a call tells the client to ask again', async (t) => {
  const { node, system } = await open(t);
  const waiting = post(node, '/manyCalls', ['hang']);
  await askedBy(system, 1);
  node.ledger.role(false);
  node.external.cut('EXTERNAL_CONNECTION_LOST');
  const answer = await waiting;
  assert.equal(codeOf(answer), 'TRANSACTION_LOST', JSON.stringify(answer.body));
  node.ledger.role(true);
  assert.equal((await post(node, '/buy', { of: 'eur' })).status, 200);
});

test('an application that is replaced during a call does not hear what the former one heard', async (t) => {
  const { node, system } = await open(t);
  const waiting = post(node, '/manyCalls', ['hang']);
  await askedBy(system, 1);
  node.deploy('javascript', bundle('// another\n'));
  await sleep(50);
  node.external.cut('EXTERNAL_CONNECTION_LOST');
  const answer = await waiting;
  assert.equal(codeOf(answer), 'TRANSACTION_LOST', JSON.stringify(answer.body));
  assert.equal((await post(node, '/buy', { of: 'eur' })).status, 200);
});

test('one actor cannot take all places', async (t) => {
  const { node, system } = await open(t);
  node.listSystems([system.entry({ maxCalls: 64, timeoutMs: 2_000 })]);
  const open16 = Array.from({ length: 20 }, () => post(node, '/buy', { of: 'hang' }));
  const codes = (await Promise.all(open16)).map(codeOf);
  assert.equal(codes.filter((code) => code === 'EXTERNAL_OVERLOADED').length, 4);
  assert.equal(codes.filter((code) => code === 'EXTERNAL_TIMEOUT').length, 16);
  assert.equal((await post(node, '/buy', { of: 'eur' })).status, 200);
});

test('a bundle says what makes its calls in a form that can be checked', async () => {
  const check = (declared: object) =>
    createJavascriptAdapter().program?.check(
      bytesOfBundle({
        metadata: { endpoints: { '/a': { post: { ...endpoint('echo'), ...declared } } } },
        modules: [{ name: 'main.js', module: source }],
      }),
    );
  await check({ concordat_calls: 'buyCalls' });
  await assert.rejects(async () => check({ concordat_calls: 'nobody' }), {
    code: 'FUNCTION_MISSING',
  });
  for (const wrong of [
    { concordat_calls: 7 },
    { concordat_calls: null },
    { concordat_calls: 'buyCalls', mode: 'readonly' },
    { concordat_calls: 'buyCalls', mode: 'historical' },
  ]) {
    await assert.rejects(async () => check(wrong), { code: 'BUNDLE_MALFORMED' });
  }
});
