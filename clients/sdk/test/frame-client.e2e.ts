import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { type FrameClient, openFrameClient, SdkError, streamProtocol } from '@concordat/sdk';
import { FakeNetwork, startNode } from './fake-network.ts';

const network = new FakeNetwork();
const open: { close(): unknown }[] = [];
after(() => Promise.all(open.map((one) => one.close())));

/** A stream endpoint: takes the socket after the switch of protocols. */
async function streaming(
  serve: (socket: TLSSocket) => void,
  options: { readonly stallTimeoutMs?: number; readonly maxInFlight?: number } = {},
  switched = `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${streamProtocol}\r\n\r\n`,
): Promise<FrameClient> {
  const server = await startNode({
    network,
    handle: (_, response) => void response.writeHead(404).end(),
    onUpgrade: (_, duplex) => {
      const socket = duplex as TLSSocket;
      socket.on('error', () => {});
      socket.write(switched);
      serve(socket);
    },
  });
  open.push(server);
  const client = await openFrameClient({
    address: server.address,
    networkCertificate: network.certificate,
    identity: network.member,
    path: '/stream',
    maxFrameBytes: 1_000_000,
    ...options,
  });
  open.push(client);
  return client;
}

/** Calls back with each whole frame, header included. */
function frames(socket: TLSSocket, onFrame: (frame: Buffer) => void): void {
  let held = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 4 && held.length >= 4 + held.readUInt32BE(0)) {
      const end = 4 + held.readUInt32BE(0);
      onFrame(held.subarray(0, end));
      held = Buffer.from(held.subarray(end));
    }
  });
}

const echo = (socket: TLSSocket): void => frames(socket, (frame) => socket.write(frame));

const code = (expected: string) => (error: unknown) => {
  assert.ok(error instanceof SdkError, String(error));
  assert.equal(error.code, expected, error.message);
  return true;
};

test('each of thousands of requests in flight gets its own answer, whatever the order', async () => {
  const client = await streaming((socket) => {
    const waiting: Buffer[] = [];
    frames(socket, (frame) => {
      waiting.push(Buffer.from(frame));
      if (waiting.length < 5_000) return;
      for (const one of waiting.reverse()) socket.write(one);
    });
  });
  const asked = Array.from({ length: 5_000 }, (_, i) => client.ask(Buffer.from(`request ${i}`)));
  assert.equal(client.inFlight, 5_000);
  const answers = await Promise.all(asked);
  for (const [i, answer] of answers.entries()) assert.equal(answer.toString(), `request ${i}`);
  assert.equal(client.inFlight, 0);
});

test('requests of one turn leave in one write', async () => {
  let chunks = 0;
  const client = await streaming((socket) => {
    socket.on('data', () => {
      chunks += 1;
    });
    echo(socket);
  });
  await Promise.all(Array.from({ length: 100 }, (_, i) => client.ask(Buffer.alloc(20, i))));
  assert.equal(chunks, 1);
});

test('bodies from nothing to many slabs come back whole', async () => {
  const client = await streaming(echo);
  for (const size of [0, 1, 65_527, 65_528, 65_529, 300_000, 999_999]) {
    const body = Buffer.alloc(size, size % 251);
    assert.ok((await client.ask(body)).equals(body), `${size} bytes`);
  }
});

test('answers that arrive byte by byte are put together', async () => {
  const client = await streaming((socket) => {
    frames(socket, async (frame) => {
      for (const byte of Buffer.from(frame)) {
        socket.write(Buffer.of(byte));
        await sleep(1);
      }
    });
  });
  assert.equal((await client.ask(Buffer.from('slowly'))).toString(), 'slowly');
});

test('answers that come together with the switch of protocols are not lost', async () => {
  const switched = `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${streamProtocol}\r\n\r\n`;
  const opening = streaming(() => {}, {}, `${switched}\0\0\0\x05\0\0\0\x07x`);
  const client = await opening;
  // Request 7 was never asked: the frame was read, and named as what it is.
  await assert.rejects(client.ask(Buffer.alloc(0)), code('UNEXPECTED_ANSWER'));
});

