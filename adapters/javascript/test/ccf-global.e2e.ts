import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeNode, type FakeNode } from '@concordat/conformance';
import { createSigningKey, issueCertificate, toPem } from '@concordat/crypto';
import { createJavascriptAdapter } from '../index.ts';
import { ccfMembers, cryptoMembers, requestMembers } from './ccf-types.ts';
import { bytesOfBundle } from './logging-application.ts';
import { patientLimits } from './patient-limits.ts';

const source = `
const { crypto } = ccf;
const buf = ccf.strToBuf;
const same = (a, b) => ccf.bufToStr(a) === ccf.bufToStr(b);
const hex = (bytes) => [...new Uint8Array(bytes)].map((b) => b.toString(16).padStart(2, '0')).join('');
const ecdsa = { name: 'ECDSA', hash: 'SHA-256' };
const pss = { name: 'RSA-PSS', hash: 'SHA-256', saltLength: 32 };
const hmac = { name: 'HMAC', hash: 'SHA-256' };
const eddsa = { name: 'EdDSA' };

/** Whether what the one key signs, the other verifies, and nothing else. */
const fits = (algorithm, { privateKey, publicKey }) => {
  const signature = crypto.sign(algorithm, privateKey, buf('text'));
  return signature instanceof ArrayBuffer
    && crypto.verifySignature(algorithm, publicKey, signature, buf('text')) === true
    && crypto.verifySignature(algorithm, publicKey, signature, buf('other')) === false;
};

export function cryptography(request) {
  const { pem } = request.body.json();
  const ec = crypto.generateEcdsaKeyPair('secp256r1');
  const ed = crypto.generateEddsaKeyPair('curve25519');
  const rsa = crypto.generateRsaKeyPair(2048);
  const aes = crypto.generateAesKey(256);
  const kwp = { name: 'AES-KWP' };
  const oaep = { name: 'RSA-OAEP', label: buf('label') };
  const wrapped = crypto.wrapKey(buf('a key of 16 byte'), aes, kwp);
  const sealed = crypto.wrapKey(buf('a key of 16 byte'), buf(rsa.publicKey), oaep);
  const through = (algorithm, pair, toJwk, toPem, pubToJwk, pubToPem) => {
    const [jwk, pub] = [crypto[toJwk](pair.privateKey, 'kid'), crypto[pubToJwk](pair.publicKey)];
    const [privateKey, publicKey] = [crypto[toPem](jwk), crypto[pubToPem](pub)];
    return jwk.kid === 'kid' && typeof jwk.d === 'string' && pub.d === undefined
      && fits(algorithm, { privateKey, publicKey });
  };
  const ecJwk = through(ecdsa, ec, 'pemToJwk', 'jwkToPem', 'pubPemToJwk', 'pubJwkToPem');
  const rsaJwk = through(pss, rsa, 'rsaPemToJwk', 'rsaJwkToPem', 'pubRsaPemToJwk', 'pubRsaJwkToPem');
  const edJwk = through(eddsa, ed, 'eddsaPemToJwk', 'eddsaJwkToPem', 'pubEddsaPemToJwk', 'pubEddsaJwkToPem');
  return { body: {
    sign: fits(ecdsa, ec) && hex(crypto.sign(hmac, 'key', buf(''))) === '${'5d5d139563c95b5967b9bd9a8c9b233a9dedb45072794cd232dc1b74832607d0'}',
    verifySignature: fits(pss, rsa),
    generateAesKey: aes instanceof ArrayBuffer && aes.byteLength === 32,
    generateRsaKeyPair: rsa.publicKey.includes('PUBLIC KEY'),
    generateEcdsaKeyPair: ec.privateKey.includes('PRIVATE KEY'),
    generateEddsaKeyPair: fits(eddsa, ed),
    wrapKey: !same(wrapped, buf('a key of 16 byte')),
    unwrapKey: same(crypto.unwrapKey(wrapped, aes, kwp), buf('a key of 16 byte'))
      && same(crypto.unwrapKey(sealed, buf(rsa.privateKey), oaep), buf('a key of 16 byte')),
    digest: hex(crypto.digest('SHA-256', buf('abc'))) === '${'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'}',
    isValidX509CertBundle: crypto.isValidX509CertBundle(pem) && !crypto.isValidX509CertBundle('no'),
    isValidX509CertChain: crypto.isValidX509CertChain(pem, pem),
    pemToJwk: ecJwk, jwkToPem: ecJwk, pubPemToJwk: ecJwk, pubJwkToPem: ecJwk,
    rsaPemToJwk: rsaJwk, rsaJwkToPem: rsaJwk, pubRsaPemToJwk: rsaJwk, pubRsaJwkToPem: rsaJwk,
    eddsaPemToJwk: edJwk, eddsaJwkToPem: edJwk, pubEddsaPemToJwk: edJwk, pubEddsaJwkToPem: edJwk,
  } };
}

export function everything(request) {
  const last = ccf.consensus.getLastCommittedTxId();
  const bytes = ccf.jsonCompatibleToBuf({ a: [1] });
  const switched = (name) => {
    const before = ccf[name](false);
    const between = ccf[name](before);
    return before === true && between === false;
  };
  const map = ccf.kv['public:test'];
  map.set(buf('key'), buf('value'));
  const seen = [];
  map.forEach((value, key, self) => seen.push(ccf.bufToStr(key) + ccf.bufToStr(value) + (self === map)));
  const digest = ccf.digest('SHA-256', buf('claim'));
  ccf.rpc.setClaimsDigest(digest);
  ccf.rpc.setApplyWrites(true);
  return { statusCode: 202, body: { names: Object.keys(ccf), crypto: Object.keys(crypto), checks: {
    strToBuf: buf('é') instanceof ArrayBuffer && buf('é').byteLength === 2,
    bufToStr: ccf.bufToStr(buf('é')) === 'é',
    jsonCompatibleToBuf: ccf.bufToStr(bytes) === '{"a":[1]}',
    bufToJsonCompatible: ccf.bufToJsonCompatible(bytes).a[0] === 1,
    generateAesKey: ccf.generateAesKey(128).byteLength === 16,
    generateRsaKeyPair: ccf.generateRsaKeyPair === crypto.generateRsaKeyPair,
    generateEcdsaKeyPair: ccf.generateEcdsaKeyPair === crypto.generateEcdsaKeyPair,
    wrapKey: ccf.wrapKey === crypto.wrapKey,
    digest: digest.byteLength === 32,
    isValidX509CertBundle: ccf.isValidX509CertBundle('no') === false,
    isValidX509CertChain: ccf.isValidX509CertChain === crypto.isValidX509CertChain,
    crypto: typeof crypto === 'object',
    rpc: Object.keys(ccf.rpc).join() === 'setApplyWrites,setClaimsDigest',
    consensus: ccf.consensus.getStatusForTxId(last.view, last.seqno) === 'Committed'
      && ccf.consensus.getViewForSeqno(last.seqno) === last.view
      && ccf.consensus.getViewForSeqno(1e9) === null
      && ccf.consensus.getStatusForTxId(last.view + 9, 1e9) === 'Unknown',
    kv: seen.join() === 'keyvaluetrue' && map.has(buf('key')) && map.size === 1
      && ccf.bufToStr(map.get(buf('key'))) === 'value' && map.get(buf('none')) === undefined
      && map.getVersionOfPreviousWrite(buf('none')) === undefined
      && map.delete(buf('key')) === undefined && map.size === 0
      && map.set(buf('a'), buf('b')) === map && map.clear() === undefined && map.size === 0,
    historicalState: ccf.historicalState === undefined,
    historical: ['getStateRange', 'dropCachedStates'].every((name) => typeof ccf.historical[name] === 'function')
      && ccf.historical.dropCachedStates(7) === false,
    enableUntrustedDateTime: switched('enableUntrustedDateTime'),
    enableMetricsLogging: switched('enableMetricsLogging'),
  } } };
}

export function show(request) {
  const { text, json, arrayBuffer } = request.body;
  const { headers, params, url, path, route, query, method, hostname, caller } = request;
  return { body: {
    names: Object.keys(request),
    text: text(), json: json(), bytes: arrayBuffer().byteLength, host: headers['x-own'],
    params, url, path, route, query, method, hostname, caller: caller ?? null,
  } };
}

export const text = () => ({ body: 'é' });
export const bytes = () => ({ body: new Uint8Array([9, 1, 2, 9]).subarray(1, 3) });
export const own = () => ({ statusCode: 418, headers: { 'content-type': 'text/x-own' }, body: 'own' });
export const empty = () => ({});
export const throwing = () => { throw new Error('thrown'); };
export const wrong = () => 7;
`;

