import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Actor, nobodyId } from '@concordat/worker-enclave';
import { idempotencyKeyOf } from '../idempotency.ts';
import { encodeRequest } from '../request-form.ts';

const actor = (actorId: string): Actor =>
  ({ actorId, name: 'a', kinds: ['participant'], roles: [] }) as unknown as Actor;
const ann = actor('a'.repeat(64));
const bob = actor('b'.repeat(64));

const raw = (key?: string, url = '/a') =>
  encodeRequest({
    method: 'POST',
    url,
    headers: key === undefined ? [] : [['concordat-idempotency-key', key]],
    body: new Uint8Array(0),
  });

test('attempts of one caller with one key have one, and nobody else has it', () => {
  const key = idempotencyKeyOf(raw('k'), ann);
  assert.match(key, /^[0-9a-f]{64}$/);
  assert.equal(idempotencyKeyOf(raw('k'), ann), key);
  const others = [
    idempotencyKeyOf(raw('K'), ann),
    idempotencyKeyOf(raw('k'), bob),
    idempotencyKeyOf(raw('k'), ann, 'sub'),
    idempotencyKeyOf(raw('","k'), ann),
  ];
  assert.equal(new Set([key, ...others]).size, 5);
  const subject = idempotencyKeyOf(raw('k'), ann, 'sub');
  assert.equal(idempotencyKeyOf(raw('k'), ann, 'sub'), subject);
});

test('without a key, and for strangers, each attempt has one of its own', () => {
  const stranger = actor(nobodyId);
  assert.notEqual(idempotencyKeyOf(raw(), ann), idempotencyKeyOf(raw(), ann));
  assert.notEqual(idempotencyKeyOf(raw('k'), stranger), idempotencyKeyOf(raw('k'), stranger));
  const known = idempotencyKeyOf(raw('k'), stranger, 'token of ann');
  assert.equal(idempotencyKeyOf(raw('k'), stranger, 'token of ann'), known);
});
