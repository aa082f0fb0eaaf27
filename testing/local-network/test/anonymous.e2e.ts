import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { frontOffice } from '@concordat/cli';
import { ApplicationClient, createOrganisation, SdkError } from '@concordat/sdk';
import { LocalNetwork, type LocalNode, waitUntil } from '../index.ts';

const source = `
const key = (request) => ccf.strToBuf(request.params.id);
export const put = (request) => {
  ccf.kv.records.set(key(request), ccf.strToBuf(request.caller.jwt.payload.sub));
  return { body: request.caller.policy };
};
export const get = (request) => ({ body: ccf.bufToStr(ccf.kv.records.get(key(request))) });
export const hello = () => ({ body: 'hello' });
`;

const endpoint = (js_function: string, policy: string, mode = 'readonly') => ({
  js_module: 'main.js',
  js_function,
  mode,
  authn_policies: [policy],
  forwarding_required: 'sometimes',
  redirection_strategy: 'none',
  openapi: {},
});

const bundle = {
  metadata: {
    endpoints: {
      '/records/{id}': {
        put: endpoint('put', 'jwt', 'readwrite'),
        get: endpoint('get', 'jwt'),
      },
      '/hello': { get: endpoint('hello', 'no_auth') },
      '/closed': { get: endpoint('hello', 'user_cert') },
    },
  },
  modules: [{ name: 'main.js', module: source }],
};

const issuer = 'https://issuer.example';
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function bearer(): { headers: { authorization: string } } {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer, nbf: now - 60, exp: now + 600, sub: 'eve' };
  const text = `${part({ alg: 'RS256', kid: 'k1' })}.${part(claims)}`;
  const signature = sign('sha256', Buffer.from(text), privateKey).toString('base64url');
  return { headers: { authorization: `Bearer ${text}.${signature}` } };
}