const endpoint = (js_function: string, mode = 'readonly', authn_policies: unknown[] = []) => ({
  js_module: 'main.js',
  js_function,
  mode,
  authn_policies,
});

const answers = ['text', 'bytes', 'own', 'empty', 'throwing', 'wrong'];

const genesisData = bytesOfBundle({
  metadata: {
    endpoints: {
      '/crypto': { post: endpoint('cryptography') },
      '/everything': { post: endpoint('everything', 'readwrite') },
      '/show/{one}/{two}': { post: endpoint('show', 'readwrite', ['any_cert']) },
      '/open': { post: endpoint('show', 'readwrite') },
      ...Object.fromEntries(answers.map((name) => [`/${name}`, { get: endpoint(name) }])),
    },
  },
  modules: [{ name: 'main.js', module: source }],
});

async function start(): Promise<FakeNode> {
  return createFakeNode(createJavascriptAdapter(), { genesisData, config: patientLimits });
}

const post = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(url, { method: 'POST', body: JSON.stringify(body), headers });

const key = createSigningKey(new Uint8Array(32).fill(3));
const certificate = toPem(
  issueCertificate({
    subject: { commonName: 'test' },
    publicKeySpki: key.publicKeySpki,
    issuer: { key },
    serial: Uint8Array.of(1),
    notBeforeMs: Date.now() - 86_400_000,
    notAfterMs: Date.now() + 86_400_000,
    isCa: true,
    usages: ['keyCertSign'],
  }),
);

