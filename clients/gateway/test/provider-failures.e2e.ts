import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket, WebSocketServer } from 'ws';
import { codeOf, FrontEnd, providerSettings, sessionCookie } from './front-end.ts';
import { ScriptedBrowser } from './scripted-browser.ts';

/** Waits for what happens beside a request. */
async function eventually(check: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let tries = 0; tries < 4_000; tries++) {
    if (await check()) return;
    await sleep(25);
  }
  assert.fail(`it did not happen: ${what}`);
}

suite('sessions and their provider', { concurrency: false }, () => {
  let front: FrontEnd;
  const sockets = new WebSocketServer({ noServer: true });
  before(async () => {
    front = await FrontEnd.start({
      settings: (usual) => ({
        ...usual,
        sessions: { ...usual.sessions, max: 5, maxPerEndUser: 3 },
      }),
      onUpgrade: (request, socket, head) => {
        front.reached.push(request.headers);
        sockets.handleUpgrade(request, socket, head, (webSocket) => webSocket.send('hello'));
      },
    });
  });
  after(async () => {
    sockets.close();
    await front?.close();
  });

  const me = async (browser: ScriptedBrowser): Promise<{ roles: string[] }> =>
    JSON.parse((await browser.ask(`${front.publicUrl}/me`)).body) as { roles: string[] };

  test('groups that change, and who may not sign in any more, count after a while', async () => {
    const browser = await front.signedIn();
    const alice = front.provider.accounts.get('alice');
    assert.ok(alice);
    alice.groups = ['Auditors'];
    assert.deepEqual((await me(browser)).roles, ['customer', 'teller']);
    front.skewMs += 301_000;
    await me(browser);
    const isAuditor = async () => (await me(browser)).roles?.includes('auditor') === true;
    await eventually(isAuditor, 'the new group');
    assert.deepEqual((await me(browser)).roles, ['auditor', 'customer']);

    front.provider.failing = 'status';
    front.skewMs += 301_000;
    await me(browser);
    const failed = () => front.events.some(([event]) => event === 'gateway.refresh-failed');
    await eventually(failed, 'a refresh that fails');
    assert.deepEqual((await me(browser)).roles, ['auditor', 'customer'], 'nobody is thrown out');
    const asked = front.provider.seen.length;
    for (let at = 0; at < 5; at++) await me(browser);
    assert.equal(front.provider.seen.length, asked, 'nor is it asked at each request');
    // A page in place of an answer says nothing of anybody.
    front.provider.failing = 'page';
    front.skewMs += 301_000;
    const failures = () => front.events.filter(([event]) => event === 'gateway.refresh-failed');
    const before = failures().length;
    await me(browser);
    await eventually(() => failures().length > before, 'a refresh that is answered by a page');
    assert.deepEqual((await me(browser)).roles, ['auditor', 'customer'], 'nobody is thrown out');
    assert.equal(failures().at(-1)?.[1].code, 'IDENTITY_PROVIDER_INVALID');
    front.provider.failing = undefined;

    alice.isGone = true;
    front.skewMs += 301_000;
    await me(browser);
    const isOut = async () =>
      codeOf(await browser.ask(`${front.publicUrl}/me`)) === 'SIGN_IN_REQUIRED';
    await eventually(isOut, 'the end of the session');
    alice.isGone = false;
    alice.groups = ['Tellers'];
    front.skewMs = 0;
  });

  test('a provider whose clock is some seconds ahead signs people in', async () => {
    const nowSeconds = Math.floor(Date.now() / 1_000);
    front.provider.accounts.set('dave', { groups: ['Tellers'], nbf: nowSeconds + 20 });
    const browser = await front.signedIn('dave');
    const headers = { origin: front.publicUrl };
    await browser.ask(`${front.publicUrl}/logout`, { method: 'POST', headers });
    front.provider.accounts.set('dave', { groups: ['Tellers'], nbf: nowSeconds + 90 });
    const early = new ScriptedBrowser();
    early.as = 'dave';
    const refused = await early.open(`${front.publicUrl}/login`);
    assert.match(codeOf(refused), /^(SIGN_IN_REFUSED|TOKEN_NOT_YET_VALID)$/);
  });

  test('a provider that is away stops nobody who has signed in', async () => {
    const browser = await front.signedIn();
    front.provider.failing = 'status';
    front.skewMs = 3_700_000;
    const fresh = new ScriptedBrowser();
    const begun = await fresh.ask(`${front.publicUrl}/login`);
    assert.equal(begun.status, 303, 'where to sign in is still known');
    front.skewMs = 100_000_000;
    const later = await fresh.ask(`${front.publicUrl}/login`);
    assert.equal(codeOf(later), 'IDENTITY_PROVIDER_UNAVAILABLE');
    assert.equal(later.status, 503);
    assert.ok(later.headers['retry-after']);
    front.skewMs = 0;
    front.provider.failing = undefined;
    const halfway = new ScriptedBrowser();
    const to = await halfway.ask(`${front.publicUrl}/login`);
    let visit = await halfway.ask(String(to.headers.location));
    while (!String(visit.headers.location).includes('/callback')) {
      const next = new URL(String(visit.headers.location), visit.url);
      if (next.pathname.includes('/interaction/')) next.search = '?as=alice';
      visit = await halfway.ask(next.href);
    }
    front.provider.failing = 'status';
    visit = await halfway.ask(String(visit.headers.location));
    assert.equal(codeOf(visit), 'IDENTITY_PROVIDER_UNAVAILABLE');
    assert.equal(codeOf(await browser.ask(`${front.publicUrl}/app/any`)), '200');
    const out = await browser.ask(`${front.publicUrl}/logout`, {
      method: 'POST',
      headers: { origin: front.publicUrl, accept: 'application/json' },
    });
    assert.equal((JSON.parse(out.body) as { signedOut: boolean }).signedOut, true);
    front.provider.failing = undefined;
  });

  test('sessions are as many as may be: of one end user, and of all', async () => {
    const browsers: ScriptedBrowser[] = [];
    for (let at = 0; at < 4; at++) browsers.push(await front.signedIn());
    assert.equal(
      codeOf(await (browsers[0] as ScriptedBrowser).ask(`${front.publicUrl}/me`)),
      'SIGN_IN_REQUIRED',
    );
    assert.equal(
      codeOf(await (browsers[3] as ScriptedBrowser).ask(`${front.publicUrl}/me`)),
      '200',
    );
    for (let at = 0; at < 2; at++) await front.signedIn('bob');
    const late = new ScriptedBrowser();
    late.as = 'bob';
    const refused = await late.open(`${front.publicUrl}/login`);
    assert.equal(codeOf(refused), 'OVERLOADED');
    assert.equal(
      codeOf(await (browsers[3] as ScriptedBrowser).ask(`${front.publicUrl}/me`)),
      '200',
    );
    front.skewMs = 1_801_000;
    assert.equal((await late.open(`${front.publicUrl}/login`)).status, 200, 'idle ones make room');
    front.skewMs = 0;
  });

  test('a WebSocket is its end user’s, and ends with the session', async () => {
    const browser = await front.signedIn();
    const url = `${front.publicUrl.replace('http', 'ws')}/socket`;
    const cookie = `${sessionCookie}=${browser.cookie(front.publicUrl, sessionCookie)}`;
    const opened = async (headers: Record<string, string>): Promise<string | WebSocket> => {
      const socket = new WebSocket(url, { headers });
      const refused = once(socket, 'unexpected-response').then(([, answer]) => {
        const { statusCode } = answer as { statusCode: number };
        socket.on('error', () => {});
        socket.terminate();
        return `${statusCode}`;
      });
      return Promise.race([refused, once(socket, 'message').then(() => socket)]);
    };
    assert.equal(await opened({}), '401');
    assert.equal(await opened({ cookie }), '403', 'no Origin and no header of its own');
    assert.equal(await opened({ cookie, origin: 'https://evil.example' }), '403');
    const socket = await opened({ cookie, origin: front.publicUrl });
    assert.ok(socket instanceof WebSocket);
    assert.equal(front.lastEndUser?.subject, 'alice');
    const closed = once(socket, 'close');
    await browser.ask(`${front.publicUrl}/logout`, {
      method: 'POST',
      headers: { origin: front.publicUrl },
    });
    await closed;
    const exp = Math.floor(Date.now() / 1_000) + 1;
    const authorization = `Bearer ${await front.provider.token({ exp })}`;
    const brief = await opened({ authorization });
    assert.ok(brief instanceof WebSocket, 'a token opens one as well');
    await once(brief, 'close');
  });
});