suite('application ports without client certificates', { concurrency: false }, () => {
  let directory: string;
  let network: LocalNetwork;
  const clients: ApplicationClient[] = [];

  const stranger = (node: LocalNode): ApplicationClient => {
    const client = new ApplicationClient({
      address: `${node.host}:${node.ports.application}`,
      networkCertificate: network.certificate,
    });
    clients.push(client);
    return client;
  };

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'concordat-anonymous-'));
    const file = join(directory, 'bundle.json');
    writeFileSync(file, JSON.stringify(bundle));
    network = await LocalNetwork.start({
      workerImage: 'application',
      genesisData: { javascript: file },
    });
    const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1' }] };
    await pass('set_jwt_issuer', { issuer, jwks });
  });

  after(async () => {
    for (const client of clients) client.close();
    await network?.end();
    rmSync(directory, { recursive: true, force: true });
  });

  async function pass(name: string, args: Record<string, unknown>): Promise<void> {
    const [first, ...others] = network.sandbox.nodes;
    assert(first);
    const proposer = await network.sandbox.admin(first.name, first.organisation);
    const proposed = await proposer
      .propose([{ name, args }] as never)
      .finally(() => proposer.close());
    for (const voter of [first, ...others]) {
      const admin = await network.sandbox.admin(voter.name, voter.organisation);
      const { state } = await admin.vote(proposed.proposalId, true).finally(() => admin.close());
      if (state === 'accepted') return;
    }
    throw new Error(`${name} was not accepted`);
  }

  const codeOf = (request: Promise<unknown>): Promise<string> =>
    request.then(
      () => 'answered',
      (error: unknown) => {
        assert(error instanceof SdkError, String(error));
        return error.code;
      },
    );

  test('are closed before a vote opens them, and the refusal names the policy', async () => {
    for (const node of network.nodes) {
      const error = await stranger(node)
        .request('/hello')
        .catch((reason: unknown) => reason);
      assert(error instanceof SdkError);
      assert.equal(error.code, 'CLIENT_CERTIFICATE_REQUIRED');
      assert.match(error.message, /anonymousConnections/);
    }
  });

  test('a bearer of a token reads and writes on every node, its writes forwarded to the leader', async () => {
    await pass('set_policy', { name: 'anonymousConnections', value: 'accept' });
    const leader = await network.leader();
    for (const node of network.nodes) {
      const client = stranger(node);
      await waitUntil(() => codeOf(client.request('/hello')).then((code) => code === 'answered'), {
        what: `${node.name} to know of the vote`,
      });
      const path = `/records/of-${node.name}`;
      const written = await client.request(path, { method: 'PUT', ...bearer() });
      assert.equal(written.body.toString(), 'jwt', `written on ${node.name}`);
      assert.match(String(written.transactionId), /^\d+\.\d+$/);
      const own = await client.request(path, bearer());
      assert.equal(own.body.toString(), 'eve');
      const elsewhere = await stranger(leader).request(path, {
        ...bearer(),
        consistency: 'linearizable',
      });
      assert.equal(elsewhere.body.toString(), 'eve');
    }
  });

  test('what asks for a certificate, or for a token that is not there, stays closed', async () => {
    const [node] = network.nodes as [LocalNode];
    const client = stranger(node);
    assert.equal(await codeOf(client.request('/closed')), 'POLICY_NOT_MET');
    assert.equal(await codeOf(client.request('/records/x')), 'POLICY_NOT_MET');
    assert.equal(await codeOf(client.request('/app/stats')), 'CLIENT_CERTIFICATE_REQUIRED');
    const office = await network.application(node, frontOffice);
    clients.push(office);
    assert.equal(await codeOf(office.request('/closed')), 'answered');
    const elsewhere = new ApplicationClient({
      address: `${node.host}:${node.ports.application}`,
      networkCertificate: network.certificate,
      identity: createOrganisation({ name: 'somebody else' }),
    });
    clients.push(elsewhere);
    assert.equal(await codeOf(elsewhere.request('/hello')), 'UNKNOWN_ACTOR');
  });

  test('strangers that take all connections there are for them leave actors theirs', async () => {
    const [node] = network.nodes as [LocalNode];
    const office = await network.application(node, frontOffice);
    clients.push(office);
    const many = Array.from({ length: 560 }, () => stranger(node));
    const codes = await Promise.all(many.map((client) => codeOf(client.request('/hello'))));
    const count = (code: string) => codes.filter((one) => one === code).length;
    assert(count('answered') >= 400, `${count('answered')} answered`);
    assert(count('OVERLOADED') > 0, JSON.stringify([...new Set(codes)]));
    assert.equal(await codeOf(office.request('/closed')), 'answered');
    for (const client of many) client.close();
  });

  test('an address that opens connections and says nothing leaves other addresses theirs', async () => {
    const [node] = network.nodes as [LocalNode];
    const office = await network.application(node, frontOffice);
    clients.push(office);
    const place = { host: node.host, port: node.ports.application, localAddress: '127.0.0.2' };
    const idle = Array.from({ length: 1_300 }, () => connect(place).on('error', () => undefined));
    const isOver = (socket: Socket) => socket.destroyed || socket.readableEnded;
    for (const socket of idle) socket.resume();
    await waitUntil(() => idle.filter(isOver).length >= 300, {
      what: 'what is beyond the bound of one address to be closed',
      seen: () => idle.filter(isOver).length,
    });
    assert.equal(await codeOf(office.request('/closed')), 'answered');
    for (const socket of idle) socket.destroy();
  });

  test('a vote closes them again, and cuts off who is connected', async () => {
    const [, node] = network.nodes as [LocalNode, LocalNode];
    const client = stranger(node);
    assert.equal(await codeOf(client.request('/hello')), 'answered');
    await pass('set_policy', { name: 'anonymousConnections', value: 'refuse' });
    await waitUntil(
      () => codeOf(client.request('/hello')).then((code) => code === 'CLIENT_CERTIFICATE_REQUIRED'),
      { what: 'the port to be closed again' },
    );
  });
});
