import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { KeysError, SessionKeyring } from '@concordat/keys';
import { toEpoch } from '@concordat/std';

const bytes = (n: number): Uint8Array => new Uint8Array(32).fill(n);
const epoch = toEpoch;
const withCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof KeysError && error.code === code;

function ringOf(...epochs: number[]): SessionKeyring {
  const ring = new SessionKeyring();
  for (const one of epochs) ring.add({ epoch: epoch(one), key: bytes(one) });
  return ring;
}

test('a ring gives each epoch its key, and the newest as current', () => {
  const ring = ringOf(2, 5, 3);
  assert.equal(ring.current?.epoch, 5);
  assert.deepEqual(ring.epochs, [2, 3, 5]);
  assert.deepEqual(ring.get(epoch(3))?.key, bytes(3));
  assert.equal(ring.get(epoch(4)), undefined);
  assert.equal(new SessionKeyring().current, undefined);
});

test('the same key again changes nothing; another for its epoch is refused', () => {
  const ring = ringOf(1);
  const held = ring.get(epoch(1));
  assert.equal(ring.add({ epoch: epoch(1), key: bytes(1) }), held);
  assert.throws(() => ring.add({ epoch: epoch(1), key: bytes(2) }), withCode('EPOCH_CONFLICT'));
  assert.deepEqual(ring.get(epoch(1))?.key, bytes(1));
});

test("the ring keeps a copy: the giver's bytes can be wiped", () => {
  const given = bytes(9);
  const ring = new SessionKeyring();
  ring.add({ epoch: epoch(1), key: given });
  given.fill(0);
  assert.deepEqual(ring.current?.key, bytes(9));
});

test('a forgotten key is zeroed and refuses to be read', () => {
  const ring = ringOf(1, 2);
  const held = ring.get(epoch(2))!;
  const memory = held.key;
  assert.equal(ring.forget(epoch(2)), true);
  assert.deepEqual(memory, bytes(0));
  assert.throws(() => held.key, withCode('FORGOTTEN'));
  assert.equal(ring.get(epoch(2)), undefined);
  assert.equal(ring.current?.epoch, 1);
  assert.equal(ring.forget(epoch(2)), false);
});

test('a forgotten key can be acquired again', () => {
  const ring = ringOf(1, 2);
  ring.forget(epoch(2));
  ring.add({ epoch: epoch(2), key: bytes(2) });
  assert.deepEqual(ring.current?.key, bytes(2));
});

test('ended epochs, or all of them, are forgotten at once', () => {
  const ring = ringOf(1, 2, 3, 4);
  ring.forgetBefore(epoch(3));
  assert.deepEqual(ring.epochs, [3, 4]);
  ring.forgetAll();
  assert.deepEqual(ring.epochs, []);
  assert.equal(ring.current, undefined);
});

test('a held key does not show its bytes when printed', () => {
  const ring = new SessionKeyring();
  const held = ring.add({ epoch: epoch(1), key: bytes(0xab) });
  for (const shown of [JSON.stringify(held), inspect(held, { depth: 9 }), inspect(ring)]) {
    assert.doesNotMatch(shown, /171|abab|0xab/i);
  }
});

test('a key of another length, or of epoch 0, is a bug', () => {
  const ring = new SessionKeyring();
  const bug = { name: 'AssertionError' };
  assert.throws(() => ring.add({ epoch: epoch(1), key: new Uint8Array(31) }), bug);
  assert.throws(() => ring.add({ epoch: epoch(0), key: bytes(1) }), bug);
});
