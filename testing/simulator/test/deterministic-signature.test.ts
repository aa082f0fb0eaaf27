import assert from 'node:assert/strict';
import { createECDH, createPrivateKey, createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';
import { signDeterministically } from '../platform/deterministic-signature.ts';

const scalar = Buffer.from(
  'c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721',
  'hex',
);
const curve = createECDH('prime256v1');
curve.setPrivateKey(scalar);
const point = curve.getPublicKey();
const key = createPrivateKey({
  format: 'jwk',
  key: {
    kty: 'EC',
    crv: 'P-256',
    d: scalar.toString('base64url'),
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33).toString('base64url'),
  },
});

test('signatures are those of RFC 6979, A.2.5, for P-256 with SHA-256', () => {
  const vectors = [
    [
      'sample',
      'efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716',
      'f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8',
    ],
    [
      'test',
      'f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367',
      '019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083',
    ],
  ] as const;
  for (const [message, r, s] of vectors) {
    const signature = signDeterministically(Buffer.from(message), key, 'ieee-p1363');
    assert.equal(signature.toString('hex'), r + s);
  }
});

test('signatures verify natively, in both encodings', () => {
  const publicKey = createPublicKey(key);
  for (let count = 0; count < 50; count += 1) {
    const message = Buffer.from(`message ${count}`);
    const der = signDeterministically(message, key, 'der');
    assert.ok(verify('sha256', message, publicKey, der));
    const raw = signDeterministically(message, key, 'ieee-p1363');
    assert.ok(verify('sha256', message, { key: publicKey, dsaEncoding: 'ieee-p1363' }, raw));
  }
});

test('a key that was imported anew signs as before', () => {
  const again = createPrivateKey(key.export({ format: 'pem', type: 'pkcs8' }));
  const message = Buffer.from('again');
  assert.deepEqual(
    signDeterministically(message, again, 'der'),
    signDeterministically(message, key, 'der'),
  );
});
