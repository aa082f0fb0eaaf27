import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { createFakeNode, type FakeNode } from '@concordat/conformance';
import {
  actorIdOf,
  coseHeaders,
  createSigningKey,
  fromPem,
  issueCertificate,
  signCose,
  toPem,
} from '@concordat/crypto';
import { emptyBytes, toHex, utf8 } from '@concordat/std';
import type { TrustedActor } from '@concordat/worker-enclave';
import { createJavascriptAdapter } from '../index.ts';
import { bytesOfBundle } from './logging-application.ts';
import { patientLimits } from './patient-limits.ts';

const source = `
const key = ccf.strToBuf('n');
const count = () => {
  const n = ccf.kv.m.has(key) ? Number(ccf.bufToStr(ccf.kv.m.get(key))) + 1 : 1;
  ccf.kv.m.set(key, ccf.strToBuf(String(n)));
  return n;
};
export const put = ({ caller }) => ({
  body: { n: count(), who: caller.jwt ? caller.jwt.payload.sub : caller.id },
});
`;

const endpoint = (...authn_policies: string[]) => ({
  js_module: 'main.js',
  js_function: 'put',
  mode: 'readwrite',
  authn_policies,
});

const bundle = bytesOfBundle({
  metadata: {
    endpoints: {
      '/token': { put: endpoint('jwt') },
      '/signed': { put: endpoint('member_cose_sign1') },
      '/either': { put: endpoint('user_cert', 'jwt') },
    },
  },
  modules: [{ name: 'main.js', module: source }],
});

const issuer = 'https://issuer.example';
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const seconds = Math.floor(Date.now() / 1_000);
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function token(claims: object): string {
  const payload = { iss: issuer, nbf: seconds - 60, exp: seconds + 600, ...claims };
  const text = `${part({ alg: 'ES256', kid: 'k' })}.${part(payload)}`;
  const signature = sign('sha256', utf8(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

async function nodeOf(t: TestContext, actors: readonly TrustedActor[] = []): Promise<FakeNode> {
  const key = toHex(publicKey.export({ format: 'der', type: 'spki' }));
  const tokenIssuers = [{ issuer, keys: [{ kid: 'k', key, constraint: issuer }] }];
  const node = await createFakeNode(createJavascriptAdapter(), {
    config: patientLimits,
    genesisData: bundle,
    trust: { actors, tokenIssuers },
  });
  t.after(() => node.close());
  return node;
}

/** Sends under always the same idempotency key, over always the same connection's actor. */
async function put(node: FakeNode, path: string, given: { bearer?: string; body?: Uint8Array }) {
  const { bearer, body } = given;
  const response = await fetch(`${node.url}${path}`, {
    method: 'PUT',
    headers: {
      'concordat-idempotency-key': 'one-key',
      ...(bearer && { authorization: `Bearer ${bearer}` }),
    },
    ...(body && { body: Buffer.from(body) }),
  });
  const answer = (await response.json()) as { n?: number; who?: string; error?: { code: string } };
  return answer.error?.code ?? `${answer.n} ${answer.who}`;
}

test('an idempotency key is the token holder’s, not that of all behind one connection', async (t) => {
  const node = await nodeOf(t);
  const holders = ['ada', 'bob'].map((sub) => token({ sub }));
  const first = [];
  for (const bearer of holders) first.push(await put(node, '/token', { bearer }));
  assert.deepEqual(first, ['1 ada', '2 bob']);
  const renewed = token({ sub: 'ada', exp: seconds + 900 });
  assert.equal(await put(node, '/token', { bearer: renewed }), '1 ada', 'a renewed token');
  assert.equal(await put(node, '/token', { bearer: holders[1] as string }), '2 bob');
});

test('tokens that name nobody are each a caller of their own', async (t) => {
  const node = await nodeOf(t);
  const [one, two] = [token({ exp: seconds + 700 }), token({ exp: seconds + 800 })];
  for (const [bearer, n] of [
    [one, 1],
    [two, 2],
    [one, 1],
  ] as const) {
    assert.equal(await put(node, '/token', { bearer }), `${n} undefined`);
  }
});

test('where the connection is the caller, the token beside it changes nothing', async (t) => {
  const node = await nodeOf(t);
  const { actorId } = node.actor;
  for (const sub of ['ada', 'bob']) {
    assert.equal(await put(node, '/either', { bearer: token({ sub }) }), `1 ${actorId}`);
  }
});

test('the key of a signed request is the signer’s', async (t) => {
  const signers = [1, 2].map((number) => {
    const key = createSigningKey(new Uint8Array(32).fill(number));
    const certificate = toPem(
      issueCertificate({
        subject: { commonName: `${number}` },
        publicKeySpki: key.publicKeySpki,
        issuer: { key },
        serial: Uint8Array.of(number),
        notBeforeMs: 0,
        notAfterMs: Date.now() + 3_600_000,
        isCa: true,
        usages: ['keyCertSign', 'clientAuth'],
      }),
    );
    const actorId = actorIdOf(fromPem(certificate)[0] ?? emptyBytes);
    const known: TrustedActor = {
      ...{ actorId, name: `${number}`, kinds: ['member'], roles: [], certificate },
    };
    const headers = new Map([[coseHeaders.kid, utf8(actorId)]]);
    return { known, body: signCose({ key, payload: utf8('x'), protectedHeaders: headers }) };
  });
  const node = await nodeOf(
    t,
    signers.map(({ known }) => known),
  );
  for (const round of ['first', 'again']) {
    for (const [at, { known, body }] of signers.entries()) {
      assert.equal(await put(node, '/signed', { body }), `${at + 1} ${known.actorId}`, round);
    }
  }
});
