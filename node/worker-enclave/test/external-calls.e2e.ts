import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer as createTcp } from 'node:net';
import { before, test } from 'node:test';
import type { ExternalCall } from '../external-call.ts';
import {
  answers,
  authority,
  type Behaviour,
  call,
  codeOf,
  dayMs,
  get,
  good,
  issue,
  leaf,
  other,
  Passage,
  passage,
  plain,
  root,
  servers,
  sockets,
} from './external-passage.ts';

let echo: Passage;
before(async () => {
  echo = await passage((socket, heard) => {
    const text = Buffer.from(heard, 'latin1').toString('base64');
    socket.end(`HTTP/1.1 201 Made\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
  });
});

test('a listed system is called and answers, and nobody on the way sees what is said', async () => {
  echo.list({ maxAnswerBytes: 10_000 });
  const marker = 'the-secret-of-this-call';
  const { status, body } = await call(echo, {
    method: 'POST',
    headers: [
      ['x-key', marker],
      ['accept', 'a/b'],
      ['accept', 'c/d'],
    ],
    body: Buffer.from(`{"secret":"${marker}"}`),
  });
  assert.equal(status, 201);
  const heard = Buffer.from(Buffer.from(body).toString(), 'base64').toString();
  const [head = '', sent] = heard.split('\r\n\r\n');
  assert.equal(head.split('\r\n')[0], 'POST /rates?of=eur HTTP/1.1');
  const lines = head.toLowerCase().split('\r\n');
  for (const line of [`host: localhost:${echo.port}`, `x-key: ${marker}`, 'accept: a/b']) {
    assert.ok(lines.includes(line), line);
  }
  assert.equal(sent, `{"secret":"${marker}"}`);
  const seen = Buffer.concat(echo.seen).toString('latin1');
  assert.ok(seen.length > 500);
  assert.ok(!seen.includes(marker) && !seen.includes(Buffer.from(marker).toString('base64')));
});

test('an answer of any status is an answer, and a redirection is not followed', async () => {
  const moved = await passage(
    answers('HTTP/1.1 302 Found\r\nlocation: https://elsewhere.example/\r\n\r\n'),
  );
  const answer = await call(moved);
  assert.equal(answer.status, 302);
  assert.deepEqual(answer.headers[0], ['location', 'https://elsewhere.example/']);
  assert.equal(moved.messages.filter(({ step }) => step === 'open').length, 1);
  const missing = await passage(answers('HTTP/1.0 404 Not Here\r\n\r\nno'));
  assert.equal((await call(missing)).status, 404);
});

test('a certificate pinned itself, or its authority, is enough; any other is refused', async () => {
  const server = await passage(answers(plain));
  const refused = 'EXTERNAL_CERTIFICATE_REFUSED';
  server.list({ certificates: [good] });
  assert.equal((await call(server)).status, 200, 'the leaf itself');
  server.list({ certificates: [issue({ of: other }), root] });
  assert.equal((await call(server)).status, 200, 'one of two');
  server.list({ certificates: [issue({ of: other })] });
  assert.equal(await codeOf(call(server)), refused, 'another authority');
  server.list({ certificates: [issue({ of: other, by: authority })] });
  assert.equal(await codeOf(call(server)), refused, 'another leaf of the same authority');
  server.list({ certificates: [] });
  assert.equal(await codeOf(call(server)), refused, 'no root of the runtime');
});

test('the name must be that of the certificate, and its time must not be over', async () => {
  const refused = 'EXTERNAL_CERTIFICATE_REFUSED';
  const server = await passage(answers(plain));
  server.list({ origin: `https://other.example:${server.port}` });
  assert.equal(await codeOf(call(server)), refused);
  server.list({ origin: `https://127.0.0.1:${server.port}` });
  assert.equal(await codeOf(call(server)), refused, 'an address that it does not name');
  const addressed = await passage(
    answers(plain),
    issue({ of: leaf, by: authority, ip: '127.0.0.1' }),
  );
  addressed.list({ origin: `https://127.0.0.1:${addressed.port}` });
  assert.equal((await call(addressed)).status, 200, 'an address that it names');
  server.list({ origin: `https://other.example:${server.port}`, certificates: [good] });
  assert.equal(await codeOf(call(server)), refused, 'pinned or not');
  const expired = issue({ of: leaf, by: authority, notAfterMs: Date.now() - dayMs });
  assert.equal(await codeOf(call(await passage(answers(plain), expired))), refused);
});

test('only what the constitution lists for the adapter is called', async () => {
  const server = await passage(answers(plain));
  const code = 'EXTERNAL_SYSTEM_NOT_LISTED';
  assert.equal(await codeOf(call(server, { system: 'other' })), code);
  assert.equal(await codeOf(server.calls.call('ethereum', get)), code);
  server.list();
  assert.equal(await codeOf(call(server)), code);
  assert.equal(server.messages.length, 0, 'nobody was asked for a connection');
});

test('a request that would be more than one request to that path is refused', async () => {
  const bad: Partial<ExternalCall>[] = [
    { method: 'CONNECT' },
    { method: 'get' },
    { method: 'GET / HTTP/1.1\r\nx: y\r\n\r\nGET' },
    { path: '' },
    { path: 'rates' },
    { path: 'https://elsewhere.example/' },
    { path: '/a b' },
    { path: '/a\r\nx: y' },
    { path: '/ä' },
    { path: '/a#b' },
    { path: `/${'a'.repeat(9_000)}` },
    { body: Buffer.from('x') },
    { method: 'POST', body: Buffer.alloc(1_025) },
    { headers: [['Host', 'x']] },
    { headers: [['host', 'elsewhere.example']] },
    { headers: [['transfer-encoding', 'chunked']] },
    { headers: [['content-length', '0']] },
    { headers: [['connection', 'keep-alive']] },
    { headers: [['proxy-authorization', 'x']] },
    { headers: [['x-a', 'b\r\nc: d']] },
    { headers: [['x-a', 'b\0']] },
    { headers: [['', 'b']] },
    { headers: [['a:b', 'c']] },
    { headers: [['x', 'a'.repeat(9_000)]] },
    { headers: Array.from({ length: 51 }, (_, at) => [`x-${at}`, 'a'] as const) },
  ];
  echo.list({});
  const before = echo.messages.length;
  for (const given of bad) {
    const code = await codeOf(call(echo, given));
    assert.equal(code, 'EXTERNAL_REQUEST_INVALID', JSON.stringify(given).slice(0, 80));
  }
  assert.equal(echo.messages.length, before);
});

test('what is no answer, or too much of one, ends in its code and nothing else', async () => {
  const forever =
    (head: string, part: string): Behaviour =>
    (socket) => {
      socket.write(head);
      const more = (): void => {
        while (!socket.destroyed && socket.write(part));
        if (!socket.destroyed) socket.once('drain', more);
      };
      more();
    };
  const malformed = 'EXTERNAL_ANSWER_MALFORMED';
  const tooLarge = 'EXTERNAL_ANSWER_TOO_LARGE';
  const cases: [string, Behaviour, readonly string[]][] = [
    ['no HTTP', answers('SSH-2.0-server\r\n\r\n'), [malformed]],
    ['bad length', answers('HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n'), [malformed]],
    [
      'two lengths',
      answers('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'),
      [malformed],
    ],
    [
      'length and chunks',
      answers(
        'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      ),
      [malformed],
    ],
    [
      'bad chunk',
      answers('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'),
      [malformed],
    ],
    [
      'chunk without end',
      answers('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffffff\r\n'),
      [malformed],
    ],
    ['header bomb', forever('HTTP/1.1 200 OK\r\n', `x-a: ${'b'.repeat(900)}\r\n`), [malformed]],
    ['one long header', forever('HTTP/1.1 200 OK\r\nx-a: ', 'b'.repeat(9_000)), [malformed]],
    [
      'extension bomb',
      forever('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;', 'a'.repeat(9_000)),
      [malformed],
    ],
    [
      'trailer bomb',
      forever(
        'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n',
        `x-a: ${'b'.repeat(900)}\r\n`,
      ),
      [malformed],
    ],
    ['endless body', forever('HTTP/1.1 200 OK\r\n\r\n', 'a'.repeat(9_000)), [tooLarge]],
    [
      'endless chunks',
      forever('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', '1\r\na\r\n'),
      [tooLarge],
    ],
    [
      'long body',
      answers(`HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n${'a'.repeat(2_000)}`),
      [tooLarge],
    ],
    [
      'half a body',
      answers('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf'),
      ['EXTERNAL_CONNECTION_LOST'],
    ],
    ['nothing', (socket) => socket.end(), ['EXTERNAL_CONNECTION_LOST']],
    ['a reset', (socket) => socket.destroy(), ['EXTERNAL_CONNECTION_LOST']],
    [
      'another protocol',
      answers('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
      [malformed],
    ],
    ['a status', answers('HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n'), [malformed]],
  ];
  for (const [name, behaviour, codes] of cases) {
    const server = await passage(behaviour);
    const code = await codeOf(call(server));
    assert.ok(codes.includes(code), `${name}: ${code}`);
    await call(echo).catch(() => undefined);
  }
});

test('interim answers without end are over with the time of the call', async () => {
  const server = await passage((socket) => {
    const more = (): void => {
      if (socket.destroyed) return;
      socket.write('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n');
      setTimeout(more, 50);
    };
    more();
  });
  server.list({ timeoutMs: 300 });
  assert.equal(await codeOf(call(server)), 'EXTERNAL_TIMEOUT');
});

test('a system that hangs, before TLS or after, costs its time and no more', async () => {
  const silent = createTcp((socket) => sockets.add(socket));
  servers.push(silent);
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const mute = new Passage((silent.address() as AddressInfo).port);
  mute.list({ timeoutMs: 200 });
  assert.equal(await codeOf(call(mute)), 'EXTERNAL_TIMEOUT');
  const hanging = await passage(() => undefined);
  hanging.list({ timeoutMs: 200 });
  assert.equal(await codeOf(call(hanging)), 'EXTERNAL_TIMEOUT');
  assert.equal(hanging.messages.at(-1)?.step, 'close', 'the manager is told');
  const dripping = await passage((socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n');
    const drip = setInterval(() => socket.write('a'), 20);
    socket.on('close', () => clearInterval(drip));
  });
  dripping.list({ timeoutMs: 300 });
  assert.equal(await codeOf(call(dripping)), 'EXTERNAL_TIMEOUT');
});

test('calls have a number, of one system and of all', async () => {
  const hanging = await passage(() => undefined);
  const systems = Array.from({ length: 20 }, (_, at) => ({ name: `s${at}`, timeoutMs: 400 }));
  hanging.list(...systems);
  const open = systems.flatMap(({ name }) =>
    Array.from({ length: 5 }, () => codeOf(call(hanging, { system: name }))),
  );
  const codes = await Promise.all(open);
  const timely = codes.filter((code) => code === 'EXTERNAL_TIMEOUT');
  assert.equal(timely.length, 64);
  const overloaded = codes.filter((code) => code === 'EXTERNAL_OVERLOADED');
  assert.equal(overloaded.length, 36);
  hanging.list({});
  assert.equal(await codeOf(call(hanging, { method: 'CONNECT' })), 'EXTERNAL_REQUEST_INVALID');
});

test('what the manager closes ends with its reason, and what it makes up has none of its own', async () => {
  const hanging = await passage(() => undefined);
  for (const [said, heard] of [
    ['EXTERNAL_SYSTEM_NOT_LISTED', 'EXTERNAL_SYSTEM_NOT_LISTED'],
    ['EXTERNAL_UNREACHABLE', 'EXTERNAL_UNREACHABLE'],
    ['MADE_UP', 'EXTERNAL_CONNECTION_LOST'],
  ] as const) {
    const under = codeOf(call(hanging));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { id } = hanging.messages.findLast(({ step }) => step === 'open') as { id: number };
    hanging.closed(id, said);
    assert.equal(await under, heard);
  }
  hanging.say({ kind: 'external', id: 999, step: 'data', data: Buffer.from('x') });
  const given = codeOf(call(hanging));
  hanging.calls.stop();
  assert.equal(await given, 'EXTERNAL_CONNECTION_LOST');
});

test('a host that answers in place of the system gets nothing said', async () => {
  const heard: Buffer[] = [];
  const liar = createTcp((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (data) => heard.push(data));
    socket.write(plain);
  });
  servers.push(liar);
  liar.listen(0, '127.0.0.1');
  await once(liar, 'listening');
  const lied = new Passage((liar.address() as AddressInfo).port);
  lied.list({});
  assert.equal(await codeOf(call(lied)), 'EXTERNAL_TLS_FAILED');
  assert.ok(!Buffer.concat(heard).toString('latin1').includes('/rates'));
});
