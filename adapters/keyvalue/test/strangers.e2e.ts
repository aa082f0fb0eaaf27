import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { createFakeNode } from '@concordat/conformance';
import { toActorId } from '@concordat/std';
import { type Actor, nobodyId } from '@concordat/worker-enclave';
import { createKeyvalueAdapter } from '../index.ts';

const nobody: Actor = { actorId: toActorId(nobodyId), name: '', kinds: [], roles: [] };

test('without a certificate the key-value ledger is closed: requests, streams and health', async (t) => {
  const node = await createFakeNode(createKeyvalueAdapter(), { actor: nobody });
  t.after(() => node.close());
  for (const [method, path] of [
    ['PUT', '/kv/a'],
    ['GET', '/kv/a'],
    ['GET', '/kv'],
    ['GET', '/app/stats'],
  ] as const) {
    const response = await fetch(`${node.url}${path}`, {
      method,
      ...(method === 'PUT' && { body: 'b' }),
    });
    assert.equal(response.status, 401, path);
    assert.match(await response.text(), /CLIENT_CERTIFICATE_REQUIRED/);
  }
  const { port } = new URL(node.url);
  const socket = connect(Number(port), '127.0.0.1');
  socket.write(
    'GET /kv/stream HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: concordat-stream/1\r\n\r\n',
  );
  let answer = '';
  for await (const part of socket) answer += part;
  assert.match(answer, /^HTTP\/1.1 401(.|\s)*CLIENT_CERTIFICATE_REQUIRED/);
});

test('requests of strangers have a limit of their own, beside that of actors', async (t) => {
  const node = await createFakeNode(createKeyvalueAdapter(), {
    limits: { maxConnectionsOfStrangers: 1, maxConnections: 1, maxConnectionsPerActor: 1 },
  });
  t.after(() => node.close());
  const strangers = await node.listen(nobody);
  const ask = async (): Promise<string> => {
    const socket = connect(strangers, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.on('error', () => undefined);
    socket.write('GET /kv/a HTTP/1.1\r\nhost: x\r\n\r\n');
    const [head] = (await once(socket, 'data')) as [Buffer];
    return head.toString().slice(9, 12);
  };
  assert.equal(await ask(), '401');
  assert.equal(await ask(), '503', 'a second stranger');
  const own = await fetch(`${node.url}/kv/a`);
  assert.equal(own.status, 404, 'an actor, while strangers have taken all they may');
});
