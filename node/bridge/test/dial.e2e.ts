import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { dialSocket, dialThroughHost, encodeDialReply, readDialRequest } from '../index.ts';

async function withHost(
  serve: (socket: Socket) => Promise<void>,
  use: (path: string) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'dial-'));
  const path = dialSocket(directory);
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    serve(socket).catch(() => socket.destroy());
  }).listen(path);
  await once(server, 'listening');
  try {
    await use(path);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    await rm(directory, { recursive: true });
  }
}

test('bytes sent right behind the dial request and answer reach the other side whole', async () => {
  await withHost(
    async (socket) => {
      const address = await readDialRequest(socket);
      socket.write(Buffer.concat([encodeDialReply(), Buffer.from(`hello from ${address}`)]));
      socket.pipe(socket);
    },
    async (path) => {
      const socket = await dialThroughHost(path, 'peer:7000');
      const received: Buffer[] = [];
      socket.on('data', (chunk) => received.push(chunk));
      socket.end(' and back');
      await once(socket, 'close');
      assert.equal(Buffer.concat(received).toString(), 'hello from peer:7000 and back');
    },
  );
});

test('a refused dial carries the reason', async () => {
  await withHost(
    async (socket) => {
      await readDialRequest(socket);
      socket.end(encodeDialReply('connection refused'));
    },
    async (path) => {
      await assert.rejects(dialThroughHost(path, 'peer:7000'), {
        code: 'DIAL_FAILED',
        message: 'connection refused',
      });
    },
  );
});

test('a dial that nobody answers fails after its time limit', async () => {
  await withHost(
    async () => {},
    async (path) => {
      await assert.rejects(dialThroughHost(path, 'peer:7000', { timeoutMs: 50 }), {
        code: 'DIAL_FAILED',
      });
    },
  );
});

test('an oversized dial request is refused', async () => {
  let failure: unknown;
  await withHost(
    async (socket) => {
      await readDialRequest(socket).catch((error) => {
        failure = error;
        throw error;
      });
    },
    async (path) => {
      await assert.rejects(dialThroughHost(path, 'x'.repeat(5000)), { code: 'DIAL_FAILED' });
    },
  );
  assert.equal((failure as { code: string }).code, 'MALFORMED_FRAME');
});