test('claims that ID tokens lack come from the userinfo endpoint, if the configuration says so', async () => {
  for (const userInfo of [false, true]) {
    const front = await FrontEnd.start({
      provider: { claimsInIdToken: false },
      settings: (usual) => ({
        ...usual,
        providers: usual.providers.map((one) => ({
          ...one,
          ...(one.browsers && { browsers: { ...one.browsers, userInfo } }),
        })),
      }),
    });
    try {
      const browser = await front.signedIn();
      const { body } = await browser.ask(`${front.publicUrl}/me`);
      const { roles } = JSON.parse(body) as { roles: string[] };
      assert.deepEqual(roles, userInfo ? ['customer', 'teller'] : ['customer']);
    } finally {
      await front.close();
    }
  }
});

test('a wrong client secret is the gateway’s fault, not the end user’s', async () => {
  const front = await FrontEnd.start({
    settings: (usual) => ({
      ...usual,
      providers: usual.providers.map((one) => ({
        ...one,
        ...(one.browsers && { browsers: { ...one.browsers, clientSecret: 'wrong' } }),
      })),
    }),
  });
  try {
    const visit = await new ScriptedBrowser().open(`${front.publicUrl}/login`);
    assert.equal(codeOf(visit), 'IDENTITY_PROVIDER_INVALID');
    assert.equal(visit.status, 502);
    const told = JSON.stringify([visit, front.events]);
    assert.doesNotMatch(told, /wrong/, 'no secret is told or logged');
  } finally {
    await front.close();
  }
});

