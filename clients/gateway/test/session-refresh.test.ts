import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '@concordat/api';
import { refreshSession } from '../end-users/session-refresh.ts';
import { type Session, SessionStore } from '../end-users/session-store.ts';
import type { SignInClient } from '../end-users/sign-in-client.ts';
import { providerSettings } from './front-end.ts';

const issuer = 'https://users.example';

/** A session, and a provider that answers what a test says. */
function world(refreshToken: string | undefined = 'r1') {
  const clock = { nowMs: 1_000_000 };
  const events: string[] = [];
  const asked: string[] = [];
  const revoked: string[] = [];
  let answer: () => unknown = () => ({});
  const bounds = { max: 9, maxPerEndUser: 9, lifetimeSeconds: 9_000, idleSeconds: 9_000 };
  const store = new SessionStore({ ...bounds, refreshSeconds: 60 }, () => clock.nowMs);
  const endUser = { issuer, subject: 's', roles: ['customer'] };
  const id = store.start({ provider: 'bank', endUser, idToken: 't1', refreshToken });
  const session = store.find(id) as Session;
  const client = {
    provider: { settings: providerSettings(issuer) },
    refresh: async (token: string) => {
      asked.push(token);
      return answer();
    },
    revoke: async (token: string) => void revoked.push(token),
  } as unknown as SignInClient;
  const options = {
    store,
    refreshMs: 60_000,
    now: () => clock.nowMs,
    log: (event: string) => void events.push(event),
  };
  return {
    clock,
    events,
    asked,
    revoked,
    session,
    store,
    id,
    refresh: () => refreshSession(session, client, options),
    answers: (next: () => unknown) => {
      answer = next;
    },
  };
}

test('the provider is asked when its word is old, with the newest token, by one request', async () => {
  const { clock, asked, session, refresh, answers } = world();
  await refresh();
  assert.deepEqual(asked, [], 'not yet');
  answers(() => ({
    claims: { sub: 's', groups: ['Tellers'] },
    idToken: 't2',
    refreshToken: 'r2',
  }));
  clock.nowMs += 60_000;
  await Promise.all([refresh(), refresh(), refresh()]);
  assert.deepEqual(asked, ['r1']);
  assert.deepEqual(session.endUser.roles, ['customer', 'teller']);
  assert.equal(session.idToken, 't2');
  answers(() => ({ refreshToken: 'r3' }));
  clock.nowMs += 60_000;
  await refresh();
  assert.deepEqual(asked, ['r1', 'r2']);
  assert.deepEqual(session.endUser.roles, ['customer', 'teller'], 'no news is no change');
  assert.equal(session.refreshToken, 'r3');
  const without = world();
  without.session.refreshToken = undefined;
  without.clock.nowMs += 600_000;
  await without.refresh();
  assert.deepEqual(without.asked, []);
});

test('who may not sign in any more, or turns out to be another, is signed out', async () => {
  const refused = () => {
    throw new ApiError('SIGN_IN_REFUSED', 'invalid_grant');
  };
  const another = () => ({ claims: { sub: 'other' }, idToken: 't', refreshToken: 'r' });
  const nobody = () => ({ claims: {}, idToken: 't', refreshToken: 'r' });
  const forged = () => {
    throw new ApiError('TOKEN_SIGNATURE_INVALID', 'forged');
  };
  for (const answer of [refused, another, nobody, forged]) {
    const { clock, store, id, refresh, answers, session } = world();
    answers(answer);
    clock.nowMs += 60_000;
    await refresh();
    assert.equal(store.find(id), undefined);
    assert.equal(session.isOver, true);
  }
});

test('a provider that is away is asked again after a while, and nobody is signed out', async () => {
  for (const failure of [
    new ApiError('IDENTITY_PROVIDER_UNAVAILABLE', 'away'),
    new ApiError('IDENTITY_PROVIDER_INVALID', 'wrong'),
    new ApiError('TOKEN_KEY_UNKNOWN', 'new'),
    new Error('anything'),
  ]) {
    const { clock, store, id, asked, refresh, answers, events } = world();
    answers(() => {
      throw failure;
    });
    clock.nowMs += 60_000;
    await refresh();
    await refresh();
    assert.equal(asked.length, 1);
    clock.nowMs += 29_999;
    await refresh();
    assert.equal(asked.length, 1);
    clock.nowMs += 1;
    await refresh();
    assert.equal(asked.length, 2);
    assert.ok(store.find(id));
    assert.deepEqual(events, ['gateway.refresh-failed', 'gateway.refresh-failed']);
  }
});

test('a token that comes for a session that was signed out meanwhile is revoked', async () => {
  const { clock, store, session, refresh, answers, revoked, events } = world();
  answers(() => {
    store.end(session);
    return { claims: { sub: 's', groups: ['Tellers'] }, idToken: 't2', refreshToken: 'r2' };
  });
  clock.nowMs += 60_000;
  await refresh();
  assert.deepEqual(revoked, ['r2']);
  assert.equal(session.idToken, 't1');
  assert.deepEqual(events, []);
});