test('garbage, impossible lengths and answers to nobody end the stream with a reason', async () => {
  const garbage = [
    '\0\0\0\0',
    '\0\0\0\x03abc',
    '\xff\xff\xff\xff',
    'GARBAGE!',
    '\0\0\0\x04\0\0\0\x63',
  ];
  for (const bytes of garbage) {
    const client = await streaming((socket) => {
      socket.once('data', () => socket.write(bytes, 'latin1'));
    });
    const reasons: string[] = [];
    client.onClose = (why) => reasons.push(why.code);
    await assert.rejects(client.ask(Buffer.from('x')), code('UNEXPECTED_ANSWER'));
    assert.deepEqual(reasons, ['UNEXPECTED_ANSWER']);
    assert.ok(client.isClosed);
  }
});

test('the second answer to one request is an answer to nobody', async () => {
  const client = await streaming((socket) => {
    frames(socket, (frame) => socket.write(Buffer.concat([frame, frame])));
  });
  const closed = new Promise<SdkError>((resolve) => {
    client.onClose = resolve;
  });
  await client.ask(Buffer.from('x'));
  assert.equal((await closed).code, 'UNEXPECTED_ANSWER');
});

test('a connection that is cut fails every request once, and later ones at once', async () => {
  const client = await streaming((socket) => {
    socket.once('data', () => socket.destroy());
  });
  const asked = Array.from({ length: 10 }, () => client.ask(Buffer.from('x')));
  for (const outcome of await Promise.allSettled(asked)) {
    assert.ok(outcome.status === 'rejected');
    code('CONNECTION_LOST')(outcome.reason);
  }
  await assert.rejects(client.ask(Buffer.from('x')), code('CONNECTION_LOST'));
});

test('an orderly end with requests unanswered is CONNECTION_LOST too', async () => {
  const client = await streaming((socket) => void socket.once('data', () => socket.end()));
  await assert.rejects(client.ask(Buffer.from('x')), code('CONNECTION_LOST'));
});

test('a node that goes quiet is TIMEOUT; an idle stream is not', async () => {
  const client = await streaming(
    (socket) => void frames(socket, (frame) => frame.length > 9 && socket.write(frame)),
    { stallTimeoutMs: 1_000 },
  );
  await sleep(1_500);
  await client.ask(Buffer.from('answered'));
  await assert.rejects(client.ask(Buffer.from('x')), code('TIMEOUT'));
});

test('requests beyond the bound are refused without being sent', async () => {
  const client = await streaming(() => {}, { maxInFlight: 2 });
  const kept = [client.ask(Buffer.from('1')), client.ask(Buffer.from('2'))];
  await assert.rejects(client.ask(Buffer.from('3')), code('TOO_MANY_IN_FLIGHT'));
  assert.equal(client.inFlight, 2);
  client.close();
  for (const one of kept) await assert.rejects(one, code('CLOSED'));
});

test('a callback may ask again, and may close the stream', async () => {
  const client = await streaming(echo);
  const turns = await new Promise<number>((resolve) => {
    let left = 200;
    const again = (error: SdkError | undefined): void => {
      assert.equal(error, undefined);
      left -= 1;
      if (left > 0) client.request(Buffer.from('again'), again);
      else {
        client.close();
        resolve(left);
      }
    };
    client.request(Buffer.from('first'), again);
  });
  assert.equal(turns, 0);
});

test('an endpoint that is not there, and a switch to something else, are refused', async () => {
  const opening = streaming(() => {}, {}, 'HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n');
  await assert.rejects(opening, code('UNEXPECTED_ANSWER'));
  const refused = streaming(
    () => {},
    {},
    'HTTP/1.1 503 -\r\ncontent-length: 49\r\n\r\n{"error":{"code":"NODE_NOT_READY","message":"-"}}',
  );
  await assert.rejects(refused, code('NODE_NOT_READY'));
  const other = streaming(
    () => {},
    {},
    'HTTP/1.1 101 -\r\nconnection: Upgrade\r\nupgrade: other\r\n\r\n',
  );
  await assert.rejects(other, code('UNEXPECTED_ANSWER'));
});
