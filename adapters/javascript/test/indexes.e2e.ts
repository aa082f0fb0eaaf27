import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFakeNode, type FakeNode } from '@concordat/conformance';
import { createJavascriptAdapter, parseBundle } from '../index.ts';
import { laterNodes } from './later-nodes.ts';
import { bytesOfBundle } from './logging-application.ts';
import { patientLimits } from './patient-limits.ts';

const source = `
const buf = ccf.strToBuf;
export function put(request) {
  const { map, set = [], remove = [] } = request.body.json();
  for (const key of set) ccf.kv[map].set(buf(key), buf('v'));
  for (const key of remove) ccf.kv[map].delete(buf(key));
  return { body: true };
}
export function seqnos(request) {
  const { index, key, ...options } = request.body.json();
  const found = concordat.index(index);
  return { body: { upTo: found.upTo, seqnos: found.seqnosOf(key === undefined ? undefined : buf(key), options) } };
}
export function bomb() { const all = []; for (;;) all.push(new Uint8Array(5e7).fill(1)); }
`;

const endpoint = (js_function: string, mode: string) => ({
  js_module: 'main.js',
  js_function,
  mode,
  authn_policies: ['no_auth'],
});

const bundleWith = (concordat: unknown) => ({
  metadata: {
    endpoints: {
      '/m': { post: endpoint('put', 'readwrite') },
      '/index': { post: endpoint('seqnos', 'readonly') },
      '/bomb': { get: endpoint('bomb', 'readonly') },
    },
    concordat,
  },
  modules: [{ name: 'main.js', module: source }],
});

const indexes = {
  byKey: { map: 'm' },
  byAccount: { map: 'm', keyBytes: 1 },
  all: { map: 'public:log', keyBytes: 0 },
};

const bundle = bytesOfBundle(bundleWith({ indexes }));

const post = (node: FakeNode, path: string, body: object) =>
  fetch(node.url + path, { method: 'POST', body: JSON.stringify(body) });

async function put(node: FakeNode, map: string, set: string[], remove: string[] = []) {
  const response = await post(node, '/m', { map, set, remove });
  assert.equal(response.status, 200, await response.clone().text());
  return Number(response.headers.get('x-ms-ccf-transaction-id')?.split('.')[1]);
}

interface Found {
  readonly upTo: number;
  readonly seqnos: readonly number[];
}

/** What an index says once it has come to a seqno. */
async function seqnos(node: FakeNode, upTo: number, asked: object): Promise<readonly number[]> {
  for (let attempt = 0; attempt < 3_000; attempt++) {
    const response = await post(node, '/index', asked);
    if (response.status === 200) {
      const found = (await response.json()) as Found;
      if (found.upTo >= upTo) return found.seqnos;
    }
    await sleep(25);
  }
  throw new Error(`no index up to ${upTo}`);
}

test('an index knows every committed transaction, in the past and as it comes, on every node', async (t) => {
  const node = await createFakeNode(createJavascriptAdapter(), {
    config: patientLimits,
    genesisData: bundle,
  });
  t.after(() => node.close());
  const one = await put(node, 'm', ['ax', 'ay', 'b']);
  const two = await put(node, 'public:log', ['1', '2']);
  const three = await put(node, 'm', ['ay'], ['b', 'never']);
  const check = async (on: FakeNode, upTo: number, more: readonly number[]): Promise<void> => {
    const ask = (asked: object) => seqnos(on, upTo, asked);
    assert.deepEqual(await ask({ index: 'byKey', key: 'ax' }), [one]);
    assert.deepEqual(await ask({ index: 'byKey', key: 'ay' }), [one, three, ...more]);
    assert.deepEqual(await ask({ index: 'byKey', key: 'b' }), [one, three], 'deleting is writing');
    assert.deepEqual(await ask({ index: 'byKey', key: 'never' }), [], 'deleting nothing is not');
    assert.deepEqual(await ask({ index: 'byAccount', key: 'a' }), [one, three, ...more]);
    assert.deepEqual(await ask({ index: 'byAccount', key: 'ax' }), [one, three, ...more]);
    assert.deepEqual(await ask({ index: 'all' }), [two], 'once a transaction');
    const bounds = { from: one + 1, to: three };
    assert.deepEqual(await ask({ index: 'byKey', key: 'ay', ...bounds }), [three]);
    assert.deepEqual(await ask({ index: 'byKey', key: 'ay', limit: 1 }), [one]);
    assert.deepEqual(await ask({ index: 'byKey', key: 'ay', limit: 0 }), []);
  };
  await check(node, three, []);
  const snapshot = await node.ledger.takeSnapshot();
  const live: number[] = [];
  for (let at = 0; at < 20; at++) live.push(await put(node, 'm', ['ay']));
  await check(node, live.at(-1) as number, live);
  const later = await laterNodes(t, node, snapshot);
  for (const other of later) await check(other, live.at(-1) as number, live);
  // A process that ended has lost all of it.
  assert.equal((await fetch(`${node.url}/bomb`)).status, 500);
  await check(node, live.at(-1) as number, live);
  live.push(await put(node, 'm', ['ay']));
  await check(node, live.at(-1) as number, live);
});

test('an index that fills while transactions come leaves none out and takes none twice', async (t) => {
  const node = await createFakeNode(createJavascriptAdapter(), {
    config: patientLimits,
    genesisData: bundle,
  });
  t.after(() => node.close());
  const written: number[] = [];
  for (let round = 0; round < 3; round++) {
    // The index begins anew while all of this comes.
    await fetch(`${node.url}/bomb`);
    const batch = await Promise.all(Array.from({ length: 60 }, () => put(node, 'm', ['k'])));
    written.push(...batch);
    const expected = written.toSorted((a, b) => a - b);
    const found = await seqnos(node, expected.at(-1) as number, { index: 'byKey', key: 'k' });
    assert.deepEqual(found, expected);
  }
});

test('declarations that are none are refused', () => {
  const refused = (concordat: unknown, code = 'BUNDLE_MALFORMED') =>
    assert.throws(() => parseBundle(bytesOfBundle(bundleWith(concordat))), { code });
  for (const wrong of [null, 1, [], { indexes: [] }, { indexes: { a: null } }]) refused(wrong);
  for (const wrong of [{}, { map: '' }, { map: 1 }, { map: 'm', keyBytes: -1 }]) {
    refused({ indexes: { a: wrong } });
  }
  for (const keyBytes of [1.5, '1', 1e9, null]) refused({ indexes: { a: { map: 'm', keyBytes } } });
  for (const name of ['', '1a', 'a b', 'a'.repeat(65)])
    refused({ indexes: { [name]: { map: 'm' } } });
  refused({ indexes: { a: { map: 'm', by: 'value' } } }, 'UNKNOWN_PROPERTY');
  refused({ index: {} }, 'UNKNOWN_PROPERTY');
  const many = Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`i${at}`, { map: 'm' }]));
  refused({ indexes: many });
  assert.equal(parseBundle(bundle).indexes.length, 3);
});
