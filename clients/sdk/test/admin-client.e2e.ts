import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { after, test } from 'node:test';
import { adminPaths, catalogueEntry, type ErrorCode, errorBody } from '@concordat/api';
import { decodeMessage } from '@concordat/governance';
import { AdminClient, SdkError } from '@concordat/sdk';
import { WrittenLedger } from '../../auditor/test/written-ledger.ts';
import { FakeNetwork, freeAddress, startNode } from './fake-network.ts';

const network = new FakeNetwork();
const open: { close(): unknown }[] = [];
after(() => Promise.all(open.map((one) => one.close())));

type Handler = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

async function asking(handle: Handler, pinned = network): Promise<AdminClient> {
  const server = await startNode({
    network: pinned,
    handle: (request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part) => parts.push(part));
      request.on('end', () => handle(request, response, Buffer.concat(parts)));
    },
  });
  open.push(server);
  const client = new AdminClient({
    address: server.address,
    networkCertificate: pinned.certificate,
    identity: pinned.member,
    retry: { firstDelayMs: 1 },
  });
  open.push(client);
  return client;
}

function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

const refuse = (response: ServerResponse, code: ErrorCode): void =>
  json(response, errorBody(code), catalogueEntry(code).status);

const code = (expected: string) => (error: unknown) => {
  assert.ok(error instanceof SdkError, String(error));
  assert.equal(error.code, expected, error.message);
  return true;
};

const networkId = 'ab'.repeat(32);

test('a read that meets a starting node is tried again', async () => {
  let asked = 0;
  const client = await asking((_, response) => {
    asked += 1;
    if (asked < 3) refuse(response, 'NODE_NOT_READY');
    else json(response, { nodeId: networkId });
  });
  assert.equal((await client.state()).nodeId, networkId);
  assert.equal(asked, 3);
});

test('readiness is asked once, and a lasting refusal is not tried again', async () => {
  let asked = 0;
  const client = await asking((request, response) => {
    asked += 1;
    refuse(response, request.url === adminPaths.ready ? 'NODE_NOT_READY' : 'ACTOR_REMOVED');
  });
  await assert.rejects(client.ready(), code('NODE_NOT_READY'));
  await assert.rejects(client.state(), code('ACTOR_REMOVED'));
  assert.equal(asked, 2);
});

test('answers that are not JSON, or JSON of something else, are refused', async () => {
  for (const text of ['', 'x', '[]', 'null', '{"nodeID":1}', '7']) {
    const client = await asking((_, response) => void response.end(text));
    await assert.rejects(client.state(), code('UNEXPECTED_ANSWER'));
  }
  const client = await asking((_, response) => void response.writeHead(500).end('<html>'));
  await assert.rejects(client.commit(), code('UNEXPECTED_ANSWER'));
});

test('an error code that is not of the catalogue is not passed off as one', async () => {
  const body = { error: { code: 'MADE_UP', message: 'no' } };
  const client = await asking((_, response) => json(response, body, 418));
  await assert.rejects(client.state(), (error: SdkError) => {
    assert.equal(error.code, 'UNEXPECTED_ANSWER');
    assert.equal(error.details.serverCode, 'MADE_UP');
    return true;
  });
});

test('a node that names another network certificate is refused', async () => {
  const { certificate } = new FakeNetwork();
  const client = await asking((_, response) =>
    json(response, { networkId, networkCertificate: certificate }),
  );
  await assert.rejects(client.network(), code('WRONG_NETWORK'));
});

test('the commit of a transaction is waited for, and its loss is told', async () => {
  const states = ['Unknown', 'Pending', 'Committed'];
  const client = await asking((request, response) => {
    const id = new URL(request.url ?? '', 'https://x').searchParams.get('transaction_id');
    const status = id === '2.9' ? 'Invalid' : (states.shift() ?? 'Unknown');
    json(response, { transaction_id: id, status });
  });
  await client.waitForCommit('2.7', { intervalMs: 1 });
  assert.equal(states.length, 0);
  await assert.rejects(client.waitForCommit('2.9'), code('TRANSACTION_NOT_FOUND'));
  const impatient = client.waitForCommit('2.8', { intervalMs: 1, timeoutMs: 20 });
  await assert.rejects(impatient, code('TIMEOUT'));
});

test('a receipt is waited for, verified, and must be of the very transaction', async () => {
  const ledger = new WrittenLedger();
  ledger.execute('a', 'b');
  const receipt = ledger.receipt(2);
  let pending = 3;
  let answered: unknown = receipt;
  const client = await asking((_, response) => {
    pending -= 1;
    if (pending >= 0) refuse(response, 'TRANSACTION_PENDING');
    else json(response, answered);
  });
  // The receipt is of a network of its own: only its certificate verifies it.
  await assert.rejects(client.receipt('1.2', { intervalMs: 1 }), code('RECEIPT_INVALID'));
  assert.equal(pending, -1);

  const own = await asking((_, response) => json(response, answered));
  Object.assign(own.connection, { networkCertificate: ledger.networkCertificate });
  assert.deepEqual(await own.receipt('1.2'), receipt);
  await assert.rejects(own.receipt('1.3'), code('RECEIPT_INVALID'));
  const { signature } = ledger.receipt(1);
  answered = { ...receipt, signature };
  await assert.rejects(own.receipt('1.2'), code('RECEIPT_INVALID'));
  answered = { leaf_components: {} };
  await assert.rejects(own.receipt('1.2'), code('RECEIPT_INVALID'));
});

