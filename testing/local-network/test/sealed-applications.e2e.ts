import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import {
  decodeInnerReply,
  encodeInnerRequest,
  encodeSealedRequest,
  type InnerRequest,
  sealedPaths,
  sealedReplyLabel,
  sealedRequestHeader,
  sealedRequestInfo,
  sealedRequestMediaType,
} from '@concordat/api';
import { frontOffice } from '@concordat/cli';
import { fromPem, openReply, sendTo } from '@concordat/crypto';
import { buildSealedMessage, verifyRequestKey } from '@concordat/governance';
import { ApplicationClient, type Identity } from '@concordat/sdk';
import { toHex } from '@concordat/std';
import { LocalNetwork, type LocalNode, waitUntil } from '../index.ts';

const source = `
const key = ccf.strToBuf('count');
const value = () => Number(ccf.kv.counts.has(key) ? ccf.bufToStr(ccf.kv.counts.get(key)) : '0');
export const add = ({ caller }) => {
  ccf.kv.counts.set(key, ccf.strToBuf(String(value() + 1)));
  return { body: { count: value(), who: caller.id } };
};
export const read = () => ({ body: { count: value() } });
`;

const endpoint = (js_function: string, mode: string) => ({
  js_module: 'main.js',
  js_function,
  mode,
  authn_policies: ['user_cert'],
  forwarding_required: 'sometimes',
  redirection_strategy: 'none',
  openapi: {},
});

const bundle = {
  metadata: {
    endpoints: {
      '/count': { post: endpoint('add', 'readwrite'), get: endpoint('read', 'readonly') },
    },
  },
  modules: [{ name: 'main.js', module: source }],
};

