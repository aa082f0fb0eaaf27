import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { endUserHeader } from '@concordat/api';
import { createGateway } from '@concordat/gateway';
import { FakeNetwork, startNode } from '../../sdk/test/fake-network.ts';
import { FrontEnd } from './front-end.ts';

suite('where a request ends', { concurrency: false }, () => {
  let front: FrontEnd;
  before(async () => {
    front = await FrontEnd.start();
  });
  after(() => front?.close());

  /** Sends bytes as they are, and gives what comes back until the connection ends. */
  async function sent(text: string): Promise<string> {
    const { hostname, port } = new URL(front.publicUrl);
    const socket = connect(Number(port), hostname);
    let answer = '';
    socket.on('data', (part) => {
      answer += part.toString('latin1');
    });
    socket.write(text, 'latin1');
    await once(socket, 'close');
    return answer;
  }

  test('no body becomes a request of its own, whatever the client calls a header of the connection', async () => {
    const { host } = new URL(front.publicUrl);
    const inner = `GET /app/tellers/1 HTTP/1.1\r\nhost: x\r\n${endUserHeader}: forged\r\n\r\n`;
    const chunked = `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`;
    const framings = [
      [`connection: close, content-length\r\ncontent-length: ${inner.length}\r\n`, inner],
      ['connection: close, transfer-encoding\r\ntransfer-encoding: chunked\r\n', chunked],
    ] as const;
    for (const method of ['GET', 'DELETE', 'OPTIONS', 'QUERY', 'POST']) {
      for (const [headers, body] of framings) {
        front.reached.length = 0;
        const head = `${method} /app/open/1 HTTP/1.1\r\nhost: ${host}\r\n${headers}\r\n`;
        assert.match(await sent(head + body), /^HTTP\/1\.1 200 /, `${method} ${headers}`);
        // Whatever was left on the connection to the node would be answered there before this one.
        await sent(`GET /app/open/2 HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
        assert.equal(front.reached.length, 2, `${method} ${headers}`);
        assert.ok(front.reached.every((one) => one[endUserHeader] === undefined));
      }
    }
  });
});

test('a node’s answer that cannot be handed on ends its request and nothing else', async () => {
  const network = new FakeNetwork();
  const answers = ['HTTP/1.1 099 Odd', 'HTTP/1.1 000 Odd', 'HTTP/1.1 204 Fine'];
  const node = await startNode({
    network,
    handle: ({ socket }) => {
      socket.end(`${answers.shift()}\r\ncontent-length: 0\r\n\r\n`);
    },
  });
  const gateway = await createGateway({
    listen: '127.0.0.1:0',
    targets: [node.address],
    identity: network.member,
    networkCertificate: network.certificate,
  });
  try {
    const statuses = [];
    for (let count = 0; count < 3; count++) statuses.push((await fetch(gateway.url)).status);
    assert.deepEqual(statuses, [502, 502, 204]);
  } finally {
    await gateway.close(0);
    await node.close();
  }
});

test('end users are not told where the nodes are; the log is', async () => {
  const front = await FrontEnd.start({ gateway: { targets: ['127.0.0.1:1'] } });
  try {
    const answer = await fetch(`${front.publicUrl}/app/open/1`);
    assert.equal(answer.status, 503);
    const { error } = (await answer.json()) as { error: { code: string; message: string } };
    assert.deepEqual(error, { code: 'NODE_NOT_READY', message: 'no node serves' });
    const told = front.events.find(([event]) => event === 'gateway.target-failed');
    assert.equal(told?.[1].target, '127.0.0.1:1');
  } finally {
    await front.close();
  }
});
