import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, codeOf, passage } from './external-passage.ts';

test('an answer that only the end of the connection ends is whole when TLS says so', async () => {
  const close = 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n';
  const ended = await passage((socket) => socket.end(`${close}price: 100`));
  assert.equal(Buffer.from((await call(ended)).body).toString(), 'price: 100');
  const large = await passage((socket) => socket.end(close + 'a'.repeat(1_000_000)));
  large.list({ maxAnswerBytes: 1_000_000 });
  assert.equal((await call(large)).body.length, 1_000_000);
  const cut = await passage((socket) => {
    socket.write(`${close}price: 10`);
  });
  const cutting = codeOf(call(cut));
  await new Promise((resolve) => setTimeout(resolve, 200));
  // What the host makes up: the connection has ended, and is closed.
  const [id] = [...cut.sockets.keys()] as [number];
  cut.sockets.get(id)?.removeAllListeners();
  cut.say({ kind: 'external', id, step: 'end' });
  cut.say({ kind: 'external', id, step: 'closed', code: 'EXTERNAL_CONNECTION_LOST', message: '' });
  assert.equal(await cutting, 'EXTERNAL_CONNECTION_LOST');
});

test('a whole answer is one, however its connection ends after it', async () => {
  for (const bytes of [0, 5, 70_000, 1_000_000]) {
    const framed = `HTTP/1.1 200 OK\r\ncontent-length: ${bytes}\r\n\r\n${'a'.repeat(bytes)}`;
    // Without a word of TLS that it is over.
    const server = await passage((socket) => socket.write(framed, () => socket.destroy()));
    server.list({ maxAnswerBytes: 1_000_000 });
    assert.equal((await call(server)).body.length, bytes);
  }
});

test('an answer in more parts than memory could hold one by one is put together', async () => {
  const part = '1\r\na\r\n'.repeat(10_000);
  const server = await passage((socket) => {
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
    for (let at = 0; at < 20; at++) socket.write(part);
    socket.end('0\r\n\r\n');
  });
  server.list({ maxAnswerBytes: 200_000, timeoutMs: 15_000 });
  assert.equal((await call(server)).body.length, 200_000);
});

test('a few interim answers are passed over, many are no answer', async () => {
  const interim = 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n';
  const final = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
  const polite = await passage((socket) => socket.end(interim.repeat(3) + final));
  assert.equal((await call(polite)).status, 200);
  const endless = await passage((socket) => socket.write(interim.repeat(10_000)));
  assert.equal(await codeOf(call(endless)), 'EXTERNAL_ANSWER_MALFORMED');
});

test('an answer to HEAD, and one without content, is whole without a body', async () => {
  const head = await passage((socket) =>
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n'),
  );
  const { status, body } = await call(head, { method: 'HEAD' });
  assert.deepEqual([status, body.length], [200, 0]);
  const none = await passage((socket) => socket.write('HTTP/1.1 204 No Content\r\n\r\n'));
  assert.equal((await call(none, { method: 'DELETE' })).status, 204);
});