suite('sealed requests to an application, from a client made by the format alone', {
  concurrency: false,
}, () => {
  let directory: string;
  let network: LocalNetwork;
  let office: Identity;
  const carriers = new Map<string, ApplicationClient>();

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'concordat-sealed-'));
    const file = join(directory, 'bundle.json');
    writeFileSync(file, JSON.stringify(bundle));
    network = await LocalNetwork.start({
      workerImage: 'application',
      genesisData: { javascript: file },
      policies: { anonymousConnections: 'accept' },
    });
    office = await network.identity(frontOffice);
    for (const node of network.nodes) {
      const address = `${node.host}:${node.ports.application}`;
      const networkCertificate = network.certificate;
      carriers.set(node.name, new ApplicationClient({ address, networkCertificate }));
    }
  });

  after(async () => {
    for (const carrier of carriers.values()) carrier.close();
    await network?.end();
    rmSync(directory, { recursive: true, force: true });
  });

  const send = (node: LocalNode, body: Uint8Array) =>
    (carriers.get(node.name) as ApplicationClient).connection.request({
      method: 'POST',
      path: sealedPaths.request,
      headers: { 'content-type': sealedRequestMediaType },
      body,
    });

  /** Seals as the format says, by hand: nothing of the SDK's sealed client. */
  async function seal(inner: Omit<InnerRequest, 'body'>, createdAtSeconds = Date.now() / 1_000) {
    const [node] = network.nodes as [LocalNode];
    const carrier = carriers.get(node.name) as ApplicationClient;
    const { body } = await carrier.connection.request({ path: sealedPaths.key });
    const [certificateDer] = fromPem(network.certificate);
    assert(certificateDer && office.messageSigner);
    const atSeconds = Math.floor(Date.now() / 1_000);
    const key = verifyRequestKey(body, { certificateDer, atSeconds });
    const context = sendTo(key.publicKey, sealedRequestInfo(key.networkId), randomBytes(32));
    const { ephemeral } = context;
    const message = buildSealedMessage({
      ...office.messageSigner,
      networkId: key.networkId,
      worker: 1,
      createdAtSeconds: Math.floor(createdAtSeconds),
      certificates: [office.certificateDer],
      ephemeral,
      payload: encodeInnerRequest({ ...inner, body: new Uint8Array(0) }),
    });
    const ciphertext = context.seal(message, sealedRequestHeader(key.epoch));
    const open = (sealed: Uint8Array) => {
      const to = { secret: context.export(sealedReplyLabel), ephemeral };
      const reply = decodeInnerReply(openReply(to, sealed));
      return { status: reply.status, json: JSON.parse(Buffer.from(reply.body).toString()) };
    };
    return { sealed: encodeSealedRequest({ epoch: key.epoch, ephemeral, ciphertext }), open };
  }

  test('a write without a key of its own runs once, whichever nodes its copies reach; each answer is the first', async () => {
    const { sealed, open } = await seal({ method: 'POST', target: '/count', headers: [] });
    const answers = await Promise.all(network.nodes.map((node) => send(node, sealed)));
    for (const { status, body } of answers) {
      assert.equal(status, 200);
      assert.deepEqual(open(body), { status: 200, json: { count: 1, who: office.actorId } });
    }
    const [first] = network.nodes as [LocalNode];
    const again = await send(first, sealed);
    assert.match(again.body.toString(), /SEALED_REQUEST_REPLAYED/);
    const read = await seal({
      method: 'GET',
      target: '/count',
      headers: [['concordat-consistency', 'linearizable']],
    });
    const now = await send(first, read.sealed);
    assert.deepEqual(read.open(now.body).json, { count: 1 });
  });

  test('every node publishes the same key, on both channels, endorsed by the network', async () => {
    const [certificateDer] = fromPem(network.certificate);
    assert(certificateDer);
    const atSeconds = Math.floor(Date.now() / 1_000);
    const keys = new Set<string>();
    for (const node of network.nodes) {
      const carrier = carriers.get(node.name) as ApplicationClient;
      const { body } = await carrier.connection.request({ path: sealedPaths.key });
      const admin = await network.admin(node);
      const { requestKey = '' } = await admin.network().finally(() => admin.close());
      for (const bytes of [body, Buffer.from(requestKey, 'base64')]) {
        const { publicKey, epoch } = verifyRequestKey(bytes, { certificateDer, atSeconds });
        keys.add(`${epoch} ${toHex(publicKey)}`);
      }
    }
    assert.equal(keys.size, 1);
  });

  test('what the application or the framework refuses is said inside', async () => {
    const [node] = network.nodes as [LocalNode];
    for (const [inner, status, code] of [
      [{ method: 'GET', target: '/nothing', headers: [] }, 404, 'NOT_FOUND'],
      [{ method: 'DELETE', target: '/count', headers: [] }, 405, 'METHOD_NOT_ALLOWED'],
      [{ method: 'GET', target: '/a/../count', headers: [] }, 400, 'SEALED_REQUEST_MALFORMED'],
      [
        { method: 'GET', target: '/count', headers: [['concordat-consistency', 'x']] },
        ...([400, 'MALFORMED_REQUEST'] as const),
      ],
    ] as [Omit<InnerRequest, 'body'>, number, string][]) {
      const { sealed, open } = await seal(inner);
      const answer = await send(node, sealed);
      assert.equal(answer.status, 200);
      const found = open(answer.body);
      assert.deepEqual([found.status, found.json.error.code], [status, code]);
    }
  });

  test('a request out of its time is refused before it is read', async () => {
    const [node] = network.nodes as [LocalNode];
    const now = Date.now() / 1_000;
    for (const [at, code] of [
      [now - 302, 'SEALED_REQUEST_EXPIRED'],
      [now + 90, 'SEALED_REQUEST_TOO_EARLY'],
    ] as const) {
      const { sealed } = await seal({ method: 'GET', target: '/count', headers: [] }, at);
      const answer = await send(node, sealed);
      assert.equal(answer.status, 400);
      assert(answer.body.includes(code));
    }
  });

  test('over an actor’s connection they pass also where strangers do not, and are still the signer’s', async () => {
    const [first, ...others] = network.nodes as [LocalNode, ...LocalNode[]];
    const { sealed, open } = await seal({ method: 'POST', target: '/count', headers: [] });
    const change = {
      name: 'set_policy',
      args: { name: 'anonymousConnections', value: 'refuse' },
    } as const;
    const proposer = await network.admin(first);
    const { proposalId } = await proposer
      .propose([change as never])
      .finally(() => proposer.close());
    for (const node of [first, ...others]) {
      const admin = await network.admin(node);
      const { state } = await admin.vote(proposalId, true).finally(() => admin.close());
      if (state === 'accepted') break;
    }
    const post = {
      method: 'POST',
      path: sealedPaths.request,
      headers: { 'content-type': sealedRequestMediaType },
      body: sealed,
    };
    await waitUntil(
      () =>
        send(first, new Uint8Array(1)).then(
          ({ status }) => status === 401,
          () => false,
        ),
      { what: 'strangers to be refused' },
    );
    const member = await network.application(first, first.organisation);
    const answer = await member.connection.request(post).finally(() => member.close());
    assert.equal(answer.status, 200, answer.body.toString());
    const { json } = open(answer.body);
    assert.equal((json as { who: string }).who, office.actorId);
  });
});
