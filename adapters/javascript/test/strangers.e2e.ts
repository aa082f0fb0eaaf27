import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { createFakeNode, type FakeNode } from '@concordat/conformance';
import { toActorId, toHex, utf8 } from '@concordat/std';
import { type Actor, nobodyId } from '@concordat/worker-enclave';
import { createJavascriptAdapter } from '../index.ts';
import { bytesOfBundle } from './logging-application.ts';
import { patientLimits } from './patient-limits.ts';

const source = `
export const who = ({ caller }) => ({ body: caller === null || caller === undefined ? 'nobody' : caller.policy });
export const put = ({ caller }) => {
  ccf.kv.m.set(ccf.strToBuf('k'), ccf.strToBuf(caller.jwt.payload.sub));
  return { body: 'written' };
};
`;

const endpoint = (js_function: string, authn_policies: unknown[]) => ({
  js_module: 'main.js',
  js_function,
  mode: js_function === 'put' ? 'readwrite' : 'readonly',
  authn_policies,
});

const policies: Readonly<Record<string, unknown[]>> = {
  user: ['user_cert'],
  member: ['member_cert'],
  any: ['any_cert'],
  token: ['jwt'],
  both: [{ all_of: ['any_cert', 'jwt'] }],
  open: ['no_auth'],
  none: [],
};

const bundle = bytesOfBundle({
  metadata: {
    endpoints: {
      ...Object.fromEntries(
        Object.entries(policies).map(([name, list]) => [
          `/${name}`,
          { get: endpoint('who', list) },
        ]),
      ),
      '/write': { put: endpoint('put', ['jwt']) },
    },
  },
  modules: [{ name: 'main.js', module: source }],
});

const issuer = 'https://issuer.example';
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const seconds = Math.floor(Date.now() / 1_000);
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function bearer(): { authorization: string } {
  const payload = { iss: issuer, nbf: seconds - 60, exp: seconds + 600, sub: 'eve' };
  const text = `${part({ alg: 'ES256', kid: 'k' })}.${part(payload)}`;
  const signature = sign('sha256', utf8(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return { authorization: `Bearer ${text}.${signature.toString('base64url')}` };
}

const nobody: Actor = {
  actorId: toActorId(nobodyId),
  name: '',
  kinds: [],
  roles: [],
  certificate: '',
};

async function nodeOf(t: TestContext): Promise<FakeNode> {
  const key = toHex(publicKey.export({ format: 'der', type: 'spki' }));
  const tokenIssuers = [{ issuer, keys: [{ kid: 'k', key, constraint: issuer }] }];
  const node = await createFakeNode(createJavascriptAdapter(), {
    config: patientLimits,
    actor: nobody,
    genesisData: bundle,
    trust: { actors: [], tokenIssuers },
  });
  t.after(() => node.close());
  return node;
}

async function get(node: FakeNode, path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${node.url}${path}`, { headers });
  const text = await response.text();
  return { status: response.status, text };
}

test('nobody in particular reaches endpoints without a policy, with no_auth, or with its token', async (t) => {
  const node = await nodeOf(t);
  assert.deepEqual(await get(node, '/open'), { status: 200, text: 'no_auth' });
  assert.equal((await get(node, '/none')).status, 200);
  assert.deepEqual(await get(node, '/app/token', bearer()), { status: 200, text: 'jwt' });
  const written = await fetch(`${node.url}/write`, { method: 'PUT', headers: bearer() });
  assert.equal(written.status, 200, await written.text());
});

test('policies that ask for a certificate refuse nobody, and say what is missing', async (t) => {
  const node = await nodeOf(t);
  for (const name of ['user', 'member', 'any', 'both']) {
    const { status, text } = await get(node, `/${name}`, bearer());
    assert.equal(status, 401, name);
    assert.match(text, /"code":"POLICY_NOT_MET"/);
    assert.match(text, /"code":"CLIENT_CERTIFICATE_REQUIRED"/);
  }
  const { status, text } = await get(node, '/token');
  assert.equal(status, 401);
  assert.match(text, /TOKEN_MISSING/);
});

test('what the framework itself answers is for actors', async (t) => {
  const node = await nodeOf(t);
  const paths = ['/app/health', '/app/stats', '/app/commit', '/commit', '/app/api', '/app/tx'];
  for (const path of [...paths, '/app/receipt?transaction_id=1.1']) {
    const { status, text } = await get(node, path, bearer());
    assert.equal(status, 401, path);
    assert.match(text, /CLIENT_CERTIFICATE_REQUIRED/);
  }
});
