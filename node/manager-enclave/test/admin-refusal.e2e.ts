import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as httpRequest, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { answerRefusal } from '../admin-refusal.ts';
import { ManagerError } from '../errors.ts';

const notHeld = () => new ManagerError('BLOCK_NOT_HELD', 'block 7 is nowhere to be had');

/** What a client gets, and how the handler ended. */
async function asked(handle: RequestListener<never>, headers: Record<string, string> = {}) {
  const server = createServer(handle as RequestListener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const request = httpRequest({ port, host: '127.0.0.1', agent: false, headers });
  request.on('error', () => undefined);
  request.flushHeaders();
  try {
    const [answer] = await once(request, 'response');
    let body = '';
    answer.on('data', (part: Buffer) => {
      body += String(part);
    });
    answer.on('error', () => undefined);
    await new Promise((resolve) => answer.once('close', resolve));
    return { status: answer.statusCode, retry: answer.headers['retry-after'], body, answer };
  } finally {
    request.destroy();
    server.closeAllConnections();
    server.close();
  }
}

test('an answer that has begun is cut, also where trying again makes sense or a body is missing', async () => {
  for (const headers of [{}, { 'content-length': '5' }]) {
    const told: string[] = [];
    let refused: Promise<void> | undefined;
    const { body, answer } = await asked((request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
      refused = new Promise((resolve, reject) => {
        setTimeout(() => {
          const log = (why: string) => void told.push(why);
          answerRefusal({ request, response }, notHeld(), log).then(resolve, reject);
        }, 20);
      });
    }, headers);
    await refused;
    assert.equal(body, 'data: 1\n\n');
    assert.equal(answer.complete, false);
    assert.match(told.join(), /block 7/);
  }
});

test('one that has not says why, and when to ask again', async () => {
  const { status, retry, body } = await asked((request, response) => {
    void answerRefusal({ request, response }, notHeld(), () => undefined);
  });
  assert.equal(status, 503);
  assert.equal(retry, '1');
  assert.equal(JSON.parse(body).error.code, 'BLOCK_NOT_HELD');
});
