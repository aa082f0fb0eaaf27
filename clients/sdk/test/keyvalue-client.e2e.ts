import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createFakeNode, type FakeNode } from '@concordat/conformance';
import { createKeyvalueAdapter } from '@concordat/keyvalue';
import { type KeyValueClient, openKeyValueClient, SdkError } from '@concordat/sdk';
import { FakeNetwork, type FakeServer, startSplice } from './fake-network.ts';

const network = new FakeNetwork();
let node: FakeNode;
let server: FakeServer;
let client: KeyValueClient;

const options = () => ({
  address: server.address,
  networkCertificate: network.certificate,
  identity: network.member,
});

before(async () => {
  node = await createFakeNode([createKeyvalueAdapter()]);
  server = await startSplice(network, node.port);
  client = await openKeyValueClient(options());
});
after(async () => {
  client.close();
  await server.close();
  await node.close();
});

test('values are written, read and deleted on a worker as it is', async () => {
  const value = Buffer.from([0, 1, 255]);
  assert.match((await client.promises.put('clé', value)) ?? '', /^\d+\.\d+$/);
  assert.deepEqual(await client.promises.get('clé'), value);
  assert.match((await client.promises.delete('clé')) ?? '', /^\d+\.\d+$/);
  assert.equal(await client.promises.get('clé'), undefined);
  assert.equal(await client.promises.delete('clé'), undefined);
});

test('an empty value is a value', async () => {
  await client.promises.put('empty', new Uint8Array(0));
  assert.equal((await client.promises.get('empty'))?.length, 0);
});

test('a thousand writes in flight all commit, in order', async () => {
  const ids = await Promise.all(
    Array.from({ length: 1_000 }, (_, i) => client.promises.put(`k${i % 10}`, Buffer.from(`${i}`))),
  );
  assert.equal(new Set(ids).size, 1_000);
  assert.equal((await client.promises.get('k9'))?.toString(), '999');
});

test('a write with local wait has no transaction id yet', async () => {
  const local = await openKeyValueClient({ ...options(), wait: 'local' });
  assert.equal(await local.promises.put('local', Buffer.from('1')), undefined);
  local.close();
});

test('the refusals of the ledger come with their codes', async () => {
  const refusals = [
    [() => client.promises.put('', Buffer.from('1')), 'INVALID_PARAMETER'],
    [() => client.promises.get(''), 'INVALID_PARAMETER'],
    [() => client.promises.put('k'.repeat(2_000), Buffer.from('1')), 'PAYLOAD_TOO_LARGE'],
    [() => client.promises.put('k'.repeat(70_000), Buffer.from('1')), 'PAYLOAD_TOO_LARGE'],
    [() => client.promises.put('k', Buffer.alloc(70_000)), 'PAYLOAD_TOO_LARGE'],
  ] as const;
  for (const [asked, code] of refusals) {
    await assert.rejects(asked() as Promise<unknown>, (error: SdkError) => {
      assert.ok(error instanceof SdkError);
      assert.equal(error.code, code);
      return true;
    });
  }
});

test('linearizable reads are asked for by call or by client, and refused with a code', async () => {
  const outcomes: (string | undefined)[] = [];
  let asked = 0;
  const fresh = await createFakeNode([createKeyvalueAdapter()], {
    onReadBarrier: (reply) => {
      asked += 1;
      setImmediate(reply, outcomes.shift());
    },
  });
  const splice = await startSplice(network, fresh.port);
  const to = { ...options(), address: splice.address };
  const byCall = await openKeyValueClient(to);
  const byClient = await openKeyValueClient({ ...to, consistency: 'linearizable' });
  await byCall.promises.put('a', Buffer.from('1'));
  assert.equal(`${await byCall.promises.get('a')}`, '1');
  assert.equal(`${await byClient.promises.get('a', 'committed')}`, '1');
  assert.equal(asked, 0);
  assert.equal(`${await byCall.promises.get('a', 'linearizable')}`, '1');
  assert.equal(`${await byClient.promises.get('a')}`, '1');
  assert.equal(asked, 2);
  outcomes.push('READ_NOT_CONFIRMED');
  await assert.rejects(byClient.promises.get('a'), (error: SdkError) => {
    assert.equal(error.code, 'READ_NOT_CONFIRMED');
    return true;
  });
  byCall.close();
  byClient.close();
  await splice.close();
  await fresh.close();
});
