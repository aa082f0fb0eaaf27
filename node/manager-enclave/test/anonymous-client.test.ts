import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeIdentity, nobodyId } from '@concordat/bridge';
import type { ActorId } from '@concordat/std';
import { judgeApplicationClient, maySpeak } from '../anonymous-client.ts';
import type { ClientVerdict } from '../client-identity.ts';

const under = (anonymousConnections: 'accept' | 'refuse') =>
  ({ policies: { anonymousConnections }, actors: [] }) as never;
const refused = (code: 'CLIENT_CERTIFICATE_REQUIRED' | 'UNKNOWN_ACTOR'): ClientVerdict => ({
  ok: false,
  code,
  message: 'Why.',
});

test('who presents no certificate is nobody where the policy accepts that, else told of the policy', () => {
  const accepted = judgeApplicationClient(refused('CLIENT_CERTIFICATE_REQUIRED'), under('accept'));
  assert.ok(accepted.ok);
  assert.equal(accepted.identity.isMember, false);
  const { actorId, kinds, roles, certificate } = decodeIdentity(accepted.identity.record);
  assert.deepEqual(
    { actorId, kinds, roles, certificate },
    {
      actorId: nobodyId,
      kinds: [],
      roles: [],
      certificate: '',
    },
  );
  const verdict = judgeApplicationClient(refused('CLIENT_CERTIFICATE_REQUIRED'), under('refuse'));
  assert.ok(!verdict.ok);
  assert.match(verdict.message, /anonymousConnections is refuse/);
});

test('a certificate that is nobody’s is refused under either policy', () => {
  for (const policy of ['accept', 'refuse'] as const) {
    const verdict = judgeApplicationClient(refused('UNKNOWN_ACTOR'), under(policy));
    assert.deepEqual(verdict, refused('UNKNOWN_ACTOR'));
  }
});

test('requests of nobody are taken from other nodes only under the policy', () => {
  assert.equal(maySpeak(nobodyId as ActorId, under('accept')), true);
  assert.equal(maySpeak(nobodyId as ActorId, under('refuse')), false);
  assert.equal(maySpeak('a'.repeat(64) as ActorId, under('accept')), false);
});
