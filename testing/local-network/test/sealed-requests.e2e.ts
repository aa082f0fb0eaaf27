import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { after, before, beforeEach, suite, test } from 'node:test';
import { sealedPaths, sealedReplyMediaType } from '@concordat/api';
import { frontOffice } from '@concordat/cli';
import {
  createIdentityElsewhere,
  createOrganisation,
  type Identity,
  issueStaffIdentity,
  SdkError,
  SealedClient,
} from '@concordat/sdk';
import { LocalNetwork, type LocalNode, TerminatingProxy, waitUntil } from '../index.ts';

const marker = 'planted-marker-7f3a';

/** The code of a failure; of what came in the clear, what was said there. */
const codeOf = (request: Promise<unknown>): Promise<string> =>
  request.then(
    () => 'answered',
    (error: unknown) => {
      assert(error instanceof SdkError, String(error));
      return error.code === 'UNSEALED_ANSWER'
        ? `in the clear: ${error.details.serverCode ?? error.details.status}`
        : error.code;
    },
  );

suite('requests sealed to the network, through a proxy that ends TLS', {
  concurrency: false,
}, () => {
  let network: LocalNetwork;
  let proxy: TerminatingProxy;
  let office: Identity;
  let client: SealedClient;
  const clients: SealedClient[] = [];

  const placeOf = (node: LocalNode) => ({ host: node.host, port: node.ports.application });
  const clientOf = (identity: Identity, attempts = 1): SealedClient => {
    const made = new SealedClient({
      url: proxy.url,
      authorities: proxy.authority,
      networkCertificate: network.certificate,
      identity,
      retry: { attempts },
    });
    clients.push(made);
    return made;
  };
  const put = (key: string, value: string, by = client) =>
    by.request(`/kv/${key}`, { method: 'PUT', body: value });
  const get = async (key: string, by = client) => (await by.request(`/kv/${key}`)).body.toString();
  const current = async (key: string) =>
    (await client.request(`/kv/${key}`, { consistency: 'linearizable' })).body.toString();
  /** The newest sealed request that the proxy saw. */
  const lastRequest = () => {
    const found = proxy.seen.findLast(({ start }) => start === `POST ${sealedPaths.request}`);
    assert(found);
    return found;
  };

  before(async () => {
    network = await LocalNetwork.start({ policies: { anonymousConnections: 'accept' } });
    proxy = await TerminatingProxy.open(
      placeOf(network.nodes[0] as LocalNode),
      network.certificate,
    );
    office = await network.identity(frontOffice);
    client = clientOf(office);
  });

  beforeEach(() => {
    proxy.meddling = {};
    proxy.target = placeOf(network.nodes[0] as LocalNode);
  });

  after(async () => {
    for (const one of clients) one.close();
    proxy?.close();
    await network?.end();
  });

  test('are read and answered on every node, writes by way of the leader; the proxy sees nothing of them', async () => {
    for (const node of network.nodes) {
      proxy.target = placeOf(node);
      const key = `${marker}-${node.name}`;
      const written = await put(key, `${marker} value of ${node.name}`);
      assert.match(String(written.transactionId), /^\d+\.\d+$/);
      assert.equal(await get(key), `${marker} value of ${node.name}`);
    }
    assert.equal(await codeOf(get(`${marker}-absent`)), 'NOT_FOUND');
    const { bytes } = proxy;
    assert(bytes.length > 5_000, `${bytes.length} bytes passed`);
    for (const secret of [marker, '/kv/', 'PUT', office.name, 'NOT_FOUND']) {
      for (const form of [secret, Buffer.from(secret).toString('hex')]) {
        assert.equal(bytes.indexOf(form), -1, `${secret} in what the proxy saw`);
      }
    }
    const { certificateDer } = office;
    assert.equal(bytes.indexOf(certificateDer.subarray(40, 80)), -1, 'who asks');
  });

  test('an Ethereum ledger is called the same way', async () => {
    const id = await client.jsonRpc('eth_chainId');
    assert.match(String(id), /^0x[0-9a-f]+$/);
    const [number, unknown] = await client.jsonRpcBatch([
      { method: 'eth_blockNumber' },
      { method: 'no_such_method' },
    ]);
    assert.match(String(number), /^0x/);
    assert(unknown instanceof SdkError);
  });

  test('staff, and a key that is elsewhere, sign for their organisation', async () => {
    const staff = issueStaffIdentity(office, { name: 'somebody' });
    assert.equal(await codeOf(put('by-staff', 'x', clientOf(staff))), 'answered');
    const { signingKey } = office;
    assert(signingKey);
    const elsewhere = createIdentityElsewhere(office.certificatePem, {
      publicKey: signingKey.publicKeySpki.subarray(-65),
      sign: (bytes) => sign('sha256', bytes, { key: office.keyPem, dsaEncoding: 'ieee-p1363' }),
    });
    assert.equal(await codeOf(put('by-token', 'x', clientOf(elsewhere))), 'answered');
  });

  test('every altered byte of a request is noticed, and nothing of it is executed', async () => {
    await put('altered', 'before');
    for (const place of [0, 4, 8, 9, 40, 73, 74, 200, -17, -1]) {
      proxy.meddling = {
        request: ({ start, body }) => {
          const bytes = Buffer.from(body);
          const at = place < 0 ? bytes.length + place : place;
          if (start.startsWith('POST')) bytes[at] = (bytes[at] as number) ^ 1;
          return bytes;
        },
      };
      const code = await codeOf(put('altered', 'after'));
      assert.match(code, /^in the clear: SEALED_/, `byte ${place}`);
    }
    proxy.meddling = {
      request: ({ start, body }) => (start.startsWith('POST') ? body.subarray(0, -1) : body),
    };
    const cut = 'in the clear: SEALED_REQUEST_UNREADABLE';
    assert.equal(await codeOf(put('altered', 'after')), cut);
    proxy.meddling = {};
    assert.equal(await current('altered'), 'before');
  });

  test('a reply that is altered, forged in the clear or another request’s is noticed', async () => {
    await put('reply', 'mine');
    await put('other', 'not mine');
    const isReply = (headers: Record<string, unknown>) =>
      headers['content-type'] === sealedReplyMediaType;
    for (const at of [0, 31, 32, 60]) {
      proxy.meddling = {
        answer: ({ headers, body }) => {
          const bytes = Buffer.from(body);
          if (isReply(headers)) bytes[at] = (bytes[at] as number) ^ 1;
          return bytes;
        },
      };
      assert.equal(await codeOf(get('reply')), 'SEALED_REPLY_INVALID', `byte ${at}`);
    }
    let kept: Buffer | undefined;
    proxy.meddling = {
      answer: ({ headers, body }) => {
        if (!isReply(headers)) return body;
        const given = kept ?? body;
        kept = body;
        return given;
      },
    };
    assert.equal(await get('other'), 'not mine');
    assert.equal(await codeOf(get('reply')), 'SEALED_REPLY_INVALID', 'swapped');
    proxy.meddling = { answer: () => Buffer.from('{"status":200}') };
    assert.equal(await codeOf(get('reply')), 'SEALED_REPLY_INVALID');
  });

  test('a key that the network did not endorse is refused: nothing is sealed to it', async () => {
    const before = proxy.seen.length;
    proxy.meddling = { answer: ({ body }) => Buffer.from(body).fill(1, body.length - 10) };
    assert.equal(await codeOf(get('reply', clientOf(office))), 'REQUEST_KEY_REFUSED');
    proxy.meddling = {};
    const other = createOrganisation({ name: 'another network' });
    const pinned = new SealedClient({
      url: proxy.url,
      authorities: proxy.authority,
      networkCertificate: other.certificatePem,
      identity: office,
    });
    clients.push(pinned);
    assert.equal(await codeOf(get('reply', pinned)), 'REQUEST_KEY_REFUSED');
    const sent = proxy.seen.slice(before).filter(({ start }) => start.startsWith('POST'));
    assert.equal(sent.length, 0);
  });

  test('a copy is refused by the node that opened it, and overwrites nothing by way of another', async () => {
    await put('replayed', 'first');
    const copy = lastRequest();
    await put('replayed', 'second');
    const again = await proxy.send(sealedPaths.request, copy);
    assert.equal(again.status, 409);
    assert.match(again.body.toString(), /SEALED_REQUEST_REPLAYED/);
    for (const node of network.nodes.slice(1)) {
      const answer = await proxy.send(sealedPaths.request, copy, placeOf(node));
      assert.equal(answer.status, 200, answer.body.toString());
      assert.equal(answer.headers['content-type'], sealedReplyMediaType);
    }
    assert.equal(await current('replayed'), 'second');
  });

  test('a write whose reply is cut off is sealed anew, and was executed once', async () => {
    const patient = clientOf(office, 4);
    await get('reply', patient);
    let cut = 0;
    proxy.meddling = {
      answer: ({ headers, body }) => {
        if (headers['content-type'] !== sealedReplyMediaType || cut >= 2) return body;
        cut += 1;
        throw new Error('cut off');
      },
    };
    const { status } = await put('cut-off', 'once', patient);
    assert.deepEqual([cut, status], [2, 201], 'a second execution would find the key there');
    proxy.meddling = {};
    assert.equal((await put('cut-off', 'again', patient)).status, 204);
  });

  test('who is no actor is told so, and who holds a certificate still needs its key', async () => {
    const stranger = clientOf(createOrganisation({ name: 'stranger' }));
    assert.equal(await codeOf(get('reply', stranger)), 'in the clear: UNKNOWN_ACTOR');
    const thief = createOrganisation({ name: 'thief' });
    const { messageSigner } = thief;
    assert(messageSigner);
    const forged = clientOf({ ...office, messageSigner });
    assert.equal(await codeOf(get('reply', forged)), 'in the clear: BAD_SIGNATURE');
  });

  test('what is not sealed stays closed to who has no certificate', async () => {
    const { url } = proxy;
    assert(url);
    const plain = await proxy.send('/kv/reply', { headers: {}, body: Buffer.alloc(0) });
    assert.equal(plain.status, 401);
    const wrongType = await proxy.send(sealedPaths.request, {
      headers: { 'content-type': 'text/plain' },
      body: Buffer.from('x'),
    });
    assert.equal(wrongType.status, 415);
    const wrongMethod = await proxy.send(sealedPaths.request, {
      headers: {},
      body: Buffer.alloc(0),
    });
    assert.equal(wrongMethod.status, 405);
    const tooLarge = await proxy.send(sealedPaths.request, {
      headers: lastRequest().headers,
      body: Buffer.alloc(9 * 1024 * 1024),
    });
    assert.equal(tooLarge.status, 413);
    assert.equal(await codeOf(client.request('/no/such/path')), 'NOT_FOUND');
    assert.equal(await codeOf(client.request(sealedPaths.key)), 'NOT_FOUND', 'none inside another');
    assert.equal(await codeOf(client.request('/kv/%2e%2e/x')), 'SEALED_REQUEST_MALFORMED');
  });

  test('a new epoch begins: the next request is sealed anew to its key', async () => {
    const [first, ...others] = network.nodes as [LocalNode, ...LocalNode[]];
    await get('reply');
    const proposer = await network.admin(first);
    const { proposalId } = await proposer
      .propose([{ name: 'begin_epoch', args: {} }] as never)
      .finally(() => proposer.close());
    for (const node of [first, ...others]) {
      const admin = await network.admin(node);
      const { state } = await admin.vote(proposalId, true).finally(() => admin.close());
      if (state === 'accepted') break;
    }
    for (const node of network.nodes) {
      proxy.target = placeOf(node);
      assert.equal(await codeOf(put(`epoch-${node.name}`, 'former key')), 'answered');
      const fresh = clientOf(office);
      assert.equal(await codeOf(put(`epoch-${node.name}`, 'new key', fresh)), 'answered');
    }
  });

  test('a copy overwrites nothing under another leader, and a removed actor is heard no more', async () => {
    await put('lasting', 'first');
    const copy = lastRequest();
    await put('lasting', 'second');
    const leader = await network.leader();
    await leader.kill();
    const left = network.nodes.filter((node) => node !== leader) as [LocalNode, LocalNode];
    proxy.target = placeOf(left[0]);
    await waitUntil(() => codeOf(put('alive', 'yes')).then((code) => code === 'answered'), {
      what: 'another leader to take sealed writes',
    });
    for (const node of left) await proxy.send(sealedPaths.request, copy, placeOf(node));
    assert.equal(await current('lasting'), 'second');
    const proposer = await network.admin(left[0]);
    const { proposalId } = await proposer
      .propose([{ name: 'remove_actor', args: { actorId: office.actorId } }] as never)
      .finally(() => proposer.close());
    for (const node of left) {
      const admin = await network.admin(node);
      const { state } = await admin.vote(proposalId, true).finally(() => admin.close());
      if (state === 'accepted') break;
    }
    await waitUntil(
      () => codeOf(get('lasting')).then((code) => code === 'in the clear: UNKNOWN_ACTOR'),
      { what: 'the removed actor to be refused' },
    );
  });
});
