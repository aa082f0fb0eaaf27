import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { after, test } from 'node:test';
import { errorBody } from '@concordat/api';
import { createFakeNode } from '@concordat/conformance';
import { createKeyvalueAdapter } from '@concordat/keyvalue';
import { ApplicationClient, type Consistency, SdkError } from '@concordat/sdk';
import { FakeNetwork, startNode, startSplice } from './fake-network.ts';

const network = new FakeNetwork();
const open: { close(): unknown }[] = [];
after(() => Promise.all(open.map((one) => one.close())));

const clientOf = (address: string, consistency?: Consistency): ApplicationClient => {
  const client = new ApplicationClient({
    address,
    networkCertificate: network.certificate,
    identity: network.member,
    retry: { firstDelayMs: 1 },
    ...(consistency && { consistency }),
  });
  open.push(client);
  return client;
};

async function asking(
  handle: (request: IncomingMessage, response: ServerResponse, body: string) => void,
): Promise<ApplicationClient> {
  const server = await startNode({
    network,
    handle: (request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (part) => {
        body += part;
      });
      request.on('end', () => handle(request, response, body));
    },
  });
  open.push(server);
  return clientOf(server.address);
}

const code = (expected: string) => (error: unknown) => {
  assert.ok(error instanceof SdkError, String(error));
  assert.equal(error.code, expected, error.message);
  return true;
};

test('writes tell their transaction, reads their value, refusals their code, on a real worker', async () => {
  const node = await createFakeNode([createKeyvalueAdapter()]);
  const server = await startSplice(network, node.port);
  open.push(server, node);
  const client = clientOf(server.address);
  const put = await client.request('/kv/a', { method: 'PUT', body: 'value' });
  assert.equal(put.status, 201);
  assert.match(put.transactionId ?? '', /^\d+\.\d+$/);
  const get = await client.request('/kv/a');
  assert.equal(get.body.toString(), 'value');
  assert.equal(get.transactionId, undefined);
  const list = await client.request('/kv');
  assert.deepEqual(list.json, { entries: [{ key: 'a', value: 'dmFsdWU=' }] });
  await assert.rejects(client.request('/kv/b'), code('NOT_FOUND'));
  await assert.rejects(client.request('/elsewhere'), code('NOT_FOUND'));
});

test('safe reads are sent again after a cut and after 503, writes never', async () => {
  let asked = 0;
  const client = await asking((request, response) => {
    asked += 1;
    if (asked === 1) request.socket.destroy();
    else if (asked === 2) response.writeHead(503).end(JSON.stringify(errorBody('OVERLOADED')));
    else response.end('"here"');
  });
  assert.equal((await client.request('/')).json, 'here');
  assert.equal(asked, 3);
  asked = 0;
  await assert.rejects(client.request('/', { json: {} }), code('CONNECTION_LOST'));
  await assert.rejects(client.request('/', { json: {} }), code('OVERLOADED'));
  asked = 0;
  assert.equal((await client.request('/', { json: {}, safe: true })).json, 'here');
});

test('a JSON-RPC call gives its result or throws its error', async () => {
  const client = await asking((_, response, body) => {
    const { id, method, params } = JSON.parse(body);
    const error = { code: 3, message: 'execution reverted', data: '0x08c379a0' };
    const answers: Record<string, unknown> = {
      echo: { jsonrpc: '2.0', id, result: params },
      nothing: { jsonrpc: '2.0', id, result: null },
      fails: { jsonrpc: '2.0', id, error },
      other: { jsonrpc: '2.0', id: id + 1, result: 1 },
      empty: { jsonrpc: '2.0', id },
    };
    response.end(JSON.stringify(answers[method]));
  });
  assert.deepEqual(await client.jsonRpc('echo', [1, '0x2']), [1, '0x2']);
  assert.equal(await client.jsonRpc('nothing'), null);
  await assert.rejects(client.jsonRpc('fails'), (error: SdkError) => {
    assert.equal(error.code, 'RPC_ERROR');
    assert.deepEqual(error.details, {
      code: 3,
      message: 'execution reverted',
      data: '0x08c379a0',
    });
    return true;
  });
  await assert.rejects(client.jsonRpc('other'), code('UNEXPECTED_ANSWER'));
  await assert.rejects(client.jsonRpc('empty'), code('UNEXPECTED_ANSWER'));
  await assert.rejects(client.jsonRpc('unknown'), code('UNEXPECTED_ANSWER'));
});

test('a batch gives its outcomes in the order asked, missing ones named', async () => {
  const client = await asking((_, response, body) => {
    const calls = JSON.parse(body) as { id: number; method: string }[];
    const answers = calls
      .filter(({ method }) => method !== 'lost')
      .map(({ id, method }) =>
        method === 'bad' ? { id, error: { code: -32000, message: 'bad' } } : { id, result: method },
      );
    response.end(JSON.stringify(answers.reverse()));
  });
  const outcomes = await client.jsonRpcBatch([
    { method: 'a' },
    { method: 'bad' },
    { method: 'lost' },
    { method: 'b' },
  ]);
  assert.equal(outcomes[0], 'a');
  code('RPC_ERROR')(outcomes[1]);
  code('UNEXPECTED_ANSWER')(outcomes[2]);
  assert.equal(outcomes[3], 'b');
  assert.deepEqual(await client.jsonRpcBatch([]), []);
});

test('a batch that is refused as a whole throws', async () => {
  const error = { code: -32600, message: 'batch too large' };
  const answer = JSON.stringify({ jsonrpc: '2.0', id: null, error });
  const client = await asking((_, response) => void response.end(answer));
  await assert.rejects(client.jsonRpcBatch([{ method: 'a' }]), code('RPC_ERROR'));
  const refusing = await asking((_, response) => void response.writeHead(413).end(answer));
  await assert.rejects(refusing.jsonRpcBatch([{ method: 'a' }]), code('RPC_ERROR'));
});

test('waiting for a commit takes an administrative channel', async () => {
  const client = await asking((_, response) => void response.end());
  await assert.rejects(client.waitForCommit('1.1'), code('NO_ADMIN_CLIENT'));
});

test('linearizable reads carry the header, and one that is refused is tried again', async () => {
  const outcomes: (string | undefined)[] = ['READ_NOT_CONFIRMED'];
  let asked = 0;
  const node = await createFakeNode([createKeyvalueAdapter()], {
    onReadBarrier: (reply) => {
      asked += 1;
      setImmediate(reply, outcomes.shift());
    },
  });
  const server = await startSplice(network, node.port);
  open.push(server, node);
  const fresh = clientOf(server.address, 'linearizable');
  await fresh.request('/kv/a', { method: 'PUT', body: 'value' });
  assert.equal(asked, 0);
  assert.equal((await fresh.request('/kv/a')).body.toString(), 'value');
  assert.equal(asked, 2);
  await fresh.request('/kv/a', { consistency: 'committed' });
  assert.equal(asked, 2);
  await clientOf(server.address).request('/kv/a', { consistency: 'linearizable' });
  assert.equal(asked, 3);
});

test('JSON-RPC calls are as fresh as the client asks', async () => {
  const seen: (string | string[] | undefined)[] = [];
  const server = await startNode({
    network,
    handle: (request, response) => {
      seen.push(request.headers['concordat-consistency']);
      response.end('{"jsonrpc":"2.0","id":1,"result":"0x1"}');
    },
  });
  open.push(server);
  await clientOf(server.address, 'linearizable').jsonRpc('eth_blockNumber');
  await clientOf(server.address).jsonRpc('eth_blockNumber');
  assert.deepEqual(seen, ['linearizable', undefined]);
});
