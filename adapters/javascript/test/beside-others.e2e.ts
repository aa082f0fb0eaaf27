import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeNode } from '@concordat/conformance';
import { fromUtf8, utf8 } from '@concordat/std';
import type { BatchSet, LedgerAdapter } from '@concordat/worker-enclave';
import { createJavascriptAdapter } from '../index.ts';
import { bytesOfBundle } from './logging-application.ts';

const source = `
const m = ccf.kv['public:m'];
const key = ({ query }) => ccf.strToBuf(query.split('=')[1]);
export const put = (request) => {
  const size = Number(request.headers['x-size'] ?? 1);
  m.set(key(request), ccf.strToBuf('x'.repeat(size)));
  return { body: { size: m.size } };
};
export const get = () => {
  const keys = [];
  m.forEach((_, name) => { keys.push(ccf.bufToStr(name)); });
  return { body: { keys: keys.sort() } };
};
`;

const endpoint = (js_function: string, mode: string) => ({
  js_module: 'main.js',
  js_function,
  mode,
  authn_policies: ['no_auth'],
});

const bundle = bytesOfBundle({
  metadata: {
    endpoints: { '/m': { put: endpoint('put', 'readwrite'), get: endpoint('get', 'readonly') } },
  },
  modules: [{ name: 'main.js', module: source }],
});

/** Another adapter, whose transactions are words. */
const words: LedgerAdapter<string, string> = {
  id: 'words',
  tables: [{ name: 'words/all', kind: 'hash' }],
  endpoints: [],
  configure: () => undefined,
  admit: (raw) => ({ ok: true, transaction: fromUtf8(raw) }),
  execute: (set: BatchSet, batch) =>
    batch.map(({ transaction }) => {
      set.table('words/all').set(transaction, utf8('x'));
      set.endTransaction();
      return { ok: true, result: transaction };
    }),
};

test('a batch given up leaves nothing in the layer that another adapter fills', async (t) => {
  const node = await createFakeNode([createJavascriptAdapter(), words], {
    genesisData: bundle,
    policies: { maxBlockBytes: 65_536 },
  });
  t.after(() => node.close());
  const put = async (key: string, size = 1): Promise<number> => {
    const headers = { 'x-size': String(size) };
    return (await fetch(`${node.url}/m?key=${key}`, { method: 'PUT', headers })).status;
  };
  const keys = async (): Promise<unknown> => (await fetch(`${node.url}/m`)).json();
  assert.equal(await put('first'), 200);
  // The block would be too large: the batch is given up after its application has run.
  assert.equal(await put('large', 100_000), 413);
  assert.ok((await node.submit(utf8('word'), { adapterId: 'words' })).ok);
  assert.deepEqual(await keys(), { keys: ['first'] });
  assert.equal(await put('second'), 200);
  assert.deepEqual(await keys(), { keys: ['first', 'second'] });
  assert.deepEqual(
    node.events.filter(({ event }) => event.endsWith('application.ended')),
    [],
    'its process never ended',
  );
});
