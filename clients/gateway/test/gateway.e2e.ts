import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import { errorBody, transactionIdHeader } from '@concordat/api';
import { createGateway, type Gateway, GatewayError, type GatewayOptions } from '@concordat/gateway';
import { createOrganisation } from '@concordat/sdk';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import {
  FakeNetwork,
  type FakeServer,
  freeAddress,
  startNode,
  startPlain,
} from '../../sdk/test/fake-network.ts';

const network = new FakeNetwork();
const open: { close(): unknown }[] = [];
after(() => Promise.all(open.map((one) => one.close())));

type Handler = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

const collected =
  (handle: Handler) =>
  (request: IncomingMessage, response: ServerResponse): void => {
    const parts: Buffer[] = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => handle(request, response, Buffer.concat(parts)));
  };

async function node(handle: Handler, port?: number): Promise<FakeServer> {
  const options = { network, handle: collected(handle), ...(port !== undefined && { port }) };
  const server = await startNode(options);
  open.push(server);
  return server;
}

/** A node with a WebSocket endpoint that echoes under its name. */
async function socketNode(name: string): Promise<FakeServer> {
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  const server = await startNode({
    network,
    handle: (_, response) => void response.writeHead(404).end(),
    onUpgrade: (request, socket, head) => {
      if (request.url === '/missing') {
        socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnone');
        return;
      }
      assert.equal(request.headers.origin, undefined);
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.send(`hello from ${name}`);
        webSocket.on('message', (data, isBinary) => webSocket.send(data, { binary: isBinary }));
      });
    },
  });
  open.push(server);
  return server;
}

async function gateway(
  targets: readonly string[],
  options: Partial<GatewayOptions> = {},
): Promise<Gateway> {
  const opened = await createGateway({
    listen: '127.0.0.1:0',
    targets,
    identity: network.member,
    networkCertificate: network.certificate,
    connectTimeoutMs: 20_000,
    ...options,
  });
  open.push({ close: () => opened.close(0) });
  return opened;
}

const rpc = (method: string, id: unknown = 7) =>
  JSON.stringify({ jsonrpc: '2.0', id, method, params: [] });

const post = (url: string, body: string, headers: Record<string, string> = {}) =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });

/** A request with exactly these headers, which fetch would not send. */
async function raw(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(text, 'latin1');
  let answer = '';
  for await (const part of socket.setEncoding('utf8')) answer += part;
  return answer;
}

test('requests reach the node as the participant, without what is local, and answers come back', async () => {
  const seen: IncomingMessage['headers'][] = [];
  const server = await node((request, response, body) => {
    seen.push(request.headers);
    response.setHeader(transactionIdHeader, '2.7');
    response.end(`${request.method} ${request.url} ${body}`);
  });
  const { url } = await gateway([server.address]);
  const answer = await post(`${url}/eth?wait=local`, 'body', {
    origin: 'http://localhost:3000',
    cookie: 'a=b',
    'x-kept': 'yes',
  });
  assert.equal(await answer.text(), 'POST /eth?wait=local body');
  assert.equal(answer.headers.get(transactionIdHeader), '2.7');
  assert.equal(answer.headers.get('access-control-allow-origin'), 'http://localhost:3000');
  const [headers] = seen;
  assert.equal(headers?.host, server.address);
  assert.equal(headers?.['x-kept'], 'yes');
  for (const name of ['origin', 'cookie', 'sec-fetch-mode']) {
    assert.equal(headers?.[name], undefined, name);
  }
});

test('connections to the node are kept', async () => {
  const server = await node((_, response) => response.end('x'));
  const { url } = await gateway([server.address]);
  for (let i = 0; i < 5; i++) await (await post(url, '{}')).text();
  assert.equal(server.accepted(), 1);
});