suite('a provider that publishes what it must not', { concurrency: false }, () => {
  let server: Server;
  let issuer: string;
  let metadata: unknown;
  let status = 200;
  before(async () => {
    server = createServer((_, response) => {
      response.writeHead(status, { location: 'https://evil.example/' });
      response.end(typeof metadata === 'string' ? metadata : JSON.stringify(metadata));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => server?.close());

  const signIn = async (): Promise<string> => {
    const front = await FrontEnd.start({
      settings: (usual) => ({ ...usual, providers: [providerSettings(issuer)] }),
    });
    try {
      return codeOf(await new ScriptedBrowser().ask(`${front.publicUrl}/login`));
    } finally {
      await front.close();
    }
  };

  test('is told of, and nobody is sent anywhere', async () => {
    const good = {
      issuer,
      jwks_uri: `${issuer}/jwks`,
      authorization_endpoint: `${issuer}/auth`,
      token_endpoint: `${issuer}/token`,
    };
    metadata = good;
    assert.equal(await signIn(), '303');
    for (const wrong of [
      { ...good, issuer: 'https://evil.example' },
      { ...good, issuer: undefined },
      { ...good, token_endpoint: undefined },
      { ...good, token_endpoint: 'javascript:alert(1)' },
      { ...good, authorization_endpoint: ['x'] },
      { ...good, jwks_uri: 'file:///etc/passwd' },
      { ...good, token_endpoint: 'http://login.example/token' },
      [],
      'null',
      '{',
      `"${'x'.repeat(2 * 1024 * 1024)}"`,
    ]) {
      metadata = wrong;
      const shown = JSON.stringify(wrong).slice(0, 100);
      assert.equal(await signIn(), 'IDENTITY_PROVIDER_INVALID', shown);
    }
    metadata = good;
    for (const code of [302, 404, 418]) {
      status = code;
      assert.equal(await signIn(), 'IDENTITY_PROVIDER_INVALID', `${code}`);
    }
    for (const code of [429, 500, 503]) {
      status = code;
      assert.equal(await signIn(), 'IDENTITY_PROVIDER_UNAVAILABLE', `${code}`);
    }
  });
});
