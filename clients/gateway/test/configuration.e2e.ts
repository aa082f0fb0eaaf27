import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { GatewayError, loadConfiguration } from '@concordat/gateway';
import { createOrganisation } from '@concordat/sdk';
import { readConfiguration } from '../end-users/configuration.ts';
import { ConfigurationPart } from '../end-users/configuration-part.ts';

const provider = {
  issuer: 'https://login.example',
  browsers: { clientId: 'c', clientSecret: { environment: 'SECRET' } },
};
const whole = {
  publicUrl: 'https://front.example',
  targets: ['127.0.0.1:8001'],
  networkCertificateFile: 'network.pem',
  identity: { certificateFile: 'me.pem', keyFile: 'me.key' },
  providers: { bank: provider },
  paths: [{ path: '/app/*', access: 'signed-in' }],
};

const read = (value: unknown) => readConfiguration(new ConfigurationPart(value), () => 'hidden');

/** Where a configuration with one value changed is refused. */
function refusedAt(path: string, value: unknown): string {
  const changed = structuredClone(whole) as Record<string, unknown>;
  const names = path.split('.');
  let parent = changed;
  for (const name of names.slice(0, -1)) {
    parent[name] ??= {};
    parent = parent[name] as Record<string, unknown>;
  }
  parent[names.at(-1) as string] = value;
  try {
    read(changed);
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error));
    assert.equal(error.code, 'INVALID_CONFIGURATION');
    assert.ok(error.message.startsWith(String(error.details.path) || 'the configuration'));
    return String(error.details.path);
  }
  return 'accepted';
}

test('what is left out has its default', () => {
  const { endUsers, listen, consistency, maxBodyBytes, maxConnections } = read(whole);
  assert.deepEqual(
    [listen, consistency, maxBodyBytes, maxConnections],
    ['127.0.0.1:8545', 'committed', 8 * 1024 * 1024, 1_024],
  );
  assert.deepEqual(endUsers.returnTo, ['/me']);
  assert.equal(endUsers.sessions.lifetimeSeconds, 8 * 3_600);
  const [bank] = endUsers.providers;
  assert.deepEqual(bank?.algorithms, ['RS256', 'PS256', 'ES256']);
  assert.deepEqual(bank?.claims, { subject: ['sub'], name: ['name'], groups: ['groups'] });
  assert.deepEqual(bank?.browsers, {
    clientId: 'c',
    clientSecret: 'hidden',
    clientAuthentication: 'client_secret_basic',
    scopes: ['openid', 'profile'],
    userInfo: false,
    parameters: {},
  });
});

test('whatever is wrong is refused with its path', () => {
  const many = Array.from({ length: 64 }, (_, at) => `${at}${'r'.repeat(100)}`);
  const cases: [string, unknown, string?][] = [
    ['unknown', 1],
    ['publicUrl', undefined],
    ['publicUrl', 'http://front.example'],
    ['publicUrl', 'https://front.example/'],
    ['publicUrl', 'https://front.example/path'],
    ['publicUrl', 'https://user@front.example'],
    ['targets', []],
    ['targets', 'x'],
    ['targets', ['a', 7], 'targets[1]'],
    ['identity.keyFile', ''],
    ['identity.more', 1],
    ['tls', { certificateFile: 'x' }, 'tls.keyFile'],
    ['allowedOrigins', ['*'], 'allowedOrigins[0]'],
    ['allowedOrigins', ['https://a.example/x'], 'allowedOrigins[0]'],
    ['returnTo', ['//evil.example'], 'returnTo[0]'],
    ['returnTo', ['/\\evil.example'], 'returnTo[0]'],
    ['returnTo', ['https://evil.example/'], 'returnTo[0]'],
    ['returnTo', ['/a\r\nset-cookie: x'], 'returnTo[0]'],
    ['returnTo', []],
    ['sessions', { max: 0 }, 'sessions.max'],
    ['sessions', { max: 1.5 }, 'sessions.max'],
    ['sessions', { lifetimeSeconds: 1e9 }, 'sessions.lifetimeSeconds'],
    ['sessions', { idle: 7 }, 'sessions.idle'],
    ['limits', { maxBodyBytes: '7' }, 'limits.maxBodyBytes'],
    ['consistency', 'soon'],
    ['paths', []],
    ['paths', [{ path: 'x', access: 'open' }], 'paths[0].path'],
    ['paths', [{ path: '/x', access: 'closed' }], 'paths[0].access'],
    ['paths', [{ path: '/x', access: [] }], 'paths[0].access'],
    ['paths', [{ path: '/x' }], 'paths[0].access'],
    ['paths', [{ path: '/x', methods: ['get'], access: 'open' }], 'paths[0].methods[0]'],
    ['paths', [{ path: '/x', methods: [], access: 'open' }], 'paths[0].methods'],
    ['providers', {}],
    ['providers', []],
    ['providers', { 'a b': provider }, 'providers."a b"'],
    ['providers', { a: provider, b: provider }, 'providers'],
    ['providers', { a: { issuer: 'https://x.example' } }, 'providers.a'],
    ['providers.bank.issuer', 'http://login.example'],
    ['providers.bank.issuer', 'https://login.example?x=1'],
    ['providers.bank.issuer', 'ldap://login.example'],
    ['providers.bank.issuer', 'https://u:p@login.example'],
    ['providers.bank.issuer', 'https://login.example/{tenantid}/v2.0', 'providers.bank.tenants'],
    ['providers.bank.tenants', ['a']],
    ['providers.bank.algorithms', ['none'], 'providers.bank.algorithms[0]'],
    ['providers.bank.algorithms', ['RS256', 'HS256'], 'providers.bank.algorithms[1]'],
    ['providers.bank.algorithms', []],
    ['providers.bank.claims', { groups: [] }, 'providers.bank.claims.groups'],
    ['providers.bank.claims', { sub: 'x' }, 'providers.bank.claims.sub'],
    ['providers.bank.roles', { G: 'teller' }, 'providers.bank.roles.G'],
    ['providers.bank.roles', { G: ['a b'] }, 'providers.bank.roles.G'],
    ['providers.bank.roles', { G: ['a', 'a'] }, 'providers.bank.roles.G'],
    ['providers.bank.roles', { G: many }, 'providers.bank.roles'],
    ['providers.bank.browsers.scopes', ['profile']],
    ['providers.bank.browsers.scopes', ['openid', 'a b']],
    ['providers.bank.browsers.clientId', 7],
    ['providers.bank.browsers.clientAuthentication', 'none'],
    [
      'providers.bank.browsers.parameters',
      { state: 'x' },
      'providers.bank.browsers.parameters.state',
    ],
    ['providers.bank.services', { audiences: [] }, 'providers.bank.services.audiences'],
    ['providers.bank.services', { audience: 'x' }, 'providers.bank.services.audience'],
  ];
  for (const [path, value, at = path] of cases) {
    assert.equal(refusedAt(path, value), at, `${path} ${JSON.stringify(value)?.slice(0, 80)}`);
  }
  for (const value of [undefined, null, [], 'x', 7]) {
    assert.throws(() => read(value), { code: 'INVALID_CONFIGURATION' });
  }
});

