import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { after, before, suite, test } from 'node:test';
import { decodeEndUser, endUserHeader } from '@concordat/api';
import { createGateway, type EndUserSettings, type Gateway } from '@concordat/gateway';
import { FakeNetwork, freeAddress, startNode } from '../../sdk/test/fake-network.ts';
import { audience, OpenIdProvider } from './openid-provider.ts';
import { ScriptedBrowser, type Visit } from './scripted-browser.ts';

const network = new FakeNetwork();
const roles = new Map([
  ['Tellers', ['teller']],
  ['Auditors', ['auditor']],
]);

const codeOf = ({ body }: Visit): string =>
  (JSON.parse(body) as { error: { code: string } }).error.code;

suite('end users at a gateway', { concurrency: false }, () => {
  const open: { close(): unknown }[] = [];
  const events: [string, Readonly<Record<string, unknown>>][] = [];
  const seen: IncomingMessage['headers'][] = [];
  const skewMs = 0;
  let publicUrl: string;
  let provider: OpenIdProvider;
  let gateway: Gateway;

  before(async () => {
    publicUrl = `http://${await freeAddress()}`;
    provider = await OpenIdProvider.start({ publicUrl });
    provider.accounts.set('alice', { name: 'Alice', groups: ['Tellers', 'Cooks'] });
    provider.accounts.set('bob', { groups: [] });
    const node = await startNode({
      network,
      handle: (request, response) => {
        seen.push(request.headers);
        response.setHeader('set-cookie', 'concordat-session-id=evil; Path=/');
        request.on('data', () => {});
        request.on('end', () => response.end('from the node'));
      },
    });
    open.push(provider, node);
    gateway = await started(node.address);
  });
  after(async () => {
    await gateway?.close(0);
    for (const one of open) await one.close();
  });

  const settings = (): EndUserSettings => ({
    publicUrl,
    allowedOrigins: ['https://app.bank.example'],
    providers: [
      {
        name: 'bank',
        issuer: provider.issuer,
        algorithms: ['RS256'],
        claims: { subject: ['sub'], name: ['name'], groups: ['groups'] },
        roles,
        everyone: ['customer'],
        browsers: {
          clientId: 'front',
          clientSecret: 'front:secret +',
          clientAuthentication: 'client_secret_basic',
          scopes: ['openid', 'profile', 'groups'],
          userInfo: false,
          parameters: {},
        },
        services: { audiences: [audience], forwardToken: false },
      },
    ],
    paths: [
      { path: '/app/open/*', access: 'open' },
      { path: '/app/tellers/*', access: ['teller'] },
      { path: '/app/audits/*', methods: ['GET'], access: ['auditor'] },
      { path: '/app/any', access: 'signed-in' },
    ],
    sessions: {
      max: 100,
      maxPerEndUser: 3,
      lifetimeSeconds: 3_600,
      idleSeconds: 1_800,
      refreshSeconds: 300,
    },
    returnTo: ['/me', '/app/any'],
  });

  const started = (target: string): Promise<Gateway> =>
    createGateway({
      listen: publicUrl.slice('http://'.length),
      targets: [target],
      identity: network.member,
      networkCertificate: network.certificate,
      connectTimeoutMs: 2_000,
      maxBodyBytes: 2_000,
      endUsers: settings(),
      now: () => Date.now() + skewMs,
      log: (event, fields) => events.push([event, fields]),
    });

  const signedIn = async (as = 'alice'): Promise<ScriptedBrowser> => {
    const browser = new ScriptedBrowser();
    browser.as = as;
    const visit = await browser.open(`${publicUrl}/login`);
    assert.equal(visit.url, `${publicUrl}/me`, visit.body);
    assert.equal(visit.status, 200, visit.body);
    return browser;
  };

  test('sign in by code and PKCE, and requests go on for them', async () => {
    const browser = await signedIn();
    const authorization = new URL(browser.visited.find((url) => url.includes('/auth?')) ?? '');
    assert.equal(authorization.searchParams.get('code_challenge_method'), 'S256');
    assert.ok(authorization.searchParams.get('nonce'));
    const me = JSON.parse((await browser.ask(`${publicUrl}/me`)).body) as Record<string, unknown>;
    assert.deepEqual(
      { ...me, endsAt: undefined },
      {
        issuer: provider.issuer,
        subject: 'alice',
        name: 'Alice',
        roles: ['customer', 'teller'],
        endsAt: undefined,
      },
    );
    const forged = { [endUserHeader]: 'Zm9yZ2Vk', connection: `close, ${endUserHeader}` };
    const visit = await browser.ask(`${publicUrl}/app/tellers/1`, { headers: forged });
    assert.equal(visit.body, 'from the node');
    assert.equal(visit.headers['set-cookie'], undefined, 'no node sets cookies of the gateway');
    const headers = seen.at(-1) ?? {};
    const { roles: had, subject } = decodeEndUser(String(headers[endUserHeader]));
    assert.deepEqual([subject, had], ['alice', ['customer', 'teller']]);
    assert.equal(headers.cookie, undefined);
    assert.ok(
      events.some(([event, { subject: who }]) => event === 'gateway.signed-in' && who === 'alice'),
    );
  });

  test('services come with the tokens of the provider', async () => {
    const authorization = `Bearer ${await provider.clientCredentials()}`;
    const visit = await new ScriptedBrowser().ask(`${publicUrl}/app/tellers/1`, {
      headers: { authorization },
    });
    assert.equal(visit.body, 'from the node');
    const headers = seen.at(-1) ?? {};
    assert.equal(headers.authorization, undefined, 'the token stays here');
    assert.equal(decodeEndUser(String(headers[endUserHeader])).subject, 'service');
    assert.equal(
      codeOf(await new ScriptedBrowser().ask(`${publicUrl}/app/any`)),
      'SIGN_IN_REQUIRED',
    );
  });
});
