import assert from 'node:assert/strict';
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { type CryptoKey, exportSPKI, generateKeyPair } from 'jose';
import { codeOf, FrontEnd, providerSettings } from './front-end.ts';
import { audience } from './openid-provider.ts';
import { ScriptedBrowser } from './scripted-browser.ts';

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

suite('services with tokens', { concurrency: false }, () => {
  let front: FrontEnd;
  before(async () => {
    front = await FrontEnd.start();
  });
  after(() => front?.close());

  const judged = async (
    claims: Readonly<Record<string, unknown>> = {},
    header: Readonly<Record<string, unknown>> = {},
    key?: AnyKey,
  ): Promise<string> =>
    codeOf(await front.withToken(await front.provider.token(claims, header, key as never)));

  test('come with what the provider gives them', async () => {
    const visit = await front.withToken(await front.provider.clientCredentials());
    assert.equal(visit.body, 'GET /app/tellers/1');
    assert.equal(front.reached.at(-1)?.authorization, undefined, 'the token stays here');
    assert.deepEqual(front.lastEndUser, {
      issuer: front.provider.issuer,
      subject: 'service',
      roles: ['customer', 'teller'],
    });
    const me = await front.withToken(await front.provider.token({ name: 'Robot' }), '/me');
    assert.equal((JSON.parse(me.body) as { name: string }).name, 'Robot');
    const post = await new ScriptedBrowser().ask(`${front.publicUrl}/app/tellers/1`, {
      method: 'POST',
      headers: { authorization: `bearer ${await front.provider.token()}` },
    });
    assert.equal(post.status, 200, 'a token is no cookie: no page can make a browser send it');
  });

  test('each way in which a token can be wrong has its code', async () => {
    const now = Math.floor(Date.now() / 1_000);
    assert.equal(await judged(), '200');
    assert.equal(await judged({ aud: 'https://other.example' }), 'TOKEN_AUDIENCE_WRONG');
    assert.equal(await judged({ aud: undefined }), 'TOKEN_AUDIENCE_WRONG');
    assert.equal(await judged({ aud: ['x', audience] }), '200');
    assert.equal(await judged({ iss: 'https://evil.example' }), 'TOKEN_ISSUER_WRONG');
    assert.equal(await judged({ iss: `${front.provider.issuer}/` }), 'TOKEN_ISSUER_WRONG');
    assert.equal(await judged({ iss: undefined }), 'TOKEN_ISSUER_WRONG');
    assert.equal(await judged({ exp: now - 31 }), 'TOKEN_EXPIRED');
    assert.equal(await judged({ exp: now - 20 }), '200', 'within the tolerance');
    assert.equal(await judged({ exp: undefined }), 'TOKEN_CLAIMS_INVALID');
    const endless = await front.withToken(await front.provider.token({ exp: 1e15 }), '/me');
    assert.equal(codeOf(endless), '200', 'however late it ends');
    assert.equal(await judged({ exp: 'tomorrow' }), 'TOKEN_CLAIMS_INVALID');
    assert.equal(await judged({ nbf: now + 60 }), 'TOKEN_NOT_YET_VALID');
    assert.equal(await judged({ nbf: now + 20 }), '200');
    assert.equal(await judged({ sub: undefined }), 'TOKEN_CLAIMS_INVALID');
    assert.equal(await judged({ sub: 7 }), 'TOKEN_CLAIMS_INVALID');
    assert.equal(await judged({ sub: 'x'.repeat(256) }), 'TOKEN_CLAIMS_INVALID');
    assert.equal(await judged({ sub: 'a\nb' }), 'TOKEN_CLAIMS_INVALID');
    assert.equal(await judged({ groups: [] }), 'END_USER_ROLE_MISSING');
    assert.equal(await judged({ groups: 'Tellers' }), '200');
    assert.equal(await judged({ groups: { 0: 'Tellers' } }), 'END_USER_ROLE_MISSING');
    assert.equal(await judged({ groups: ['__proto__', 'constructor'] }), 'END_USER_ROLE_MISSING');
    const challenged = await front.withToken('x');
    assert.equal(challenged.headers['www-authenticate'], 'Bearer error="invalid_token"');
  });

  test('algorithms are chosen here: none, shared secrets and others’ keys are refused', async () => {
    const { kid, publicKey } = front.provider.key;
    const payload = part({ iss: front.provider.issuer, aud: audience, sub: 'x', exp: 9e9 });
    for (const alg of ['none', 'None', 'nOnE', '']) {
      const token = `${part({ alg, kid })}.${payload}.`;
      assert.equal(codeOf(await front.withToken(token)), 'TOKEN_ALGORITHM_REFUSED', alg);
    }
    const pem = await exportSPKI(publicKey);
    const der = createPublicKey(pem).export({ format: 'der', type: 'spki' });
    for (const secret of [Buffer.from(pem), Buffer.from(pem.trim()), der]) {
      const key = createSecretKey(secret);
      assert.equal(await judged({}, { alg: 'HS256' }, key), 'TOKEN_ALGORITHM_REFUSED');
    }
    const ec = await generateKeyPair('ES256');
    assert.equal(await judged({}, { alg: 'ES256' }, ec.privateKey), 'TOKEN_ALGORITHM_REFUSED');
    const other = await generateKeyPair('RS256');
    assert.equal(await judged({}, {}, other.privateKey), 'TOKEN_SIGNATURE_INVALID');
    const jwk = front.provider.key.jwk;
    assert.equal(
      await judged({}, { jwk, jku: 'http://127.0.0.1:1/' }, other.privateKey),
      'TOKEN_SIGNATURE_INVALID',
    );
    const signed = await front.provider.token();
    const crit = `${part({ alg: 'RS256', kid, crit: ['x'], x: 1 })}.${signed.split('.').slice(1).join('.')}`;
    assert.equal(codeOf(await front.withToken(crit)), 'TOKEN_MALFORMED');
  });

  test('a token that is cut, extended or turned anywhere opens nothing', async () => {
    const token = await front.provider.token();
    const before = front.reached.length;
    const met = new Set<string>();
    const present = async (text: string) => met.add(codeOf(await front.withToken(text)));
    for (let at = 0; at < token.length; at += 23) {
      await present(`${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`);
      await present(token.slice(0, at));
    }
    for (const text of [`${token}.`, `${token}.x`, `.${token}`, 'a.b.c', '..', `${token}é`]) {
      await present(text);
    }
    await present('x'.repeat(15_000));
    const [head, , signature] = token.split('.');
    await present(
      `${head}.${part({ iss: front.provider.issuer, aud: audience, sub: 'x', exp: 9e9 })}.${signature}`,
    );
    assert.equal(front.reached.length, before);
    for (const code of met) assert.match(code, /^TOKEN_|^SIGN_IN_REQUIRED$/, [...met].join(' '));
    for (const authorization of ['', 'Basic YTpi', 'Bearer', `Bearer ${token} ${token}`]) {
      const headers = { authorization };
      const visit = await new ScriptedBrowser().ask(`${front.publicUrl}/app/open/1`, { headers });
      assert.equal(
        codeOf(visit),
        'SIGN_IN_REQUIRED',
        `wrong credentials are none: ${authorization}`,
      );
    }
  });

  test('new keys are found when a token names one, and are not asked for at will', async () => {
    const keys = () => front.provider.seen.filter((path) => path === '/jwks').length;
    await front.provider.rotate('k2');
    front.skewMs += 11_000;
    const before = keys();
    assert.equal(await judged(), '200', 'signed by the new key');
    assert.equal(keys(), before + 1);
    for (let at = 0; at < 20; at++) {
      assert.equal(await judged({}, { kid: `unknown-${at}` }), 'TOKEN_KEY_UNKNOWN');
    }
    assert.equal(keys(), before + 1, 'twenty unknown keys, and nobody was asked');
    front.skewMs += 11_000;
    await Promise.all(
      Array.from({ length: 20 }, async (_, at) =>
        assert.equal(await judged({}, { kid: `unknown-${at}` }), 'TOKEN_KEY_UNKNOWN'),
      ),
    );
    assert.equal(keys(), before + 2, 'asked once for all of them');
    assert.equal(await judged({}, { kid: undefined }), 'TOKEN_KEY_UNKNOWN');
    const former = await front.provider.token();
    await front.provider.rotate('k3');
    front.skewMs += 601_000;
    const now = Math.floor(Date.now() / 1_000) + front.skewMs / 1_000;
    assert.equal(await judged({ exp: now + 60 }), '200', 'the newest keys, without having asked');
    assert.equal(codeOf(await front.withToken(former)), 'TOKEN_KEY_UNKNOWN', 'a key that is gone');
    front.skewMs = 0;
  });

  test('are served while the provider is away, as long as its keys are known', async () => {
    const away = await FrontEnd.start();
    try {
      const token = await away.provider.token({ exp: Math.floor(Date.now() / 1_000) + 200_000 });
      away.provider.failing = 'status';
      assert.equal(codeOf(await away.withToken(token)), 'IDENTITY_PROVIDER_UNAVAILABLE');
      const asked = away.provider.seen.length;
      for (let at = 0; at < 10; at++) await away.withToken(token);
      assert.equal(away.provider.seen.length, asked, 'nor is it asked at each request');
      away.provider.failing = undefined;
      away.skewMs = 11_000;
      assert.equal(codeOf(await away.withToken(token)), '200');
      away.provider.failing = 'status';
      away.skewMs = 3_600_000;
      assert.equal(codeOf(await away.withToken(token)), '200', 'an hour later');
      away.skewMs = 25 * 3_600_000;
      assert.equal(codeOf(await away.withToken(token)), 'IDENTITY_PROVIDER_UNAVAILABLE', 'a day');
    } finally {
      await away.close();
    }
  });

  test('tokens go on to applications that ask for them, if the configuration says so', async () => {
    const forwarding = await FrontEnd.start({
      settings: (usual) => ({
        ...usual,
        providers: usual.providers.map((one) => ({
          ...one,
          services: { audiences: [audience], tokenType: 'at+jwt', forwardToken: true },
        })),
      }),
    });
    try {
      const token = await forwarding.provider.clientCredentials();
      assert.equal(codeOf(await forwarding.withToken(token)), '200');
      assert.equal(forwarding.reached.at(-1)?.authorization, `Bearer ${token}`);
      const plain = await forwarding.provider.token();
      assert.equal(codeOf(await forwarding.withToken(plain)), 'TOKEN_CLAIMS_INVALID', 'typ');
    } finally {
      await forwarding.close();
    }
  });
});