test('a template is as many issuers as there are tenants, each exact', () => {
  const issuer = 'https://login.microsoftonline.com/{tenantid}/v2.0';
  const of = (tenants: unknown) =>
    read({ ...whole, providers: { entra: { ...provider, issuer, tenants } } }).endUsers.providers;
  assert.deepEqual(
    of(['t-1', 't-2']).map(({ name, issuer: exact, tenant }) => [name, exact, tenant]),
    [
      ['entra:t-1', 'https://login.microsoftonline.com/t-1/v2.0', 't-1'],
      ['entra:t-2', 'https://login.microsoftonline.com/t-2/v2.0', 't-2'],
    ],
  );
  for (const tenants of [
    [],
    ['common'],
    ['organizations'],
    ['a/b'],
    ['{tenantid}'],
    ['..'],
    ['a', 'a'],
  ]) {
    assert.throws(() => of(tenants), { code: 'INVALID_CONFIGURATION' }, JSON.stringify(tenants));
  }
});

test('the examples of docs/gateway.md are configurations', () => {
  const page = readFileSync(new URL('../../../docs/gateway.md', import.meta.url), 'utf8');
  const examples = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text = '']) => text);
  const issuers = examples.map((text) => {
    const { endUsers } = read(JSON.parse(text));
    for (const { name } of endUsers.providers) assert.ok(page.includes(name.split(':')[0] ?? ''));
    return endUsers.providers.map(({ issuer }) => issuer);
  });
  assert.deepEqual(issuers, [
    ['https://login.microsoftonline.com/8f0b7a52-6f0d-4f2e-9c6e-2f4b8c1d7e90/v2.0'],
    ['https://sso.bank.example/realms/bank'],
  ]);
});

const directory = mkdtempSync(join(tmpdir(), 'gateway-'));
after(() => rmSync(directory, { recursive: true }));
const put = (name: string, text: string): string => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};

test('a file names others from where it lies, and no secret ends up in a message', async () => {
  const { certificatePem, keyPem } = createOrganisation({ name: 'Front' });
  put('me.pem', certificatePem);
  put('me.key', keyPem);
  put('network.pem', 'a certificate');
  put('secret', ' hush hush \n');
  const named = (clientSecret: unknown, more: object = {}) =>
    put(
      'gateway.json',
      JSON.stringify({
        ...whole,
        ...more,
        providers: { bank: { ...provider, browsers: { clientId: 'c', clientSecret } } },
      }),
    );
  const options = await loadConfiguration(named({ file: 'secret' }));
  assert.equal(options.endUsers?.providers[0]?.browsers?.clientSecret, 'hush hush');
  assert.equal(options.identity.name, 'Front');
  assert.equal(options.networkCertificate, 'a certificate');
  const fromOutside = await loadConfiguration(named({ environment: 'S' }), { S: 'from outside' });
  assert.equal(fromOutside.endUsers?.providers[0]?.browsers?.clientSecret, 'from outside');
  const at = 'providers.bank.browsers.clientSecret';
  for (const [secret, path] of [
    ['hush hush', at],
    [{}, at],
    [{ file: 'secret', environment: 'S' }, at],
    [{ environment: 'S' }, at],
    [{ file: 'missing' }, `${at}.file`],
    [{ file: 'secret', more: 1 }, `${at}.more`],
  ] as const) {
    await assert.rejects(loadConfiguration(named(secret), {}), (error: GatewayError) => {
      assert.equal(error.details.path, path);
      assert.doesNotMatch(error.message, /hush/);
      return error.code === 'INVALID_CONFIGURATION';
    });
  }
  const missing = loadConfiguration(named({ file: 'secret' }, { networkCertificateFile: 'none' }));
  await assert.rejects(missing, { details: { path: 'networkCertificateFile' } });
  await assert.rejects(
    loadConfiguration(put('bad.json', '{"clientSecret": "hush')),
    (error: Error) => {
      assert.doesNotMatch(error.message, /hush/);
      return (error as GatewayError).code === 'INVALID_CONFIGURATION';
    },
  );
  await assert.rejects(loadConfiguration(join(directory, 'none.json')), {
    code: 'INVALID_CONFIGURATION',
  });
});
