import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { describe, it, type TestContext } from 'node:test';
import { createSigningKey } from '@concordat/crypto';
import { ApplicationClient, gateTo, NodeVerifier, parsePinnedCode, SdkError } from '@concordat/sdk';
import {
  evidenceAnswer,
  evidenceHandler,
  type Lies,
  managerCode,
  pinned,
} from './fake-evidence.ts';
import { FakeNetwork, freeAddress, startNode, valid } from './fake-network.ts';

const network = new FakeNetwork();

/** A node with an administrative and an application port, and how its application port was used. */
async function start(
  t: TestContext,
  options: { lies?: () => Lies; applicationKey?: boolean; admin?: RequestListener } = {},
) {
  const key = createSigningKey(randomBytes(32));
  const tls = network.nodeCredentials(valid, key);
  const admin = await startNode({
    network,
    tls,
    hearsAnybody: true,
    handle: options.admin ?? evidenceHandler(key, options.lies),
  });
  let requests = 0;
  const application = await startNode({
    network,
    tls: options.applicationKey ? network.nodeCredentials() : tls,
    handle: (_request, response) => {
      requests += 1;
      response.end('{"ok":true}');
    },
  });
  let nowMs = 0;
  const verifier = new NodeVerifier({ pinned, maxAgeMs: 1_000, nowMs: () => nowMs });
  const client = new ApplicationClient({
    address: application.address,
    networkCertificate: network.certificate,
    identity: network.member,
    retry: { attempts: 1 },
    gate: gateTo({
      verifier,
      adminAddress: admin.address,
      networkCertificate: network.certificate,
      timeoutMs: 3_000,
    }),
  });
  t.after(async () => {
    client.close();
    await admin.close();
    await application.close();
  });
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  return { client, admin, application, requests: () => requests, pass };
}

const refusedWith = (reason: string) => (error: unknown) =>
  error instanceof SdkError && error.code === 'EVIDENCE_REFUSED' && error.details.reason === reason;

