import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cookieName, cookieOf, setCookie } from '../end-users/cookies.ts';
import { isCrossSite } from '../end-users/cross-site.ts';
import { type Session, SessionStore, type SignedIn } from '../end-users/session-store.ts';
import { SignInAttempts } from '../end-users/sign-in-attempt.ts';

test('a cookie is read when it is there once', () => {
  assert.equal(cookieOf('a=1; b=2', 'b'), '2');
  assert.equal(cookieOf('b==', 'b'), '=');
  assert.equal(cookieOf(' b = 2 ', 'b'), '2');
  for (const header of [undefined, '', 'b', 'ab=2', '=2', 'b=1; b=2', 'b=1; a=1; b=1']) {
    assert.equal(cookieOf(header, 'b'), undefined, header);
  }
  assert.equal(cookieOf(`b=1; ${'x'.repeat(20_000)}`, 'b'), undefined);
});

test('cookies are for this host alone, not for scripts, and with https for https', () => {
  const secure = setCookie('x', 'v', { isSecure: true, maxAgeSeconds: 9 });
  assert.equal(secure, '__Host-x=v; Path=/; Max-Age=9; HttpOnly; SameSite=Lax; Secure');
  const plain = setCookie('x', 'v', { isSecure: false, maxAgeSeconds: 9 });
  assert.equal(plain, 'x=v; Path=/; Max-Age=9; HttpOnly; SameSite=Lax');
  assert.equal(cookieName('x', true), '__Host-x');
});

test('what changes something has to show that it comes from a page of the gateway', () => {
  assert.equal(isCrossSite({}, false), true);
  assert.equal(isCrossSite({ origin: 'https://checked.at.the.door' }, false), false);
  assert.equal(isCrossSite({ 'concordat-session': '1' }, false), false);
  assert.equal(isCrossSite({ 'sec-fetch-site': 'same-origin' }, false), true);
  for (const site of [undefined, 'none', 'same-origin']) {
    assert.equal(isCrossSite(site === undefined ? {} : { 'sec-fetch-site': site }, true), false);
  }
  for (const site of ['cross-site', 'same-site', 'something new']) {
    assert.equal(isCrossSite({ 'sec-fetch-site': site }, true), true);
    const link = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    assert.equal(isCrossSite({ 'sec-fetch-site': site, ...link }, true), false);
  }
});

const signedIn = (subject: string): SignedIn => ({
  provider: 'p',
  endUser: { issuer: 'i', subject, roles: [] },
  idToken: 't',
  refreshToken: undefined,
});

function store() {
  const world = { nowMs: 0 };
  const settings = {
    max: 4,
    maxPerEndUser: 2,
    lifetimeSeconds: 100,
    idleSeconds: 10,
    refreshSeconds: 30,
  };
  return { world, sessions: new SessionStore(settings, () => world.nowMs) };
}

test('a session has an id that nobody can guess, and ends once', () => {
  const { sessions } = store();
  const ids = [sessions.start(signedIn('a')), sessions.start(signedIn('b'))];
  assert.equal(new Set(ids).size, 2);
  for (const id of ids) assert.match(id, /^[A-Za-z0-9_-]{43}$/);
  const session = sessions.find(ids[0]) as Session;
  let ended = 0;
  session.whenOver(() => ended++);
  const taken = session.whenOver(() => ended++);
  taken();
  sessions.end(session);
  sessions.end(session);
  assert.equal(ended, 1);
  assert.equal(sessions.find(ids[0]), undefined);
  assert.equal(sessions.find(ids[1])?.endUser.subject, 'b');
  for (const id of [undefined, '', '__proto__', 'x'.repeat(43), `${ids[1]}=`]) {
    assert.equal(sessions.find(id), undefined);
  }
});

test('sessions end by idleness and by age, and make room', () => {
  const { world, sessions } = store();
  const [a, b, c] = ['a', 'b', 'c'].map((name) => sessions.start(signedIn(name)));
  world.nowMs = 9_999;
  assert.ok(sessions.find(a));
  world.nowMs = 10_000;
  assert.equal(sessions.find(b), undefined);
  assert.ok(sessions.find(a));
  for (let at = 0; at < 9; at++) {
    world.nowMs += 9_000;
    assert.ok(sessions.find(a), `${world.nowMs}`);
  }
  world.nowMs = 100_000;
  assert.equal(sessions.find(a), undefined, 'however busy it was');
  assert.equal(sessions.size, 1, 'what nobody asked for is still there');
  for (const name of ['d', 'e', 'f', 'g']) sessions.start(signedIn(name));
  assert.equal(sessions.size, 4);
  assert.equal(sessions.find(c), undefined);
  assert.throws(() => sessions.start(signedIn('h')), { code: 'OVERLOADED' });
});

test('the oldest session of an end user makes room for its newest, not for another’s', () => {
  const { sessions } = store();
  const ids = [1, 2, 3].map(() => sessions.start(signedIn('a')));
  assert.equal(sessions.find(ids[0]), undefined);
  assert.ok(sessions.find(ids[1]) && sessions.find(ids[2]));
  const other = sessions.start({
    ...signedIn('a'),
    endUser: { issuer: 'another', subject: 'a', roles: [] },
  });
  assert.ok(sessions.find(other) && sessions.find(ids[1]));
});

test('a sign-in that was begun is read by who sealed it, for ten minutes', async () => {
  const world = { nowMs: 1_000_000_000_000 };
  const attempts = new SignInAttempts(() => world.nowMs);
  const attempt = { provider: 'p', state: 's', nonce: 'n', verifier: 'v', returnTo: '/me' };
  const sealed = await attempts.seal(attempt);
  assert.doesNotMatch(Buffer.from(sealed, 'base64url').toString('latin1'), /verifier/);
  const { exp: _, ...opened } = { exp: 0, ...(await attempts.open(sealed)) };
  assert.deepEqual(opened, attempt);
  assert.equal(await new SignInAttempts(() => world.nowMs).open(sealed), undefined);
  for (let at = 0; at < sealed.length; at += 7) {
    const changed = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`;
    assert.equal(await attempts.open(changed), undefined, `${at}`);
  }
  for (const text of [undefined, '', '....', sealed.slice(1), `${sealed}AAAA`]) {
    assert.equal(await attempts.open(text), undefined);
  }
  world.nowMs += 601_000;
  assert.equal(await attempts.open(sealed), undefined);
});
