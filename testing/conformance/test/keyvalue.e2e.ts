import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import {
  answers,
  createKeyvalueAdapter,
  encodeRequest,
  operations,
  waitLocal,
} from '@concordat/keyvalue';
import { utf8 } from '@concordat/std';
import { createFakeNode, type FakeNodeOptions } from '../index.ts';
import { FrameClient } from './raw-client.ts';

const { put, get, delete: remove } = operations;

async function start(t: TestContext, options: FakeNodeOptions = {}) {
  const node = await createFakeNode(createKeyvalueAdapter(), options);
  t.after(() => node.close());
  const request = async (method: string, path: string, body?: string) => {
    const answer = await fetch(`${node.url}${path}`, {
      method,
      ...(body === undefined ? {} : { body }),
    });
    const id = answer.headers.get('x-ms-ccf-transaction-id');
    return { status: answer.status, id, text: await answer.text() };
  };
  return { node, request };
}

describe('the key-value ledger over HTTP', () => {
  it('creates, reads, replaces and deletes, each write one transaction', async (t) => {
    const { request } = await start(t);
    assert.deepEqual(await request('PUT', '/kv/a', 'one'), { status: 201, id: '2.1', text: '' });
    assert.deepEqual(await request('GET', '/kv/a'), { status: 200, id: null, text: 'one' });
    assert.equal((await request('PUT', '/kv/a', 'two')).status, 204);
    assert.equal((await request('DELETE', '/kv/a')).id, '2.3');
    assert.equal((await request('DELETE', '/kv/a')).status, 404);
    assert.equal((await request('GET', '/kv/a')).status, 404);
    assert.deepEqual((await request('PUT', '/kv/b', 'x')).id, '2.4');
  });

  it('takes any text as a key', async (t) => {
    const { request } = await start(t);
    for (const key of ['a/b', 'ü ?#&', '100%', '键', '.hidden']) {
      const path = `/kv/${encodeURIComponent(key)}`;
      assert.equal((await request('PUT', path, key)).status, 201);
      assert.equal((await request('GET', path)).text, key);
    }
    assert.equal((await request('GET', '/kv/a/b')).text, 'a/b');
  });

  it('refuses what is too large or malformed', async (t) => {
    const { request } = await start(t);
    assert.equal((await request('PUT', '/kv/big', 'x'.repeat(65_537))).status, 413);
    assert.equal((await request('PUT', '/kv/max', 'x'.repeat(65_536))).status, 201);
    assert.equal((await request('PUT', `/kv/${'k'.repeat(1_025)}`, 'x')).status, 413);
    assert.equal((await request('PUT', '/kv/', 'x')).status, 400);
    assert.equal((await request('PUT', '/kv/%ff', 'x')).status, 400);
    assert.equal((await request('PUT', '/kv/a?wait=never', 'x')).status, 400);
  });

  it('lists pages in key order, by prefix', async (t) => {
    const { request } = await start(t);
    for (const key of ['b1', 'a2', 'b3', 'a1', 'b2', 'ä']) await request('PUT', `/kv/${key}`, key);
    const page = async (query: string) => {
      const body = JSON.parse((await request('GET', `/kv?${query}`)).text);
      return [body.entries.map(({ key }: { key: string }) => key).join(' '), body.next];
    };
    assert.deepEqual(await page(''), ['a1 a2 b1 b2 b3 ä', undefined]);
    assert.deepEqual(await page('prefix=b&limit=2'), ['b1 b2', 'b2']);
    assert.deepEqual(await page('prefix=b&limit=2&after=b2'), ['b3', undefined]);
    assert.deepEqual(await page('after=b3'), ['ä', undefined]);
    assert.deepEqual(await page('prefix=%C3%A4'), ['ä', undefined]);
    for (const limit of ['0', '1001', '-1', 'x', '1.5']) {
      assert.equal((await request('GET', `/kv?limit=${limit}`)).status, 400);
    }
  });

  it('ends a page early when its values are large', async (t) => {
    const { request } = await start(t);
    const value = 'x'.repeat(65_536);
    for (let at = 0; at < 20; at++)
      await request('PUT', `/kv/k${String(at).padStart(2, '0')}`, value);
    const body = JSON.parse((await request('GET', '/kv')).text);
    assert.equal(body.entries.length, 16);
    assert.equal(body.next, 'k15');
  });

  it('reads committed state only', async (t) => {
    const { node, request } = await start(t, { commit: 'on-demand' });
    assert.equal((await request('PUT', '/kv/a?wait=local', 'x')).status, 201);
    assert.equal((await request('GET', '/kv/a')).status, 404);
    await node.settled();
    node.ledger.commit();
    assert.equal((await request('GET', '/kv/a')).status, 200);
  });
});

describe('the key-value ledger over the framed stream', () => {
  it('writes, reads and refuses in the binary form', async (t) => {
    const { node } = await start(t);
    const client = await FrameClient.open(node.port, '/kv/stream');
    const requests = [
      encodeRequest(put, 'a', utf8('one')),
      encodeRequest(remove, 'nothing'),
      encodeRequest(9, 'a'),
      encodeRequest(put | waitLocal, 'b', utf8('two')),
    ];
    for (const [at, request] of requests.entries()) client.send(at, request);
    const seen = await client.answered(4);
    assert.deepEqual(seen.get(0), Buffer.from([answers.ok, 0, 3, ...utf8('2.1')]));
    assert.deepEqual(seen.get(1), Buffer.of(answers.absent));
    assert.equal(seen.get(2)?.[0], answers.refused);
    assert.equal(seen.get(2)?.toString('utf8', 3, 22), 'INVALID_TRANSACTION');
    assert.deepEqual(seen.get(3), Buffer.of(answers.ok, 0, 0));
    client.send(10, encodeRequest(get, 'a'));
    client.send(11, encodeRequest(get, 'nothing'));
    await client.answered(6);
    assert.deepEqual(client.answers.get(10), Buffer.concat([Buffer.of(answers.ok), utf8('one')]));
    assert.deepEqual(client.answers.get(11), Buffer.of(answers.absent));
    client.socket.destroy();
  });
});