function everyOne(checks: Record<string, boolean>, members: Readonly<Record<string, true>>): void {
  assert.deepEqual(Object.keys(checks).sort(), Object.keys(members).sort());
  for (const [name, holds] of Object.entries(checks)) assert.equal(holds, true, name);
}

test('every member that @microsoft/ccf-app types works as it says', async (t) => {
  const node = await start();
  t.after(() => node.close());
  const cryptography = await post(`${node.url}/crypto`, { pem: certificate });
  assert.equal(cryptography.status, 200, await cryptography.clone().text());
  everyOne((await cryptography.json()) as Record<string, boolean>, cryptoMembers);
  const answer = await post(`${node.url}/everything`, {});
  assert.equal(answer.status, 202, await answer.clone().text());
  const { names, crypto, checks } = (await answer.json()) as {
    names: string[];
    crypto: string[];
    checks: Record<string, boolean>;
  };
  everyOne(checks, ccfMembers);
  assert.deepEqual(names.sort(), Object.keys(ccfMembers).sort());
  assert.deepEqual(crypto.sort(), Object.keys(cryptoMembers).sort());
});

test('a request has every member, and none beside them', async (t) => {
  const node = await start();
  t.after(() => node.close());
  const url = `${node.url}/app/show/a%20b/2?x=1&y=%C3%A9`;
  const answer = await post(url, { é: 1 }, { 'x-own': 'mine' });
  assert.equal(answer.status, 200, await answer.clone().text());
  const shown = (await answer.json()) as Record<string, unknown>;
  assert.deepEqual((shown.names as string[]).sort(), Object.keys(requestMembers).sort());
  const { names: _names, caller, ...rest } = shown;
  assert.deepEqual(rest, {
    text: '{"é":1}',
    json: { é: 1 },
    bytes: 8,
    host: 'mine',
    params: { one: 'a b', two: '2' },
    url: '/app/show/a%20b/2?x=1&y=%C3%A9',
    path: '/app/show/a%20b/2',
    route: '/show/{one}/{two}',
    query: 'x=1&y=%C3%A9',
    method: 'POST',
    hostname: new URL(node.url).host,
  });
  assert.equal((caller as { policy: string }).policy, 'any_cert');
  const open = (await (await post(`${node.url}/open`, {})).json()) as { caller: unknown };
  assert.equal(open.caller, null, 'without a policy there is no caller');
});

test("answers have CCF's types of content and its form of an error", async (t) => {
  const node = await start();
  t.after(() => node.close());
  const get = async (path: string): Promise<[number, string | null, string]> => {
    const response = await fetch(node.url + path);
    const bytes = Buffer.from(await response.arrayBuffer());
    return [response.status, response.headers.get('content-type'), bytes.toString('latin1')];
  };
  assert.deepEqual(await get('/text'), [200, 'text/plain', Buffer.from('é').toString('latin1')]);
  assert.deepEqual(await get('/bytes'), [200, 'application/octet-stream', '\u0001\u0002']);
  assert.deepEqual(await get('/own'), [418, 'text/x-own', 'own']);
  assert.equal((await get('/empty'))[0], 200);
  for (const [path, message] of [
    ['/throwing', /thrown/],
    ['/wrong', /did not return an object/],
  ] as const) {
    const [status, , text] = await get(path);
    const { error } = JSON.parse(text) as {
      error: { details: { code: string; message: string }[] };
    };
    assert.deepEqual(
      [status, error.details.length, error.details[0]?.code],
      [500, 1, 'JSException'],
    );
    assert.match(error.details[0]?.message ?? '', message);
  }
});
