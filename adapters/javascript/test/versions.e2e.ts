import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeNode, type FakeNode } from '@concordat/conformance';
import { createJavascriptAdapter } from '../index.ts';
import { laterNodes } from './later-nodes.ts';
import { bytesOfBundle } from './logging-application.ts';
import { patientLimits } from './patient-limits.ts';

const source = `
const buf = ccf.strToBuf;
const key = (request) => buf(request.query);
export const put = (request) => { ccf.kv.m.set(key(request), buf('v')); return { body: true }; };
export const remove = (request) => { ccf.kv.m.delete(key(request)); return { body: true }; };
export const version = (request) => {
  const version = ccf.kv.m.getVersionOfPreviousWrite(key(request));
  return { body: version ?? null };
};
// Writes what it saw, and tries to hide that it asked.
export const stamp = (request) => {
  const log = ccf.kv['public:log'];
  let seen;
  try { seen = ccf.kv.m.getVersionOfPreviousWrite(key(request)); } catch { seen = 'caught'; }
  ccf.kv.m.set(key(request), buf('v'));
  const own = ccf.kv.m.getVersionOfPreviousWrite(key(request));
  log.set(buf(String(seen ?? 0)), buf(String(own ?? 0)));
  return { body: { seen: seen ?? null, own: own ?? null } };
};
`;

const endpoint = (js_function: string, mode = 'readwrite') => ({
  js_module: 'main.js',
  js_function,
  mode,
  authn_policies: ['no_auth'],
});

const bundle = bytesOfBundle({
  metadata: {
    endpoints: {
      '/m': {
        put: endpoint('put'),
        delete: endpoint('remove'),
        get: endpoint('version', 'readonly'),
        post: endpoint('stamp'),
        patch: endpoint('version'),
      },
    },
  },
  modules: [{ name: 'main.js', module: source }],
});

interface Answer {
  readonly body: unknown;
  readonly seqno: number;
}

async function ask(node: FakeNode, method: string, key: string): Promise<Answer> {
  const response = await fetch(`${node.url}/m?${key}`, { method });
  assert.equal(response.status, 200, await response.clone().text());
  const id = response.headers.get('x-ms-ccf-transaction-id') ?? '0.0';
  return { body: await response.json(), seqno: Number(id.split('.')[1]) };
}

test('a key has the seqno of the transaction that wrote it, on every kind of node', async (t) => {
  const leader = await createFakeNode(createJavascriptAdapter(), {
    config: patientLimits,
    genesisData: bundle,
  });
  t.after(() => leader.close());
  const a = await ask(leader, 'PUT', 'a');
  await ask(leader, 'PUT', 'b');
  await ask(leader, 'DELETE', 'b');
  const snapshot = await leader.ledger.takeSnapshot();
  const c = await ask(leader, 'PUT', 'c');
  for (const node of [leader, ...(await laterNodes(t, leader, snapshot))]) {
    assert.deepEqual((await ask(node, 'GET', 'a')).body, a.seqno);
    assert.deepEqual((await ask(node, 'GET', 'b')).body, null);
    assert.deepEqual((await ask(node, 'GET', 'c')).body, c.seqno);
    assert.deepEqual((await ask(node, 'GET', 'never')).body, null);
  }
  assert.deepEqual((await ask(leader, 'PATCH', 'a')).body, a.seqno, 'for writers too');
});

test('writers of one key that run together each see the one before, never themselves', async (t) => {
  const node = await createFakeNode(createJavascriptAdapter(), {
    config: patientLimits,
    genesisData: bundle,
  });
  t.after(() => node.close());
  const answers = await Promise.all(Array.from({ length: 150 }, () => ask(node, 'POST', 'hot')));
  const seqnos = answers.map(({ seqno }) => seqno).sort((one, other) => one - other);
  const seen = answers
    .map(({ body }) => (body as { seen: number | null }).seen ?? 0)
    .sort((one, other) => one - other);
  assert.deepEqual(seen, [0, ...seqnos.slice(0, -1)]);
  for (const { body } of answers) {
    const { seen, own } = body as { seen: number | null; own: number | null };
    assert.equal(own, seen, 'its own write does not count');
  }
});

test('versions asked on blocks that another leader takes back are found anew', async (t) => {
  const node = await createFakeNode(createJavascriptAdapter(), {
    config: patientLimits,
    genesisData: bundle,
    commit: 'on-demand',
    policies: { maxBatchTransactions: 1 },
  });
  t.after(() => node.close());
  node.ledger.commit();
  const height = node.ledger.committedHeight;
  const waiting = [1, 2, 3, 4].map(() => ask(node, 'POST', 'k'));
  // Requests over HTTP come when they come.
  const until = performance.now() + 20_000;
  while (node.ledger.blocks.length <= height && performance.now() < until) await node.settled();
  assert.ok(node.ledger.blocks.length > height);
  node.ledger.rollback(height);
  node.ledger.role(true);
  const again = Promise.all(Array.from({ length: 5 }, () => ask(node, 'POST', 'k')));
  const over = Promise.all([Promise.allSettled(waiting), again]).then((all) => {
    isOver = true;
    return all;
  });
  let isOver = false;
  while (!isOver) {
    await node.settled();
    node.ledger.commit();
  }
  const [lost, answered] = await over;
  // Whatever was answered is a chain: each saw the seqno of the one before it.
  const done = [
    ...lost.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])),
    ...answered,
  ]
    .sort((one, other) => one.seqno - other.seqno)
    .map(({ body, seqno }) => [(body as { seen: number | null }).seen ?? 0, seqno]);
  assert.ok(done.length >= 5);
  assert.equal(done[0]?.[0], 0);
  for (const [at, [seen]] of done.slice(1).entries()) assert.equal(seen, done[at]?.[1]);
});