suite('tenants of one provider', { concurrency: false }, () => {
  const tenants = ['11111111-2222-3333-4444-555555555555', 'b'] as const;
  let front: FrontEnd;

  before(async () => {
    front = await FrontEnd.start({
      provider: { path: `/${tenants[0]}/v2.0` },
      settings: (usual) => ({
        ...usual,
        providers: tenants.map((tenant) => ({
          ...providerSettings(usual.providers[0]?.issuer.replace(tenants[0], tenant) ?? ''),
          name: `entra:${tenant}`,
          tenant,
        })),
      }),
    });
  });
  after(() => front?.close());

  test('each speaks for itself, and those that are not listed for nobody', async () => {
    const { issuer } = front.provider;
    const judged = async (claims: object) =>
      codeOf(await front.withToken(await front.provider.token({ ...claims })));
    assert.equal(await judged({ tid: tenants[0] }), '200');
    assert.equal(front.lastEndUser?.issuer, issuer);
    assert.equal(await judged({}), '200');
    assert.equal(await judged({ tid: 'b' }), 'TOKEN_ISSUER_WRONG');
    const unlisted = issuer.replace(tenants[0], 'c');
    assert.equal(await judged({ iss: unlisted, tid: 'c' }), 'TOKEN_ISSUER_WRONG');
    const template = issuer.replace(tenants[0], '{tenantid}');
    assert.equal(await judged({ iss: template }), 'TOKEN_ISSUER_WRONG');
    // The key of one tenant under the name of the other: what is published there is asked.
    const other = issuer.replace(tenants[0], 'b');
    assert.equal(await judged({ iss: other, tid: 'b' }), 'IDENTITY_PROVIDER_INVALID');
  });

  test('who signs in chooses one', async () => {
    const browser = new ScriptedBrowser();
    const page = await browser.ask(`${front.publicUrl}/login?return=/app/any`);
    const links = [...page.body.matchAll(/href="([^"]+)"/g)].map(([, href = '']) =>
      href.replaceAll('&#38;', '&'),
    );
    assert.equal(links.length, 2);
    const visit = await browser.open(`${front.publicUrl}${links[0]}`);
    assert.equal(visit.url, `${front.publicUrl}/app/any`, visit.body);
    assert.equal(front.lastEndUser?.issuer, front.provider.issuer);
  });
});

type AnyKey = KeyObject | CryptoKey;
