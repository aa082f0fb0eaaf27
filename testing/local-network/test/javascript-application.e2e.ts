import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { frontOffice } from '@concordat/cli';
import { type ApplicationClient, SdkError } from '@concordat/sdk';
import { LocalNetwork, waitUntil } from '../index.ts';

const source = `
const records = (request) => request.path.includes('public') ? ccf.kv['public:records'] : ccf.kv.records;
const idOf = (request) => ccf.strToBuf(new RegExp('id=(\\\\w+)').exec(request.query)[1]);
export function post(request) {
  const { id, msg } = request.body.json();
  if (msg === 'boom') { const all = []; for (;;) all.push(new Uint8Array(5e7).fill(1)); }
  records(request).set(ccf.strToBuf(String(id)), ccf.strToBuf(msg));
  ccf.rpc.setClaimsDigest(ccf.crypto.digest('SHA-256', ccf.strToBuf(msg)));
  return { body: { caller: request.caller.data.name } };
}
export function get(request) {
  const value = records(request).get(idOf(request));
  return value === undefined ? { statusCode: 404, body: { error: 'none' } } : { body: { msg: ccf.bufToStr(value) } };
}
export function count(request) {
  return { body: { count: records(request).size } };
}
`;

const endpoint = (js_function: string, mode: string) => ({
  js_module: 'logging.js',
  js_function,
  mode,
  authn_policies: ['user_cert'],
  forwarding_required: mode === 'readonly' ? 'sometimes' : 'always',
  redirection_strategy: 'none',
  openapi: {},
});

const both = { get: endpoint('get', 'readonly'), post: endpoint('post', 'readwrite') };
const bundle = {
  metadata: {
    endpoints: {
      '/log/private': both,
      '/log/public': both,
      '/log/private/count': { get: endpoint('count', 'readonly') },
    },
  },
  modules: [{ name: 'logging.js', module: source }],
};

/** An application in the form of CCF's logging sample, run by three organisations. */
suite('a JavaScript application on three nodes', { concurrency: false }, () => {
  let network: LocalNetwork;
  let directory: string;
  const clients = new Map<string, ApplicationClient>();

  const client = (node: string): ApplicationClient => clients.get(node) as ApplicationClient;
  const post = (node: string, id: number, msg: string, path = '/app/log/private') =>
    client(node).request(path, { json: { id, msg } });
  const read = async (node: string, id: number, path = '/app/log/private') =>
    (await client(node).request(`${path}?id=${id}`, { consistency: 'linearizable' })).json;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'concordat-app-'));
    const file = join(directory, 'bundle.json');
    writeFileSync(file, JSON.stringify(bundle));
    network = await LocalNetwork.start({
      workerImage: 'application',
      adapters: { javascript: { maxRequestMs: 4_000, maxMemoryMebibytes: 300 } },
      genesisData: { javascript: file },
    });
    for (const { name } of network.nodes) {
      clients.set(name, await network.sandbox.application(name, frontOffice));
    }
  });

  after(async () => {
    for (const one of clients.values()) one.connection.close();
    await network.end();
    rmSync(directory, { recursive: true, force: true });
  });

  test('a write on any node is read on every node', async () => {
    for (const [at, { name }] of network.nodes.entries()) {
      const answer = await post(name, at, `from ${name}`);
      assert.deepEqual(answer.json, { caller: frontOffice });
      assert.match(String(answer.transactionId), /^\d+\.\d+$/);
      for (const { name: reader } of network.nodes) {
        assert.deepEqual(await read(reader, at), { msg: `from ${name}` });
      }
    }
  });

  test('the answer of a write has a receipt', async () => {
    const { transactionId } = await post('vn2', 7, 'proved', '/app/log/public');
    const admin = await network.sandbox.admin('vn1', frontOffice);
    const receipt = await admin.receipt(String(transactionId)).finally(() => admin.close());
    assert.match(JSON.stringify(receipt), /leaf_components/);
    const status = await client('vn1').request(`/app/tx?transaction_id=${transactionId}`);
    assert.deepEqual(status.json, { transaction_id: transactionId, status: 'Committed' });
  });

  test('an application that uses up its memory ends no enclave', async () => {
    const launched = () => network.nodes.map((node) => node.log('enclaves.launched').length);
    const before = launched();
    await assert.rejects(post('vn1', 1, 'boom'), (error) => {
      assert.ok(error instanceof SdkError, String(error));
      assert.equal(error.code, 'APPLICATION_STOPPED', error.message);
      return true;
    });
    await post('vn3', 8, 'after');
    for (const { name } of network.nodes) assert.deepEqual(await read(name, 8), { msg: 'after' });
    assert.deepEqual(launched(), before);
  });

  test('goes on when its leader is killed, with everything that was committed', async () => {
    const { name: leader } = await network.leader();
    const others = network.nodes.map(({ name }) => name).filter((name) => name !== leader);
    const count = async (node: string) =>
      (await client(node).request('/log/private/count', { consistency: 'linearizable' })).json;
    const before = await count(others[0] as string);
    await network.node(leader).kill();
    const [other] = others as [string];
    await waitUntil(
      () =>
        post(other, 100, 'after the fall').then(
          () => true,
          () => false,
        ),
      { what: 'another leader' },
    );
    for (const node of others) {
      assert.deepEqual(await read(node, 100), { msg: 'after the fall' });
      assert.deepEqual(await read(node, 0), { msg: 'from vn1' });
      assert.equal(
        ((await count(node)) as { count: number }).count,
        (before as { count: number }).count + 1,
      );
    }
  });
});
