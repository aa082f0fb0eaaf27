import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { utf8 } from '@concordat/std';
import { createFakeActor, createFakeNode, type FakeNodeOptions } from '../index.ts';
import { exchange, FrameClient, frame, readAll, statusOf } from './raw-client.ts';
import { createToyAdapter } from './toy-adapter.ts';

async function start(t: TestContext, options: FakeNodeOptions = {}) {
  const node = await createFakeNode(createToyAdapter(), options);
  t.after(() => node.close());
  return node;
}

const get = (path: string, headers = 'host: localhost\r\n'): string =>
  `GET ${path} HTTP/1.1\r\n${headers}connection: close\r\n\r\n`;

describe('HTTP in the worker', () => {
  it('serves endpoints with the actor of the connection', async (t) => {
    const node = await start(t);
    const answer = await fetch(`${node.url}/echo/a%2Fb?x=1`, { method: 'POST', body: 'four' });
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    const seen = { path: '/echo/a%2Fb', query: 'x=1', bytes: 4, actor: 'alice' };
    assert.deepEqual(await answer.json(), seen);
    const port = await node.listen(createFakeActor('bob'));
    const other = await fetch(`http://127.0.0.1:${port}/echo/`);
    assert.equal(((await other.json()) as { actor: string }).actor, 'bob');
  });

  it('answers requests one after another on one connection', async (t) => {
    const node = await start(t);
    const requests = [get('/echo/1'), get('/echo/2')].map((text) =>
      text.replace(/connection.*\r\n/, ''),
    );
    const answer = await exchange(node.port, `${requests.join('')}${get('/echo/3')}`);
    assert.deepEqual(answer.match(/echo\/\d/g), ['echo/1', 'echo/2', 'echo/3']);
  });

  it('answers health and stats itself', async (t) => {
    const node = await start(t);
    await fetch(`${node.url}/submit`, { method: 'POST', body: 'set a 1' });
    const health = (await (await fetch(`${node.url}/app/health`)).json()) as { ok: boolean };
    assert.equal(health.ok, true);
    const stats = (await (await fetch(`${node.url}/app/stats`)).json()) as {
      pipeline: { transactions: { committed: number }; commitLatencyMs: { count: number } };
    };
    assert.equal(stats.pipeline.transactions.committed, 1);
    assert.equal(stats.pipeline.commitLatencyMs.count, 1);
  });

  it('answers unknown paths, methods and failing handlers from the catalogue', async (t) => {
    const node = await start(t);
    for (const [path, method, status, code] of [
      ['/nowhere', 'GET', 404, 'NOT_FOUND'],
      ['/submit', 'GET', 405, 'METHOD_NOT_ALLOWED'],
      ['/fail', 'GET', 500, 'INTERNAL_ERROR'],
    ] as const) {
      const answer = await fetch(`${node.url}${path}`, { method });
      assert.equal(answer.status, status);
      assert.equal(((await answer.json()) as { error: { code: string } }).error.code, code);
    }
  });

  it('refuses bodies beyond the limit, announced or not', async (t) => {
    const node = await start(t, { limits: { maxBodyBytes: 1_000 } });
    const announced = await fetch(`${node.url}/submit`, {
      method: 'POST',
      body: 'x'.repeat(1_001),
    });
    assert.equal(announced.status, 413);
    const chunks = `${(800).toString(16)}\r\n${'x'.repeat(800)}\r\n`.repeat(2);
    const head = 'POST /submit HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n';
    assert.equal(statusOf(await exchange(node.port, `${head}${chunks}0\r\n\r\n`)), 413);
  });

  for (const [what, request] of [
    ['two Host headers', get('/echo/', 'host: a\r\nhost: b\r\n')],
    ['no Host header', get('/echo/', '')],
    ['an absolute target', get('http://other/echo/')],
    ['dot segments', get('/echo/../submit')],
    ['escaped dot segments', get('/echo/%2e%2E/submit')],
    ['empty segments', get('//echo/')],
    ['a backslash', get('/echo\\..\\submit')],
    ['an escaped NUL', get('/echo/%00')],
    ['a broken escape', get('/echo/%zz')],
    ['a page of another origin', get('/echo/', 'host: a\r\norigin: https://evil.example\r\n')],
    [
      'a length beside chunks',
      'POST /submit HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    [
      'two lengths',
      'POST /submit HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab',
    ],
    ['HTTP/0.9', 'GET /echo/\r\n\r\n'],
    ['noise', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['oversized headers', get('/echo/', `host: a\r\nx: ${'y'.repeat(20_000)}\r\n`)],
  ] as const) {
    it(`refuses ${what}`, async (t) => {
      const node = await start(t);
      const status = statusOf(await exchange(node.port, request));
      assert.equal(status, what === 'oversized headers' ? 431 : 400);
    });
  }

  it('cuts off clients that send their request too slowly', async (t) => {
    const node = await start(t, { limits: { headersTimeoutMs: 200, requestTimeoutMs: 200 } });
    const socket = connect(node.port, '127.0.0.1');
    const trickle = setInterval(() => socket.write('x'), 50);
    socket.write('GET /echo/ HTTP/1.1\r\nhost: a\r\nx: ');
    const answer = await readAll(socket);
    clearInterval(trickle);
    assert.equal(statusOf(answer), 408);
  });

  it('closes idle connections', async (t) => {
    const node = await start(t, { limits: { keepAliveTimeoutMs: 100 } });
    const socket = connect(node.port, '127.0.0.1');
    socket.write('GET /echo/ HTTP/1.1\r\nhost: a\r\n\r\n');
    assert.equal(statusOf(await readAll(socket)), 200);
  });

  it('bounds the connections of one actor, not those of others', async (t) => {
    const node = await start(t, { limits: { maxConnectionsPerActor: 2 } });
    const held = [connect(node.port, '127.0.0.1'), connect(node.port, '127.0.0.1')];
    await Promise.all(held.map((socket) => once(socket, 'connect')));
    const refused = await exchange(node.port, get('/echo/'));
    assert.equal(statusOf(refused), 503);
    assert.match(refused, /retry-after: 1/);
    const port = await node.listen(createFakeActor('bob'));
    assert.equal(statusOf(await exchange(port, get('/echo/'))), 200);
    for (const socket of held) socket.destroy();
    let status = 503;
    for (let tries = 0; tries < 1_000 && status === 503; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      status = statusOf(await exchange(node.port, get('/echo/'))) as number;
    }
    assert.equal(status, 200, 'the places that were given up are free');
  });
});

describe('WebSockets in the worker', () => {
  it('carries text and binary messages and picks a subprotocol', async (t) => {
    const node = await start(t);
    const socket = new WebSocket(`ws://127.0.0.1:${node.port}/socket`, ['other', 'toy.v1']);
    socket.binaryType = 'arraybuffer';
    const messages: unknown[] = [];
    const done = new Promise<void>((resolve) => {
      socket.onmessage = ({ data }) => {
        messages.push(typeof data === 'string' ? data : Buffer.from(data as ArrayBuffer));
        if (messages.length === 3) resolve();
      };
    });
    await once(socket, 'open');
    assert.equal(socket.protocol, 'toy.v1');
    socket.send('text');
    socket.send(Buffer.of(1, 2, 3));
    await done;
    assert.deepEqual(messages, ['hello alice', 'text', Buffer.of(1, 2, 3)]);
    socket.close();
    await once(socket, 'close');
  });

  it('closes on messages beyond the limit and on silence between pings', async (t) => {
    const limits = { maxWebSocketMessageBytes: 100, pingIntervalMs: 50 };
    const node = await start(t, { limits });
    const socket = new WebSocket(`ws://127.0.0.1:${node.port}/socket`);
    await once(socket, 'open');
    socket.send('x'.repeat(101));
    const [closed] = (await once(socket, 'close')) as [{ code: number }];
    assert.equal(closed.code, 1009);
    const mute = connect(node.port, '127.0.0.1');
    const upgrade = 'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n';
    mute.write(
      `GET /socket HTTP/1.1\r\nhost: a\r\n${upgrade}sec-websocket-key: ${'A'.repeat(22)}==\r\n\r\n`,
    );
    assert.equal(statusOf(await readAll(mute)), 101);
  });

  it('refuses upgrades to what is not there', async (t) => {
    const node = await start(t);
    const upgrade = (path: string, protocol: string) =>
      exchange(
        node.port,
        get(path, `host: a\r\nupgrade: ${protocol}\r\n`).replace('close', 'upgrade'),
      );
    assert.equal(statusOf(await upgrade('/nowhere', 'websocket')), 404);
    assert.equal(statusOf(await upgrade('/nowhere', 'concordat-stream/1')), 404);
    assert.equal(statusOf(await upgrade('/socket', 'h2c')), 400);
  });
});

describe('framed streams in the worker', () => {
  it('answers any number of requests in flight by their id', async (t) => {
    const node = await start(t);
    const client = await FrameClient.open(node.port, '/frames', frame(1, utf8('set early 1')));
    for (let id = 2; id <= 500; id++) client.send(id, utf8(`set k${id} ${id}`));
    const answers = await client.answered(500);
    assert.equal(answers.get(1)?.toString(), 'ok early=1');
    for (let id = 2; id <= 500; id++) assert.equal(answers.get(id)?.toString(), `ok k${id}=${id}`);
    client.socket.destroy();
  });

  it('takes frames cut anywhere', async (t) => {
    const node = await start(t);
    const client = await FrameClient.open(node.port, '/frames');
    const bytes = Buffer.concat([frame(7, utf8('set a 1')), frame(8, utf8('set b 2'))]);
    for (const byte of bytes) {
      client.socket.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const answers = await client.answered(2);
    assert.deepEqual([...answers.values()].map(String), ['ok a=1', 'ok b=2']);
    client.socket.destroy();
  });

  it('closes on frames that are too short or too long', async (t) => {
    const node = await start(t, { limits: { maxStreamFrameBytes: 100 } });
    for (const length of [0, 3, 105, 0xffff_ffff]) {
      const client = await FrameClient.open(node.port, '/frames');
      const bytes = Buffer.alloc(8);
      bytes.writeUInt32BE(length, 0);
      client.socket.write(bytes);
      await once(client.socket, 'close');
    }
  });

  it('holds a stream back while the queue is long instead of growing', async (t) => {
    const limits = { maxQueuedTransactions: 1_000, maxInFlightPerActor: 100_000 };
    const node = await start(t, { commit: 'on-demand', limits });
    const client = await FrameClient.open(node.port, '/frames');
    const count = 20_000;
    for (let id = 1; id <= count; id++) client.send(id, utf8(`set k${id % 10} ${'v'.repeat(500)}`));
    const committing = setInterval(() => node.ledger.commit(), 1);
    const answers = await client.answered(count);
    clearInterval(committing);
    const ok = [...answers.values()].filter((answer) => answer.toString().startsWith('ok')).length;
    assert.ok(ok >= 500, `${ok} of ${count} were ordered`);
    const events = node.events.filter(({ event }) => /failed/.test(event));
    assert.deepEqual(events, []);
    client.socket.destroy();
  });
});