test('bodies of 16 MiB stream both ways, whatever their framing', async () => {
  const server = await node((_, response, body) => response.end(body));
  const { url } = await gateway([server.address]);
  const body = randomBytes(16 * 1024 * 1024);
  const whole = await fetch(url, { method: 'POST', body });
  assert.ok(Buffer.from(await whole.arrayBuffer()).equals(body));
  const asking = httpRequest(url, {
    method: 'DELETE',
    headers: { 'transfer-encoding': 'chunked' },
  });
  asking.write('chunked ');
  asking.end('body');
  const [answer] = (await once(asking, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of answer) text += part;
  assert.equal(text, 'chunked body');
});

test('an answer is handed on as it comes', async () => {
  const isRead = Promise.withResolvers<void>();
  const server = await node((_, response) => {
    response.write('first', () => void isRead.promise.then(() => response.end('second')));
  });
  const { url } = await gateway([server.address]);
  const answer = await fetch(url);
  const reader = answer.body?.getReader();
  const first = await reader?.read();
  isRead.resolve();
  assert.equal(Buffer.from(first?.value ?? []).toString(), 'first');
  const second = await reader?.read();
  assert.equal(Buffer.from(second?.value ?? []).toString(), 'second');
});

test('when a node is down the next one takes over, and stays', async () => {
  const seen: string[] = [];
  const second = await node((_, response) => {
    seen.push('second');
    response.end('second');
  });
  const events: string[] = [];
  const down = await freeAddress();
  const opened = await gateway([down, second.address], { log: (event) => void events.push(event) });
  for (let i = 0; i < 3; i++) {
    assert.equal(await (await post(opened.url, rpc('eth_sendRawTransaction'))).text(), 'second');
  }
  assert.equal(seen.length, 3);
  assert.equal(opened.target, second.address);
  assert.deepEqual(events, ['gateway.target-failed']);
});

test('a node that does not end its handshake is left for the next one', async () => {
  const mute = await startPlain((socket) => void socket.resume());
  open.push(mute);
  const second = await node((_, response, body) => response.end(body));
  const { url } = await gateway([mute.address, second.address], { connectTimeoutMs: 3_000 });
  const body = 'x'.repeat(3_000_000);
  assert.equal(await (await post(url, body)).text(), body);
});

test('a node of another network is never given a request, and the next one is asked', async () => {
  const foreign = await startNode({
    network: new FakeNetwork(),
    handle: () => assert.fail('asked'),
  });
  open.push(foreign);
  const second = await node((_, response) => response.end('second'));
  const { url } = await gateway([foreign.address, second.address]);
  assert.equal(await (await post(url, rpc('eth_sendRawTransaction'))).text(), 'second');
  const only = await gateway([foreign.address]);
  const answer = await post(only.url, rpc('eth_chainId'));
  assert.equal(answer.status, 502);
  const { error } = (await answer.json()) as { error: { data: unknown } };
  assert.deepEqual(error.data, { code: 'FORWARDING_FAILED', reason: 'WRONG_NETWORK' });
});

test('a node that is not ready is left for the next one, writes included', async () => {
  let asked = 0;
  const starting = await node((_, response) => {
    asked += 1;
    const body = JSON.stringify(errorBody('NODE_NOT_READY'));
    response.writeHead(503, { 'content-length': body.length }).end(body);
  });
  const second = await node((_, response, body) => response.end(body));
  const { url } = await gateway([starting.address, second.address]);
  const write = rpc('eth_sendRawTransaction');
  assert.equal(await (await post(url, write)).text(), write);
  assert.equal(await (await post(url, write)).text(), write);
  assert.equal(asked, 1);
});

test('a node lost in the middle: reads go to the next one, writes are not sent twice', async () => {
  const asked: string[] = [];
  const cutting = await node((request, _response, body) => {
    asked.push(`cut ${body}`);
    request.socket.destroy();
  });
  const second = await node((_, response, body) => {
    asked.push(`second ${body}`);
    response.end('second');
  });
  for (const safe of [rpc('eth_call'), `[${rpc('eth_chainId')},${rpc('net_version')}]`]) {
    const { url } = await gateway([cutting.address, second.address]);
    assert.equal(await (await post(url, safe)).text(), 'second');
  }
  const unsafe = [
    rpc('eth_sendRawTransaction', 'id-1'),
    `[${rpc('eth_call', 1)},${rpc('eth_sendRawTransaction', 2)}]`,
    '{"not":"rpc"}',
  ];
  for (const body of unsafe) {
    const { url } = await gateway([cutting.address, second.address]);
    asked.length = 0;
    const answer = await post(url, body);
    assert.equal(answer.status, 502);
    assert.deepEqual(asked, [`cut ${body}`]);
    const told = JSON.stringify(await answer.json());
    assert.match(told, /TRANSACTION_UNKNOWN/);
    if (body.includes('id-1')) assert.match(told, /"id":"id-1"/);
    if (body.startsWith('[')) assert.match(told, /^\[\{"jsonrpc":"2.0","id":1.*"id":2/);
  }
});

test('a node lost in the middle of a long answer cuts the answer', async () => {
  const server = await node((request, response) => {
    response.writeHead(200, { 'content-length': 100_000 });
    response.write('half', () => setTimeout(() => request.socket.destroy(), 20));
  });
  const { url } = await gateway([server.address]);
  const answer = await fetch(url);
  await assert.rejects(answer.text());
});

test('with no node there is a 503 that JSON-RPC clients and others understand', async () => {
  const { url } = await gateway([await freeAddress(), await freeAddress()]);
  const answer = await post(url, rpc('eth_chainId', 'abc'));
  assert.equal(answer.status, 503);
  assert.equal(answer.headers.get('retry-after'), '1');
  const { id, error } = (await answer.json()) as {
    id: unknown;
    error: { code: number; message: string; data: unknown };
  };
  assert.equal(id, 'abc');
  assert.equal(error.code, -32000);
  assert.match(error.message, /no node serves: .*nothing listens there/);
  assert.deepEqual(error.data, { code: 'NODE_NOT_READY' });
  const other = await fetch(`${url}/kv/a`);
  assert.equal(other.status, 503);
  assert.match(await other.text(), /^\{"error":\{"code":"NODE_NOT_READY"/);
  const large = await post(url, 'x'.repeat(5_000_000));
  assert.equal(large.status, 503);
});

test('a node that takes too long is 504, and a gateway whose certificate is refused says so', async () => {
  const slow = await node(() => {});
  const waiting = await gateway([slow.address], { answerTimeoutMs: 100 });
  const late = await post(waiting.url, rpc('eth_sendRawTransaction'));
  assert.equal(late.status, 504);
  const server = await node((_, response) => response.end());
  const stranger = await gateway([server.address], {
    identity: createOrganisation({ name: 'Mallory' }),
  });
  const refused = await post(stranger.url, rpc('eth_chainId'));
  assert.equal(refused.status, 502);
  const { error } = (await refused.json()) as { error: { data: { code: string } } };
  assert.equal(error.data.code, 'UNKNOWN_ACTOR');
});

test('what an application asks of its callers is theirs to mend: 401 stays 401', async () => {
  const server = await node((_, response) => {
    response.writeHead(401, { 'content-type': 'application/json' });
    response.end(JSON.stringify(errorBody('POLICY_NOT_MET')));
  });
  const { url } = await gateway([server.address]);
  const answer = await fetch(url);
  assert.equal(answer.status, 401);
  assert.equal(((await answer.json()) as { error: { code: string } }).error.code, 'POLICY_NOT_MET');
});

test('web pages of other origins are refused, local ones and extensions are not', async () => {
  const server = await node((_, response) => response.end('in'));
  const { url } = await gateway([server.address], { allowedOrigins: ['https://app.example'] });
  const inside = [
    'http://localhost:3000',
    'https://127.0.0.1',
    'http://[::1]:8080',
    'http://dapp.localhost',
    'chrome-extension://nkbihfbeogaeaoehlefnkodbefgpgknn',
    'moz-extension://0a1b2c3d-0000-4000-8000-000000000000',
    'https://app.example',
  ];
  const outside = [
    'https://evil.example',
    'http://localhost.evil.example',
    'http://evil.example:3000#localhost',
    'http://127.0.0.1.evil.example',
    'null',
    'https://app.example.evil',
    'file://',
  ];
  for (const origin of inside) {
    const answer = await post(url, '{}', { origin });
    assert.equal(answer.headers.get('access-control-allow-origin'), origin);
    assert.equal(await answer.text(), 'in');
  }
  for (const origin of outside) {
    const answer = await post(url, '{}', { origin });
    assert.equal(answer.status, 403, origin);
    assert.equal(answer.headers.get('access-control-allow-origin'), null);
    assert.match(await answer.text(), /FORBIDDEN/);
  }
});

test('preflights are answered here', async () => {
  const server = await node(() => assert.fail('forwarded'));
  const { url } = await gateway([server.address]);
  const answer = await fetch(url, {
    method: 'OPTIONS',
    headers: {
      origin: 'http://localhost:3000',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type,x-own',
      'access-control-request-private-network': 'true',
    },
  });
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get('access-control-allow-headers'), 'content-type,x-own');
  assert.equal(answer.headers.get('access-control-allow-private-network'), 'true');
});

test('a Host header that names another machine is refused unless configured', async () => {
  const server = await node((_, response) => response.end('in'));
  const { url } = await gateway([server.address], { allowedHosts: ['gateway.lan'] });
  const ask = (host: string) =>
    raw(url, `GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
  for (const host of ['localhost', 'LOCALHOST.:8545', '127.0.0.1:1', '[::1]', 'gateway.lan:8545']) {
    assert.match(await ask(host), /^HTTP\/1.1 200/, host);
  }
  for (const host of ['evil.example', 'localhost.evil', '10.0.0.1', '127.0.0.1.nip.io', 'x:y']) {
    assert.match(await ask(host), /^HTTP\/1.1 40[03]/, host);
  }
  const noHost = await raw(url, 'GET / HTTP/1.0\r\n\r\n');
  assert.match(noHost, /^HTTP\/1.1 403/);
  const proxied = await raw(
    url,
    'GET http://127.0.0.1/ HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n',
  );
  assert.match(proxied, /^HTTP\/1.1 403/);
});

test('what is not HTTP is refused without harm to others', async () => {
  const server = await node((_, response) => response.end('in'));
  const { url } = await gateway([server.address]);
  for (const text of [
    'garbage\r\n\r\n',
    '\x16\x03\x01\x02\0\x01',
    `GET / HTTP/1.1\r\n${'a: b\r\n'.repeat(5_000)}`,
  ]) {
    assert.match(await raw(url, text), /^HTTP\/1.1 4/);
  }
  const both =
    'POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n';
  assert.match(await raw(url, both), /^HTTP\/1.1 400/);
  assert.equal(await (await fetch(url)).text(), 'in');
});

test('a client that goes away frees its request at the node', async () => {
  const [gone, leaving] = [Promise.withResolvers<void>(), new AbortController()];
  const server = await node((_request, response) => {
    response.on('close', gone.resolve);
    leaving.abort();
  });
  const { url } = await gateway([server.address]);
  await assert.rejects(fetch(url, { signal: leaving.signal }));
  await gone.promise;
});

const socketUrl = (url: string, path = '/eth'): string => `${url.replace('http', 'ws')}${path}`;

test('WebSockets go through, texts, bytes and large messages', async () => {
  const server = await socketNode('a');
  const { url } = await gateway([server.address]);
  const socket = new WebSocket(socketUrl(url), { origin: 'http://localhost' });
  const received: string[] = [];
  const big = randomBytes(3_000_000);
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('open', () => {
      socket.send('text');
      socket.send(big);
    });
    socket.on('message', (data: RawData, isBinary: boolean) => {
      if (!isBinary) received.push(String(data));
      else {
        assert.ok((data as Buffer).equals(big));
        resolve();
      }
    });
  });
  assert.deepEqual(received, ['hello from a', 'text']);
  socket.close(1000, 'done');
  const [code] = await once(socket, 'close');
  assert.equal(code, 1000);
});

test('a WebSocket finds the node that serves, and is cut with it', async () => {
  const server = await socketNode('b');
  const { url } = await gateway([await freeAddress(), server.address]);
  const socket = new WebSocket(socketUrl(url));
  const [hello] = await once(socket, 'message');
  assert.equal(String(hello), 'hello from b');
  const closed = once(socket, 'close');
  await server.close();
  await closed;
});

test('WebSockets are refused by the guard, by the node, and when there is none', async () => {
  const server = await socketNode('c');
  const served = await gateway([server.address]);
  const none = await gateway([await freeAddress()]);
  const refusals = [
    [new WebSocket(socketUrl(served.url), { origin: 'https://evil.example' }), 403],
    [new WebSocket(socketUrl(served.url), { headers: { host: 'evil.example' } }), 403],
    [new WebSocket(socketUrl(served.url, '/missing')), 404],
    [new WebSocket(socketUrl(none.url)), 503],
  ] as const;
  await Promise.all(
    refusals.map(async ([socket, status]) => {
      const [, answer] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
      assert.equal(answer.statusCode, status);
    }),
  );
  const other = await raw(
    served.url,
    'GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n',
  );
  assert.match(other, /^HTTP\/1.1 400/);
});

test('closing answers what is on the way, cuts WebSockets and frees the port', async () => {
  const [isAsked, isClosing] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const slow = await node((_, response) => {
    isAsked.resolve();
    void isClosing.promise.then(() => response.end('answered'));
  });
  const opened = await gateway([slow.address]);
  const asked = fetch(opened.url);
  await isAsked.promise;
  const closing = opened.close();
  isClosing.resolve();
  assert.equal(await (await asked).text(), 'answered');
  await closing;
  await assert.rejects(fetch(opened.url));
  await opened.close();

  const server = await socketNode('d');
  const withSocket = await gateway([server.address]);
  const socket = new WebSocket(socketUrl(withSocket.url));
  await once(socket, 'message');
  const closed = once(socket, 'close');
  await withSocket.close();
  await closed;
});

test('a taken port, a wrong address and no target are told at the start', async () => {
  const server = await node((_, response) => response.end());
  const { url } = await gateway([server.address]);
  const taken = gateway([server.address], { listen: new URL(url).host });
  await assert.rejects(taken, (error: GatewayError) => error.code === 'LISTEN_FAILED');
  for (const listen of ['', '8545', 'http://x:1', 'x:99999']) {
    const opening = gateway([server.address], { listen });
    await assert.rejects(opening, (error) => error instanceof GatewayError);
  }
  await assert.rejects(gateway([]), (error) => error instanceof GatewayError);
  await assert.rejects(gateway(['nowhere']), { code: 'INVALID_ADDRESS' });
});