describe('a client that pinned code', () => {
  it('speaks to a node whose evidence covers the key that ended its connections', async (t) => {
    const { client, requests, admin } = await start(t);
    for (let at = 0; at < 3; at++) await client.request('/x');
    assert.equal(requests(), 3);
    assert.equal(admin.accepted(), 1);
  });

  it('asks for evidence again when it is too old, on connections kept open too', async (t) => {
    let lies: Lies = {};
    const { client, requests, admin, pass } = await start(t, { lies: () => lies });
    await client.request('/x');
    pass(1_000);
    await client.request('/x');
    assert.equal(admin.accepted(), 2);
    lies = { measurement: 'c3'.repeat(32) };
    pass(999);
    await client.request('/x');
    pass(1);
    await assert.rejects(client.request('/x'), refusedWith('UNLISTED_MEASUREMENT'));
    assert.equal(requests(), 3);
  });

  it('has a node that was started anew, with other keys, prove itself anew', async (t) => {
    const { client, requests, admin, application } = await start(t);
    await client.request('/x');
    const portOf = ({ address }: { readonly address: string }) => Number(address.split(':')[1]);
    for (let launch = 0; launch < 2; launch++) {
      await admin.close();
      await application.close();
      const key = createSigningKey(randomBytes(32));
      const tls = network.nodeCredentials(valid, key);
      const handle = evidenceHandler(key);
      const again = await startNode({
        network,
        tls,
        hearsAnybody: true,
        handle,
        port: portOf(admin),
      });
      let served = 0;
      const applicationAgain = await startNode({
        network,
        tls,
        handle: (_request, response) => {
          served += 1;
          response.end('{"ok":true}');
        },
        port: portOf(application),
      });
      // What was open broke with the launch before.
      await client.request('/x').catch(() => client.request('/x'));
      assert.equal(served, 1);
      await again.close();
      await applicationAgain.close();
    }
    assert.equal(requests(), 1);
  });

  const other = createSigningKey(randomBytes(32));
  const flipped = (evidence: Uint8Array): Uint8Array => {
    const copy = Uint8Array.from(evidence);
    copy[copy.length - 3] = (copy.at(-3) as number) ^ 1;
    return copy;
  };
  const cases: [string, string, Lies][] = [
    ['code that is not pinned', 'UNLISTED_MEASUREMENT', { measurement: 'c3'.repeat(32) }],
    [
      'a worker that is not pinned',
      'UNLISTED_MEASUREMENT',
      { stated: { workers: [{ measurement: 'c3'.repeat(32), platform: 'virtual' }] } },
    ],
    [
      'a worker that runs the code of a manager',
      'WRONG_ROLE',
      { stated: { workers: [{ measurement: managerCode, platform: 'virtual' }] } },
    ],
    [
      'a worker on a platform that is not pinned',
      'UNLISTED_TEE',
      { stated: { workers: [{ measurement: managerCode, platform: 'sgx' }] } },
    ],
    ['a nonce of another time', 'OTHER_NONCE', { stated: { nonce: '0'.repeat(64) } }],
    [
      'a network that was written over',
      'WRONG_REPORT_DATA',
      { altered: { networkId: '0'.repeat(64) } },
    ],
    ['workers that were left out', 'WRONG_REPORT_DATA', { altered: { workers: [] } }],
    ['evidence with a flipped bit', 'BAD_SIGNATURE', { evidence: flipped }],
    ['evidence cut short', 'MALFORMED', { evidence: (bytes) => bytes.subarray(0, 60) }],
    ['no evidence', 'MALFORMED', { evidence: () => new Uint8Array(0) }],
    ['evidence of 100,000 bytes', 'MALFORMED', { evidence: () => new Uint8Array(100_000) }],
    ['workers of no form', 'MALFORMED', { altered: { workers: [null] as never } }],
    ['more than 256 workers', 'MALFORMED', { altered: { workers: Array(257).fill({}) } }],
  ];
  for (const [what, reason, lies] of cases) {
    it(`says nothing to a node that shows ${what}`, async (t) => {
      const { client, requests, application } = await start(t, { lies: () => lies });
      await assert.rejects(client.request('/x'), refusedWith(reason));
      assert.equal(requests(), 0);
      assert.equal(application.accepted(), 0);
    });
  }

  it('says nothing to a node that passes on what another one shows', async (t) => {
    const relaying: RequestListener = (request, response) => {
      const nonce = new URL(request.url ?? '/', 'https://node').searchParams.get('nonce') as string;
      response.end(JSON.stringify(evidenceAnswer(other, nonce)));
    };
    const { client, requests } = await start(t, { admin: relaying });
    await assert.rejects(client.request('/x'), refusedWith('OTHER_KEY'));
    assert.equal(requests(), 0);
  });

  it('says nothing to an application port that is of another node', async (t) => {
    const { client, requests } = await start(t, { applicationKey: true });
    await assert.rejects(client.request('/x'), { code: 'NODE_NOT_VERIFIED' });
    await assert.rejects(client.connection.upgrade('/x', 'y'), { code: 'NODE_NOT_VERIFIED' });
    await assert.rejects(client.connection.stream({ path: '/x' }), { code: 'NODE_NOT_VERIFIED' });
    assert.equal(requests(), 0);
  });

  const hostile: [string, RequestListener, string][] = [
    ['answers no JSON', (_request, response) => response.end('<html>'), 'EVIDENCE_REFUSED'],
    ['answers null', (_request, response) => response.end('null'), 'EVIDENCE_REFUSED'],
    [
      'answers an error',
      (_request, response) => response.writeHead(500).end('{}'),
      'UNEXPECTED_ANSWER',
    ],
    ['never answers', () => {}, 'TIMEOUT'],
    [
      'never ends its answer',
      (_request, response) => {
        const more = (): void => {
          if (!response.destroyed && response.write(Buffer.alloc(16_384))) setImmediate(more);
        };
        response.on('drain', more);
        more();
      },
      'UNEXPECTED_ANSWER',
    ],
    ['hangs up', (request) => request.socket.destroy(), 'CONNECTION_LOST'],
  ];
  for (const [what, admin, code] of hostile) {
    it(`says nothing to a node that ${what}`, async (t) => {
      const { client, requests } = await start(t, { admin });
      await assert.rejects(client.request('/x'), { code });
      assert.equal(requests(), 0);
    });
  }

  it('says nothing to a node of another network', async () => {
    const gate = gateTo({
      verifier: new NodeVerifier({ pinned }),
      adminAddress: await freeAddress(),
      networkCertificate: network.certificate,
    });
    await assert.rejects(gate.verify(), { code: 'UNREACHABLE' });
    const foreign = new FakeNetwork('another');
    const key = createSigningKey(randomBytes(32));
    const node = await startNode({
      network: foreign,
      tls: foreign.nodeCredentials(valid, key),
      handle: evidenceHandler(key),
    });
    const { certificate } = network;
    const verifier = new NodeVerifier({ pinned });
    const other = gateTo({ verifier, adminAddress: node.address, networkCertificate: certificate });
    await assert.rejects(other.verify(), { code: 'WRONG_NETWORK' });
    await node.close();
  });
});

describe('pinned code', () => {
  it('is read from JSON, with what else stands in a manifest', () => {
    const text = JSON.stringify({
      code: pinned.code.map((entry) => ({ ...entry, name: 'x', version: '1' })),
      platforms: ['virtual'],
    });
    assert.deepEqual(parsePinnedCode(text), pinned);
  });

  for (const text of [
    '',
    'null',
    '[]',
    '{"code":[],"platforms":["virtual"]}',
    `{"code":[{"measurement":"${managerCode}","role":"manager"}]}`,
    `{"code":[{"measurement":"${managerCode}","role":"worker"}],"platforms":["virtual"]}`,
    `{"code":[{"measurement":"${managerCode}","role":"host"}],"platforms":["virtual"]}`,
    `{"code":[{"measurement":"A1","role":"manager"}],"platforms":["virtual"]}`,
    `{"code":[null],"platforms":["virtual"]}`,
    `{"code":[{"measurement":"${managerCode}","role":"manager"}],"platforms":["No Name"]}`,
  ]) {
    it(`is refused as ${text.slice(0, 60)}`, () => {
      assert.throws(() => parsePinnedCode(text), { code: 'INVALID_PINNED_CODE' });
    });
  }
});
