import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import {
  answers,
  createKeyvalueAdapter,
  encodeRequest,
  linearizable,
  operations,
  waitLocal,
} from '@concordat/keyvalue';
import { utf8 } from '@concordat/std';
import { WebSocket } from 'ws';
import { createFakeNode, type FakeNode } from '../index.ts';
import { exchange, FrameClient, statusOf } from './raw-client.ts';
import { createToyAdapter } from './toy-adapter.ts';

const fresh = { 'concordat-consistency': 'linearizable' };
const value = (text: string): Buffer => Buffer.concat([Buffer.of(answers.ok), utf8(text)]);

/** A follower whose barriers the test answers, and the leader it follows. */
async function start(t: TestContext) {
  const barriers: ((code?: string) => void)[] = [];
  let told: (() => void) | undefined;
  const adapters = () => [createKeyvalueAdapter(), createToyAdapter()];
  const leader = await createFakeNode(adapters());
  t.after(() => leader.close());
  const node = await createFakeNode(adapters(), {
    follows: leader,
    onReadBarrier: (reply) => {
      barriers.push(reply);
      told?.();
    },
  });
  t.after(() => node.close());
  const barrier = async (): Promise<(code?: string) => void> => {
    while (barriers.length === 0) await new Promise<void>((resolve) => (told = resolve));
    return barriers.shift() as (code?: string) => void;
  };
  return { node, leader, barriers, barrier };
}

const put = (node: FakeNode, key: string, body: string) =>
  fetch(`${node.url}/kv/${key}`, { method: 'PUT', body });

describe('linearizable reads over HTTP', () => {
  it('are answered after the barrier, with all that was committed before it', async (t) => {
    const { node, leader, barrier } = await start(t);
    await put(leader, 'a', 'old');
    const read = fetch(`${node.url}/kv/a`, { headers: fresh });
    const pass = await barrier();
    await put(leader, 'a', 'new');
    pass();
    assert.equal(await (await read).text(), 'new');
  });

  it('are refused with a code worth a retry when nothing is certain', async (t) => {
    const { node, leader, barrier } = await start(t);
    await put(leader, 'a', 'old');
    for (const code of ['READ_NOT_CONFIRMED', 'LEADER_UNKNOWN', 'OVERLOADED']) {
      const read = fetch(`${node.url}/kv/a`, { headers: fresh });
      (await barrier())(code);
      const answer = await read;
      assert.equal(answer.status, 503);
      assert.equal(answer.headers.get('retry-after'), '1');
      const body = (await answer.json()) as { error: { code: string; message: string } };
      assert.equal(body.error.code, code);
      assert.ok(!body.error.message.includes('old'));
    }
  });

  it('need no barrier when none asks for one', async (t) => {
    const { node, leader, barriers } = await start(t);
    await put(leader, 'a', 'x');
    assert.equal((await fetch(`${node.url}/kv/a`)).status, 200);
    const headers = { 'concordat-consistency': 'committed' };
    assert.equal((await fetch(`${node.url}/kv/a`, { headers })).status, 200);
    assert.equal(barriers.length, 0);
  });

  it('refuse a header with another value, or given twice', async (t) => {
    const { node } = await start(t);
    for (const lines of [
      'concordat-consistency: strong\r\n',
      'concordat-consistency:\r\n',
      'concordat-consistency: linearizable\r\nconcordat-consistency: linearizable\r\n',
    ]) {
      const head = `GET /kv/a HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${lines}\r\n`;
      assert.equal(statusOf(await exchange(node.port, head)), 400);
    }
  });

  it('hold any endpoint of any adapter', async (t) => {
    const { node, barrier } = await start(t);
    const read = fetch(`${node.url}/echo/x`, { method: 'POST', body: 'four', headers: fresh });
    (await barrier())();
    assert.equal(((await (await read).json()) as { bytes: number }).bytes, 4);
  });
});

describe('linearizable reads over a WebSocket', () => {
  const open = async (node: FakeNode) => {
    const socket = new WebSocket(`${node.url.replace('http', 'ws')}/socket`, { headers: fresh });
    const seen: string[] = [];
    socket.on('message', (data) => seen.push(String(data)));
    await once(socket, 'message');
    return { socket, seen };
  };

  it('hold every message until its barrier, in order', async (t) => {
    const { node, barriers, barrier } = await start(t);
    const { socket, seen } = await open(node);
    socket.send('one');
    const first = await barrier();
    socket.send('two');
    const second = await barrier();
    second();
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.deepEqual(seen, ['hello alice']);
    first();
    while (seen.length < 3) await once(socket, 'message');
    assert.deepEqual(seen.slice(1), ['one', 'two']);
    assert.equal(barriers.length, 0);
    socket.close();
  });

  it('close the connection of an endpoint that cannot refuse a message', async (t) => {
    const { node, barrier } = await start(t);
    const { socket, seen } = await open(node);
    socket.send('one');
    (await barrier())('READ_NOT_CONFIRMED');
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    assert.deepEqual([code, `${reason}`], [1013, 'READ_NOT_CONFIRMED']);
    assert.equal(seen.length, 1);
  });
});

describe('linearizable reads over the framed stream of the key-value ledger', () => {
  it('are asked for by a flag of the get, and share a barrier', async (t) => {
    const { node, leader, barriers, barrier } = await start(t);
    await put(leader, 'a', 'old');
    const client = await FrameClient.open(node.port, '/kv/stream');
    for (const id of [1, 2]) client.send(id, encodeRequest(operations.get | linearizable, 'a'));
    client.send(3, encodeRequest(operations.get, 'a'));
    await client.answered(1);
    assert.deepEqual(client.answers.get(3), value('old'));
    const pass = await barrier();
    await put(leader, 'a', 'new');
    pass();
    for (const extra of barriers.splice(0)) extra();
    await client.answered(3);
    assert.deepEqual(client.answers.get(1), value('new'));
    assert.deepEqual(client.answers.get(2), value('new'));
    client.socket.destroy();
  });

  it('are refused with the code, and only gets may ask', async (t) => {
    const { node, barrier } = await start(t);
    const client = await FrameClient.open(node.port, '/kv/stream');
    client.send(1, encodeRequest(operations.get | linearizable, 'a'));
    (await barrier())('LEADER_UNKNOWN');
    client.send(2, encodeRequest(operations.put | linearizable, 'a', utf8('x')));
    client.send(3, encodeRequest(operations.delete | linearizable | waitLocal, 'a'));
    await client.answered(3);
    const refusals = [1, 2, 3].map((id) => client.answers.get(id) as Buffer);
    assert.deepEqual(
      refusals.map((body) => [body[0], body.toString('latin1', 3, 3 + body.readUInt16BE(1))]),
      [
        [answers.refused, 'LEADER_UNKNOWN'],
        [answers.refused, 'INVALID_TRANSACTION'],
        [answers.refused, 'INVALID_TRANSACTION'],
      ],
    );
    client.socket.destroy();
  });

  it('are not promised for a whole stream', async (t) => {
    const { node } = await start(t);
    const head =
      'GET /kv/stream HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n' +
      'upgrade: concordat-stream/1\r\nconcordat-consistency: linearizable\r\n\r\n';
    assert.equal(statusOf(await exchange(node.port, head)), 400);
  });
});