test('proposals, votes and withdrawals are signed for this network and sent once', async () => {
  const types: string[] = [];
  const client = await asking((request, response, body) => {
    if (request.url === adminPaths.network) {
      json(response, { networkId, networkCertificate: network.certificate });
      return;
    }
    assert.equal(request.headers['content-type'], 'application/cose');
    const message = decodeMessage(body);
    assert.equal(message.networkId, networkId);
    assert.equal(message.kid, network.member.actorId);
    types.push(message.type);
    if (message.type === 'withdrawal') refuse(response, 'LEADER_UNKNOWN');
    else json(response, { proposalId: message.messageId, state: 'open', effects: [] });
  });
  const { proposalId } = await client.propose([{ name: 'remove_tee', args: { platform: 'x' } }]);
  await client.vote(proposalId, true);
  await assert.rejects(client.withdraw(proposalId), code('LEADER_UNKNOWN'));
  assert.deepEqual(types, ['proposal', 'vote', 'withdrawal']);
});

test('events come one by one however they are cut, until the caller stops', async () => {
  const events = ['1.2', '1.3', '1.4'].map((transactionId) => ({
    transactionId,
    timeMs: 1,
    event: { event: 'constitution-changed', part: 'code' },
  }));
  const client = await asking((_, response) => {
    response.flushHeaders();
    const text = events.map((event) => `data: ${JSON.stringify(event)}\n`).join('\n');
    let at = 0;
    const timer = setInterval(() => {
      response.write(text.slice(at, at + 40));
      at += 40;
      if (at >= text.length) clearInterval(timer);
    }, 1);
  });
  const seen: string[] = [];
  const stop = new AbortController();
  for await (const { transactionId } of client.events({ signal: stop.signal })) {
    seen.push(transactionId);
    if (seen.length === 3) stop.abort();
  }
  assert.deepEqual(seen, ['1.2', '1.3', '1.4']);
});

test('a stream of events that ends, or holds something else, is an error', async () => {
  const read = async (client: AdminClient) => {
    for await (const event of client.events()) assert.ok(event);
  };
  const ending = await asking((_, response) => void response.end('\n'));
  await assert.rejects(read(ending), code('CONNECTION_LOST'));
  const garbage = await asking((_, response) => void response.end('data: {"a":1}\n\n'));
  await assert.rejects(read(garbage), code('UNEXPECTED_ANSWER'));
  const endless = await asking((_, response) => void response.end('x'.repeat(2_000_000)));
  await assert.rejects(read(endless), code('UNEXPECTED_ANSWER'));
  const refused = await asking((_, response) => refuse(response, 'OVERLOADED'));
  await assert.rejects(read(refused), code('OVERLOADED'));
});

test('a node that is out of reach is asked again, then given up', async () => {
  const client = new AdminClient({
    address: await freeAddress(),
    networkCertificate: network.certificate,
    retry: { attempts: 3, firstDelayMs: 5 },
  });
  const startMs = performance.now();
  await assert.rejects(client.state(), code('UNREACHABLE'));
  // Two waits, of a half to the whole of 5 and 10 ms; a timer may be a millisecond early.
  assert.ok(performance.now() - startMs >= 5.5);
  await assert.rejects(client.vote('00', true), code('INVALID_IDENTITY'));
});

test('waiting ends in time at a node that accepts questions and never answers', async () => {
  const client = await asking(() => {});
  await assert.rejects(client.waitForCommit('2.3', { timeoutMs: 100 }), code('TIMEOUT'));
  await assert.rejects(client.receipt('2.3', { timeoutMs: 100 }), code('TIMEOUT'));
});

test('answers of any form end in a coded error', async () => {
  const hostile: unknown[] = [
    null,
    7,
    'x',
    [],
    {},
    { leaf_components: 7 },
    { leaf_components: {}, proof: 7, cert: [], signature: {} },
    { leaf_components: null, proof: null, cert: null, signature: null, node_id: null },
    { networkId: 'x', networkCertificate: 7 },
    {
      networkId: 'x',
      networkCertificate: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
    },
    { proposals: 'x', nodeId: 3, error: { code: 'NO_SUCH_CODE', message: 7 } },
  ];
  for (const answer of hostile) {
    for (const status of [200, 400, 500]) {
      const client = await asking((_, response) => json(response, answer, status));
      const patience = { timeoutMs: 50 };
      for (const ask of [
        () => client.network(),
        () => client.receipt('2.3', patience),
        () => client.waitForCommit('2.3', patience),
        () => client.propose([]),
      ]) {
        await assert.rejects(ask(), (error) => error instanceof SdkError, JSON.stringify(answer));
      }
    }
  }
});
