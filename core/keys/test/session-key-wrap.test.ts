import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEncryptionKey } from '@concordat/crypto';
import { KeysError, unwrapSessionKey, wrappedKeyBytes, wrapSessionKey } from '@concordat/keys';
import { toEpoch, toHex } from '@concordat/std';

const seed = (n: number): Uint8Array => new Uint8Array(32).fill(n);
const withCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof KeysError && error.code === code;
const refused = withCode('UNWRAP_FAILED');

const key = createEncryptionKey(seed(1));
const binding = { epoch: toEpoch(7), networkId: 'ab'.repeat(32), recipient: 'cd'.repeat(32) };
const key32 = seed(42);
const wrapped = wrapSessionKey({
  ...binding,
  key32,
  recipientPublicKey: key.publicKey,
  entropy32: seed(2),
});

test('the recipient unwraps the very key', () => {
  assert.equal(wrapped.length, wrappedKeyBytes);
  assert.equal(toHex(unwrapSessionKey({ ...binding, wrapped }, key)), toHex(key32));
});

test('a wrap holds for its network, epoch and recipient only', () => {
  const others = [
    { epoch: toEpoch(8) },
    { networkId: `ac${binding.networkId.slice(2)}` },
    { recipient: `${binding.recipient.slice(2)}ce` },
    { recipient: '' },
  ];
  for (const other of others) {
    assert.throws(() => unwrapSessionKey({ ...binding, ...other, wrapped }, key), refused);
  }
});

test('another key opens nothing', () => {
  assert.throws(
    () => unwrapSessionKey({ ...binding, wrapped }, createEncryptionKey(seed(3))),
    refused,
  );
});

test('every flipped bit, truncation and extension is refused', () => {
  const unwrap = (bytes: Uint8Array) => () => unwrapSessionKey({ ...binding, wrapped: bytes }, key);
  for (let bit = 0; bit < wrapped.length * 8; bit += 1) {
    const bytes = Uint8Array.from(wrapped);
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
    assert.throws(unwrap(bytes), refused);
  }
  for (let length = 0; length < wrapped.length; length += 1) {
    assert.throws(unwrap(wrapped.subarray(0, length)), refused);
  }
  assert.throws(unwrap(Buffer.concat([wrapped, Buffer.of(0)])), refused);
});

test('wraps of one key to two recipients, or with other entropy, share nothing', () => {
  const other = createEncryptionKey(seed(4));
  const request = { ...binding, key32, recipientPublicKey: key.publicKey };
  const wraps = [
    wrapped,
    wrapSessionKey({ ...request, entropy32: seed(5) }),
    wrapSessionKey({ ...request, recipientPublicKey: other.publicKey, entropy32: seed(6) }),
  ];
  assert.equal(new Set(wraps.map((one) => toHex(one.subarray(0, 65)))).size, 3);
  assert.equal(new Set(wraps.map((one) => toHex(one.subarray(65)))).size, 3);
});

test('what is not a public key is named, and nothing is wrapped', () => {
  for (const bad of [new Uint8Array(65), key.publicKey.subarray(1), new Uint8Array(0)]) {
    assert.throws(
      () => wrapSessionKey({ ...binding, key32, recipientPublicKey: bad, entropy32: seed(2) }),
      withCode('INVALID_RECIPIENT'),
    );
  }
});

test('a key of another length, or a network without an identity, is a bug', () => {
  const request = { ...binding, key32, recipientPublicKey: key.publicKey, entropy32: seed(2) };
  const bug = { name: 'AssertionError' };
  assert.throws(() => wrapSessionKey({ ...request, key32: seed(1).subarray(1) }), bug);
  assert.throws(() => wrapSessionKey({ ...request, networkId: 'x' }), bug);
  assert.throws(() => wrapSessionKey({ ...request, entropy32: seed(1).subarray(1) }), bug);
});

test('errors never show key bytes', () => {
  try {
    unwrapSessionKey({ ...binding, epoch: toEpoch(1), wrapped }, key);
    assert.fail('unwrapped');
  } catch (error) {
    assert.ok(error instanceof KeysError);
    const shown = `${error.message} ${JSON.stringify(error.details)} ${error.cause}`;
    assert.ok(!shown.includes(toHex(wrapped).slice(0, 16)));
    assert.deepEqual(error.details, { epoch: 1, recipient: binding.recipient });
  }
});
