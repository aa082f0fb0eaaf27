import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { IdentityProvider } from '../end-users/identity-provider.ts';
import { providerFetch } from '../end-users/provider-fetch.ts';
import { judgeToken } from '../end-users/token-judge.ts';
import { providerSettings } from './front-end.ts';

/** A provider that publishes what a test says, as Entra does for its tenants. */
suite('what a provider publishes', { concurrency: false }, () => {
  let server: Server;
  let base: string;
  let keys: readonly unknown[] = [];
  let isHanging = false;

  before(async () => {
    server = createServer((request, response) => {
      if (isHanging) return;
      const isKeys = request.url?.endsWith('/keys');
      const template = `${base}/{tenantid}/v2.0`;
      response.end(
        JSON.stringify(isKeys ? { keys } : { issuer: template, jwks_uri: `${base}/keys` }),
      );
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const providerOf = (tenant: string): IdentityProvider => {
    const { browsers: _, ...settings } = providerSettings(`${base}/${tenant}/v2.0`);
    return new IdentityProvider({ ...settings, tenant, algorithms: ['RS256', 'ES256'] }, Date.now);
  };

  const judged = async (provider: IdentityProvider, token: string): Promise<string> => {
    const demands = { audiences: ['me'], nowMs: Date.now() };
    return judgeToken(token, provider, demands).then(
      () => 'accepted',
      (error: { code: string }) => error.code,
    );
  };

  test('may be written for all tenants: each key is for whom it says', async () => {
    const pair = await generateKeyPair('RS256');
    const jwk = await exportJWK(pair.publicKey);
    const key = (kid: string, more: object = {}) => ({ ...jwk, kid, alg: 'RS256', ...more });
    keys = [
      key('for all', { issuer: `${base}/{tenantid}/v2.0` }),
      key('for t', { issuer: `${base}/t/v2.0` }),
      key('for u', { issuer: `${base}/u/v2.0` }),
      key('for whom it may concern'),
      key('unnamed', { kid: undefined }),
      null,
      'x',
    ];
    const by = (kid: string) =>
      new SignJWT({ iss: `${base}/t/v2.0`, aud: 'me', sub: 's', tid: 't' })
        .setProtectedHeader({ alg: 'RS256', kid })
        .setExpirationTime('1m')
        .sign(pair.privateKey);
    const provider = providerOf('t');
    assert.equal(await judged(provider, await by('for all')), 'accepted');
    assert.equal(await judged(provider, await by('for t')), 'accepted');
    assert.equal(await judged(provider, await by('for whom it may concern')), 'accepted');
    assert.equal(await judged(provider, await by('for u')), 'TOKEN_KEY_UNKNOWN');
    assert.equal(await judged(providerOf('u'), await by('for all')), 'TOKEN_ISSUER_WRONG');
  });

  test('keys that are weak, secret or of another kind sign nothing', async () => {
    const weak = await generateKeyPair('RS256', { modulusLength: 2048, extractable: true });
    const jwk = await exportJWK(weak.publicKey);
    const short: JWK = { ...jwk, n: jwk.n?.slice(0, 100) ?? '' };
    const sealed = (kid: string, alg = 'RS256') =>
      new SignJWT({ iss: `${base}/t/v2.0`, aud: 'me', sub: 's' })
        .setProtectedHeader({ alg, kid })
        .setExpirationTime('1m')
        .sign(weak.privateKey);
    keys = [
      { ...short, kid: 'short' },
      { kty: 'oct', k: 'c2VjcmV0', kid: 'secret' },
      { ...jwk, kid: 'for encryption', use: 'enc' },
      { ...jwk, kid: 'twice' },
      { ...jwk, kid: 'twice' },
      { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', kid: 'no point' },
    ];
    const provider = providerOf('t');
    for (const kid of ['short', 'secret', 'for encryption', 'twice']) {
      assert.match(
        await judged(provider, await sealed(kid)),
        /^TOKEN_(KEY_UNKNOWN|SIGNATURE)/,
        kid,
      );
    }
    const [, payload, signature] = (await sealed('no point')).split('.');
    const head = Buffer.from(JSON.stringify({ alg: 'ES256', kid: 'no point' })).toString(
      'base64url',
    );
    const code = await judged(provider, `${head}.${payload}.${signature}`);
    assert.match(code, /^TOKEN_(KEY_UNKNOWN|MALFORMED)/);
  });

  test('a provider that does not answer is waited for so long and no longer', async () => {
    isHanging = true;
    const signal = AbortSignal.timeout(100);
    await assert.rejects(providerFetch(`${base}/x`, { signal }), {
      code: 'IDENTITY_PROVIDER_UNAVAILABLE',
    });
    isHanging = false;
    await assert.rejects(providerFetch('http://127.0.0.1:1/'), {
      code: 'IDENTITY_PROVIDER_UNAVAILABLE',
    });
  });
});
