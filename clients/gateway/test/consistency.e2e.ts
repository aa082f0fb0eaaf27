import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { after, test } from 'node:test';
import { createGateway, type GatewayOptions } from '@concordat/gateway';
import { WebSocket } from 'ws';
import { FakeNetwork, startNode } from '../../sdk/test/fake-network.ts';

const network = new FakeNetwork();
const open: { close(): unknown }[] = [];
after(() => Promise.all(open.map((one) => one.close())));

test('how fresh answers must be is asked by the client, or by the gateway for it', async () => {
  const seen: (string | string[] | undefined)[] = [];
  const hear = (request: IncomingMessage) => seen.push(request.headers['concordat-consistency']);
  const server = await startNode({
    network,
    handle: (request, response) => {
      hear(request);
      response.end();
    },
    onUpgrade: (request, socket) => {
      hear(request);
      socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n');
    },
  });
  open.push(server);
  const asks = async (options: Partial<GatewayOptions>, headers: Record<string, string>) => {
    const opened = await createGateway({
      listen: '127.0.0.1:0',
      targets: [server.address],
      identity: network.member,
      networkCertificate: network.certificate,
      ...options,
    });
    open.push({ close: () => opened.close(0) });
    const { url } = opened;
    await fetch(url, { headers });
    const socket = new WebSocket(url.replace('http', 'ws'), { headers });
    await once(socket, 'error');
    return seen.splice(0);
  };
  const fresh = { 'concordat-consistency': 'linearizable' };
  const plain = { 'concordat-consistency': 'committed' };
  assert.deepEqual(await asks({}, {}), [undefined, undefined]);
  assert.deepEqual(await asks({}, fresh), ['linearizable', 'linearizable']);
  const always = { consistency: 'linearizable' } as const;
  assert.deepEqual(await asks(always, {}), ['linearizable', 'linearizable']);
  assert.deepEqual(await asks(always, plain), ['committed', 'committed']);
});
