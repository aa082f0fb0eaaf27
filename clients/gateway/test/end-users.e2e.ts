import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { endUserHeader } from '@concordat/api';
import { attemptCookie, codeOf, FrontEnd, sessionCookie } from './front-end.ts';
import { ScriptedBrowser } from './scripted-browser.ts';

suite('end users with browsers', { concurrency: false }, () => {
  let front: FrontEnd;
  before(async () => {
    front = await FrontEnd.start();
  });
  after(() => front?.close());

  const at = (path: string): string => `${front.publicUrl}${path}`;

  test('sign in by code and PKCE, and requests go on for them', async () => {
    const browser = await front.signedIn();
    const { searchParams } = new URL(browser.visited.find((url) => url.includes('/auth?')) ?? '');
    assert.equal(searchParams.get('code_challenge_method'), 'S256');
    assert.ok(searchParams.get('nonce'));
    const { endsAt, ...me } = JSON.parse((await browser.ask(at('/me'))).body);
    const alice = { issuer: front.provider.issuer, subject: 'alice', name: 'Alice' };
    assert.deepEqual(me, { ...alice, roles: ['customer', 'teller'] });
    assert.ok(Date.parse(endsAt) > Date.now());
    const visit = await browser.ask(at('/app/tellers/1'));
    assert.equal(visit.body, 'GET /app/tellers/1');
    assert.equal(visit.headers['set-cookie'], undefined, 'no node sets cookies of the gateway');
    assert.match(String(visit.headers['content-security-policy']), /sandbox/);
    assert.deepEqual(front.lastEndUser, { ...alice, roles: ['customer', 'teller'] });
    assert.equal(front.reached.at(-1)?.cookie, undefined);
    const told = front.events.find(([event]) => event === 'gateway.signed-in');
    assert.equal(told?.[1].subject, 'alice');
  });

  test('the claim is the gateway’s: one that comes along is dropped, however it is spelled', async () => {
    const browser = await front.signedIn('bob');
    for (const name of [endUserHeader, 'Concordat-End-User']) {
      const headers = { [name]: 'Zm9yZ2Vk', connection: `close, ${endUserHeader}` };
      await browser.ask(at('/app/any'), { headers });
      assert.equal(front.lastEndUser?.subject, 'bob');
      await new ScriptedBrowser().ask(at('/app/open/1'), { headers });
      assert.equal(front.lastEndUser, undefined);
    }
    assert.equal((await browser.ask(at('/app/open/1'))).status, 200);
    assert.equal(front.lastEndUser?.subject, 'bob', 'whoever is signed in is so on open paths too');
  });

  test('groups give roles, and roles open paths', async () => {
    const [alice, bob] = [await front.signedIn(), await front.signedIn('bob')];
    const before = front.reached.length;
    const asked = async (browser: ScriptedBrowser, path: string, method = 'GET') =>
      codeOf(await browser.ask(at(path), { method, headers: { origin: front.publicUrl } }));
    assert.equal(await asked(bob, '/app/tellers/1'), 'END_USER_ROLE_MISSING');
    assert.equal(await asked(alice, '/app/audits/1'), 'END_USER_ROLE_MISSING');
    assert.equal(await asked(alice, '/app/audits/1', 'POST'), 'END_USER_ROLE_MISSING');
    assert.equal(await asked(alice, '/elsewhere'), 'END_USER_ROLE_MISSING');
    assert.equal(await asked(new ScriptedBrowser(), '/app/any'), 'SIGN_IN_REQUIRED');
    assert.equal(front.reached.length, before, 'nothing of it reached a node');
    assert.equal(await asked(alice, '/app/tellers/1', 'POST'), '200');
    assert.equal(await asked(bob, '/app/any', 'HEAD'), '200');
  });

  test('a path has one reading: what nodes read otherwise opens nothing', async () => {
    const bob = await front.signedIn('bob');
    for (const path of [
      '/tellers/1',
      '/app/%74ellers/1',
      '/app/open/../tellers/1',
      '/app/open/%2e%2e/tellers/1',
      '/app//tellers/1',
      '//app/tellers/1',
      '/app/open/%2E./tellers/1',
      '/app/open\\..\\tellers/1',
      '/app/tellers/1#/../open/1',
      '/app/tellers/%ff',
      `/app/open/${'x/'.repeat(100)}`,
    ]) {
      const before = front.reached.length;
      const code = codeOf(await bob.ask(`${front.publicUrl}${path}`).catch(() => rejected));
      assert.match(code, /^(END_USER_ROLE_MISSING|MALFORMED_REQUEST|FORBIDDEN|400)$/, path);
      assert.equal(front.reached.length, before, path);
    }
  });

  test('pages of other origins cannot use a session', async () => {
    const browser = await front.signedIn();
    const post = async (headers: Record<string, string>, method = 'POST') =>
      codeOf(await browser.ask(at('/app/tellers/1'), { method, headers }));
    assert.equal(await post({}), 'CROSS_SITE_REQUEST', 'without Origin');
    assert.equal(await post({ origin: 'https://evil.example' }), 'FORBIDDEN');
    assert.equal(await post({ origin: 'null' }), 'FORBIDDEN');
    assert.equal(await post({ origin: 'http://localhost:3000' }), 'FORBIDDEN');
    assert.equal(await post({ origin: front.publicUrl }), '200');
    assert.equal(await post({ 'concordat-session': '1' }), '200');
    const image = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' };
    assert.equal(await post(image, 'GET'), 'CROSS_SITE_REQUEST');
    assert.equal(
      await post({ ...image, 'sec-fetch-site': 'same-site' }, 'GET'),
      'CROSS_SITE_REQUEST',
    );
    const frame = { ...image, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' };
    assert.equal(await post(frame, 'GET'), 'CROSS_SITE_REQUEST');
    assert.equal(await post({ ...frame, 'sec-fetch-dest': 'document' }, 'GET'), '200', 'a link');
    const origin = 'https://app.bank.example';
    const allowed = await browser.ask(at('/app/tellers/1'), {
      method: 'POST',
      headers: { origin },
    });
    assert.equal(allowed.headers['access-control-allow-origin'], origin);
    assert.equal(allowed.headers['access-control-allow-credentials'], 'true');
    const host = await browser.ask(at('/me'), { headers: { host: 'evil.example' } });
    assert.equal(codeOf(host), 'FORBIDDEN');
  });

  test('keys that the provider changed a moment ago sign people in', async () => {
    await front.signedIn();
    await front.provider.rotate('k2');
    await front.signedIn();
    await front.provider.rotate('k3');
    await front.signedIn();
  });

  test('a sign-in is completed once, by the browser that began it', async () => {
    const browser = await front.signedIn();
    const callback = browser.visited.find((url) => url.includes('/callback?')) as string;
    assert.equal(codeOf(await browser.ask(callback)), 'SIGN_IN_STATE_WRONG', 'replayed');
    // A thief who has the cookie of the attempt as well gets no further than the provider.
    const other = new ScriptedBrowser();
    const begun = await other.ask(at('/login'));
    const kept = other.cookie(front.publicUrl, attemptCookie) as string;
    let visit = await other.open(String(begun.headers.location));
    assert.equal(visit.status, 200, visit.body);
    const redeemed = other.visited.find((url) => url.includes('/callback?')) as string;
    const thief = new ScriptedBrowser();
    await thief.ask(at('/me'));
    thief.setCookie(front.publicUrl, attemptCookie, kept);
    visit = await thief.ask(redeemed);
    assert.equal(codeOf(visit), 'SIGN_IN_REFUSED', 'the code was redeemed');
    assert.equal(thief.cookie(front.publicUrl, sessionCookie), undefined);
    // Somebody else's answer, put into this browser: signing in as another without knowing it.
    const victim = new ScriptedBrowser();
    await victim.ask(at('/login'));
    assert.equal(codeOf(await victim.ask(redeemed)), 'SIGN_IN_STATE_WRONG');
    assert.equal(codeOf(await new ScriptedBrowser().ask(redeemed)), 'SIGN_IN_STATE_WRONG');
    assert.equal(codeOf(await victim.ask(at('/callback'))), 'SIGN_IN_STATE_WRONG');
  });

  test('what the browser carries to the provider and back cannot be changed', async () => {
    const altered = async (alter: (url: URL) => void, back: (url: URL) => void = () => {}) => {
      const browser = new ScriptedBrowser();
      const to = new URL(String((await browser.ask(at('/login'))).headers.location));
      alter(to);
      let visit = await browser.ask(to.href);
      while (visit.status === 303 || visit.status === 302) {
        const next = new URL(String(visit.headers.location), visit.url);
        if (next.pathname.includes('/interaction/')) next.search = '?as=alice';
        if (next.pathname === '/callback') back(next);
        visit = await browser.ask(next.href);
        if (next.pathname === '/callback') break;
      }
      assert.equal(browser.cookie(front.publicUrl, sessionCookie), undefined);
      return codeOf(visit);
    };
    const set = (name: string, value: string) => (url: URL) => url.searchParams.set(name, value);
    const none = () => {};
    assert.equal(await altered(set('nonce', 'another')), 'SIGN_IN_REFUSED');
    assert.equal(await altered(set('code_challenge', 'A'.repeat(43))), 'SIGN_IN_REFUSED');
    assert.equal(await altered(set('state', 'another')), 'SIGN_IN_STATE_WRONG');
    assert.equal(await altered(none, set('state', 'another')), 'SIGN_IN_STATE_WRONG');
    assert.equal(await altered(none, set('code', 'another')), 'SIGN_IN_REFUSED');
    assert.equal(await altered(none, set('iss', 'https://evil.example')), 'SIGN_IN_REFUSED');
    const twice = (url: URL) => url.searchParams.append('state', 'x');
    assert.equal(await altered(none, twice), 'SIGN_IN_STATE_WRONG');
    const code = (url: URL) => url.searchParams.append('code', 'x');
    assert.equal(await altered(none, code), 'SIGN_IN_REFUSED');
  });

  test('who refuses to sign in is told so in words fit for a page', async () => {
    const browser = new ScriptedBrowser();
    browser.as = 'nobody';
    const visit = await browser.open(at('/login'));
    assert.equal(codeOf(visit), 'SIGN_IN_REFUSED');
    assert.match(visit.body, /access_denied/);
    assert.doesNotMatch(visit.body, /thanks/, 'what others wrote is not repeated');
  });

  test('browsers are sent nowhere but to places that are configured', async () => {
    const browser = new ScriptedBrowser();
    for (const place of ['https://evil.example', '//evil.example', '/app/tellers/1', '/me/', '']) {
      const visit = await browser.ask(at(`/login?return=${encodeURIComponent(place)}`));
      assert.equal(codeOf(visit), 'INVALID_PARAMETER', place);
    }
    const visit = await browser.open(at('/login?return=/app/any'));
    assert.equal(visit.url, at('/app/any'));
    assert.equal(visit.status, 200);
    assert.equal(codeOf(await browser.ask(at('/login?with=other'))), 'INVALID_PARAMETER');
    const post = { method: 'POST', headers: { origin: front.publicUrl } };
    assert.equal(codeOf(await browser.ask(at('/login'), post)), 'METHOD_NOT_ALLOWED');
    assert.equal(codeOf(await browser.ask(at('/logout'))), 'METHOD_NOT_ALLOWED');
  });

  test('a session is opened by its cookie alone, and never by one from before signing in', async () => {
    const browser = await front.signedIn();
    const first = browser.cookie(front.publicUrl, sessionCookie) as string;
    const asked = async (value: string) => {
      const cookie = `${sessionCookie}=${value}`;
      return codeOf(await new ScriptedBrowser().ask(at('/me'), { headers: { cookie } }));
    };
    assert.equal(await asked(first), '200');
    const flipped = `${first[0] === 'A' ? 'B' : 'A'}${first.slice(1)}`;
    for (const value of [
      '',
      'x',
      flipped,
      first.slice(1),
      `${first}A`,
      `${first}; ${sessionCookie}=x`,
    ]) {
      assert.equal(await asked(value), 'SIGN_IN_REQUIRED', value);
    }
    await browser.open(at('/login'));
    assert.notEqual(browser.cookie(front.publicUrl, sessionCookie), first);
    assert.equal(
      await asked(first),
      'SIGN_IN_REQUIRED',
      'the former session of the browser is over',
    );
    const planted = new ScriptedBrowser();
    await planted.ask(at('/me'));
    planted.setCookie(front.publicUrl, sessionCookie, 'A'.repeat(43));
    await planted.open(at('/login'));
    assert.notEqual(planted.cookie(front.publicUrl, sessionCookie), 'A'.repeat(43));
    assert.equal(await asked('A'.repeat(43)), 'SIGN_IN_REQUIRED');
  });

  test('sessions end: by signing out, by age, by idleness', async () => {
    const browser = await front.signedIn();
    const id = browser.cookie(front.publicUrl, sessionCookie) as string;
    const cookie = `${sessionCookie}=${id}`;
    const out = (headers: Record<string, string>) =>
      browser.ask(at('/logout'), { method: 'POST', headers });
    assert.equal(codeOf(await out({})), 'CROSS_SITE_REQUEST');
    assert.equal(codeOf(await out({ origin: 'https://evil.example' })), 'FORBIDDEN');
    const left = await out({ origin: front.publicUrl });
    assert.equal(left.status, 303);
    const { origin, pathname, searchParams } = new URL(String(left.headers.location));
    assert.equal(`${origin}${pathname}`, `${front.provider.issuer}/session/end`);
    assert.equal(searchParams.get('post_logout_redirect_uri'), at('/signed-out'));
    const form = await browser.open(String(left.headers.location));
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(form.body)?.[1];
    const last = await browser.open(`${front.provider.issuer}/session/end/confirm`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `xsrf=${xsrf}&logout=yes`,
    });
    assert.equal(last.url, at('/signed-out'));
    assert.match(last.body, /Signed out/);
    const again = await new ScriptedBrowser().ask(at('/me'), { headers: { cookie } });
    assert.equal(codeOf(again), 'SIGN_IN_REQUIRED', 'a copy of the cookie is worth nothing');

    const idle = await front.signedIn();
    const busy = await front.signedIn();
    const me = async (one: ScriptedBrowser) => codeOf(await one.ask(at('/me')));
    front.skewMs = 1_000_000;
    assert.equal(await me(busy), '200');
    front.skewMs = 1_900_000;
    assert.equal(await me(idle), 'SIGN_IN_REQUIRED');
    assert.equal(await me(busy), '200');
    front.skewMs = 3_100_000;
    assert.equal(await me(busy), 'SIGN_IN_REQUIRED', 'however busy it is');
    front.skewMs = 0;
    const late = new ScriptedBrowser();
    const begun = await late.ask(at('/login'));
    front.skewMs = 700_000;
    assert.equal(codeOf(await late.open(String(begun.headers.location))), 'SIGN_IN_STATE_WRONG');
    front.skewMs = 0;
  });

  test('bodies have a bound, however they are framed', async () => {
    const browser = await front.signedIn();
    const headers = { origin: front.publicUrl };
    const send = async (bytes: number, more: Record<string, string> = {}) =>
      codeOf(
        await browser.ask(at('/app/tellers/1'), {
          method: 'POST',
          headers: { ...headers, ...more },
          body: 'x'.repeat(bytes),
        }),
      );
    assert.equal(await send(2_000), '200');
    assert.equal(await send(2_001), 'PAYLOAD_TOO_LARGE');
    const chunked = { 'transfer-encoding': 'chunked' };
    assert.equal(await send(2_000, chunked), '200');
    assert.equal(await send(2_001, chunked), 'PAYLOAD_TOO_LARGE');
    assert.equal(await send(10_000_000, chunked).catch(() => 'cut'), 'PAYLOAD_TOO_LARGE');
  });
});

const rejected = { url: '', status: 400, headers: {}, body: '' };
