import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AnswerError, buildBundle, createClient } from '@concordat/app';
import { createFakeActor, createFakeNode, type FakeNode } from '@concordat/conformance';
import {
  checkWithEngine,
  createJavascriptAdapter,
  parseBundle,
  sourceProgram,
} from '@concordat/javascript';
import type bank from './bank.ts';
import { fetchingClient } from './fetching-client.ts';

suite('an application with types on the worker runtime', { concurrency: false }, () => {
  let node: FakeNode;
  let bytes: Uint8Array;
  before(async () => {
    ({ bytes } = await buildBundle(fileURLToPath(new URL('bank.ts', import.meta.url))));
    node = await createFakeNode(createJavascriptAdapter(), {
      config: { maxRequestMs: 4_000, maxBatchMs: 4_000 },
      genesisData: bytes,
    });
  });
  after(() => node.close());

  const client = (url = node.url) => createClient<typeof bank>(fetchingClient(url));
  const amount = (amount: number) => ({ body: { amount } });

  test('is a bundle that the adapter and the engine accept', () => {
    assert.equal(parseBundle(bytes).endpoints.length, 6);
    checkWithEngine(sourceProgram(), bytes);
  });

  test('opens, pays in and shows, with the types of its definition', async () => {
    const { status, body } = await client().call('PUT /accounts/{id}', {
      params: { id: 'a/ä b' },
      body: { owner: 'Ann' },
    });
    assert.deepEqual([status, body], [201, { owner: 'Ann', balance: 0 }]);
    for (let number = 1; number <= 5; number++) {
      const params = { id: 'a/ä b', number };
      const paid = await client().call('POST /accounts/{id}/deposits/{number}', {
        params,
        ...amount(number),
      });
      assert.deepEqual([paid.status, paid.body], [204, undefined]);
    }
    const shown = await client().call('GET /accounts/{id}', { params: { id: 'a/ä b' } });
    assert.deepEqual(shown.body, { owner: 'Ann', balance: 15 });
    const journal = await client().call('GET /accounts/{id}/journal', { params: { id: 'a/ä b' } });
    assert.deepEqual(journal.body, { count: 5, amounts: [5, 4, 3] });
  });

  test('refuses by code and place, and writes nothing then', async () => {
    const state = node.dumpHead();
    const refused = async (status: number, code: string, call: () => Promise<unknown>) => {
      await assert.rejects(call, (error) => {
        assert.ok(error instanceof AnswerError, String(error));
        assert.deepEqual([error.status, error.code], [status, code], error.message);
        return true;
      });
      assert.deepEqual(node.dumpHead(), state);
    };
    const params = { id: 'nobody', number: 1 };
    const deposit = 'POST /accounts/{id}/deposits/{number}';
    await refused(404, 'NoSuchAccount', () => client().call(deposit, { params, ...amount(1) }));
    await refused(400, 'InvalidInput', () => client().call(deposit, { params, ...amount(0) }));
    const none = { params: { id: 'x', number: 0 } };
    await refused(400, 'InvalidInput', () => client().call(deposit, { ...none, ...amount(1) }));
    await refused(403, 'AuthorizationFailed', () => client().call('GET /accounts'));
    const raw = {
      method: 'PUT',
      body: '{"owner":',
      headers: { 'content-type': 'application/json' },
    };
    const answer = await fetch(`${node.url}/accounts/x`, raw);
    assert.deepEqual(
      [answer.status, await answer.json()],
      [
        400,
        {
          error: {
            code: 'InvalidInput',
            message: 'body: it is not JSON',
            details: { path: 'body' },
          },
        },
      ],
    );
    const other = await fetch(`${node.url}/accounts/x`, { method: 'PUT', body: '{}' });
    assert.equal(other.status, 415);
  });

  test('gives pages that neither skip nor repeat while accounts come and go', async () => {
    const auditor = { ...createFakeActor('auditor'), roles: ['auditor'] };
    const port = await node.listen(auditor);
    const audit = client(`http://127.0.0.1:${port}`);
    const idOf = (at: number) => `p${String(at).padStart(3, '0')}`;
    const open = (id: string) =>
      client().call('PUT /accounts/{id}', { params: { id }, body: { owner: 'x' } });
    for (let at = 0; at < 60; at += 2) await open(idOf(at));
    const seen: string[] = [];
    let token: string | undefined;
    let round = 0;
    do {
      const query = { prefix: 'p', limit: 7, ...(token !== undefined && { token }) };
      const { body } = await audit.call('GET /accounts', { query });
      seen.push(...body.items.map(({ id }) => id));
      token = body.next;
      // One behind the pages so far, one ahead of them.
      await open(idOf(1 + round * 2));
      await open(`p9${round}`);
      round += 1;
    } while (token !== undefined);
    const old = Array.from({ length: 30 }, (_, at) => idOf(at * 2));
    assert.deepEqual(
      seen.filter((id) => old.includes(id)),
      old,
    );
    assert.equal(new Set(seen).size, seen.length);
    assert.deepEqual(seen, [...seen].sort());
    assert.ok(seen.includes('p90'));
    const first = await audit.call('GET /accounts', { query: { prefix: 'p', limit: 2 } });
    const next = first.body.next as string;
    for (const [prefix, given] of [
      ['q', next],
      ['p', `${next.slice(0, -2)}AA`],
      ['p', 'x'],
      ['p', ''],
    ] as const) {
      const call = audit.call('GET /accounts', { query: { prefix, token: given } });
      await assert.rejects(call, { code: 'InvalidPageToken', status: 400 });
    }
  });

  test('draws from the enclave, and keeps nothing of one request for the next', async () => {
    const draws = await Promise.all(Array.from({ length: 50 }, () => client().call('POST /draws')));
    const ids = new Set(draws.map(({ body }) => body.id));
    assert.equal(ids.size, 50);
    for (const id of ids)
      assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.ok(draws.every(({ body }) => body.number >= 1 && body.number <= 6));
    assert.ok(draws.every(({ body }) => body.caller === 'alice'));
  });
});
