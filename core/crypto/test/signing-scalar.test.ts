import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createSigningKey,
  exportSigningScalar,
  importSigningScalar,
  verifySignature,
} from '@concordat/crypto';

const order = Buffer.from(
  'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
  'hex',
);

test('a signing key is its scalar: 32 bytes that make the same key', () => {
  for (let n = 0; n < 300; n++) {
    const key = createSigningKey(new Uint8Array(32).fill(n % 256, n % 7));
    const scalar = exportSigningScalar(key);
    assert.equal(scalar.length, 32);
    const again = importSigningScalar(scalar);
    assert.deepEqual(again.publicKeySpki, key.publicKeySpki);
    const bytes = Buffer.from(`message ${n}`);
    assert.ok(verifySignature(key.publicKeySpki, bytes, again.sign(bytes)));
  }
});

test('a scalar with leading zeros keeps its length', () => {
  const one = new Uint8Array(32);
  one[31] = 1;
  assert.deepEqual(exportSigningScalar(importSigningScalar(one)), one);
});

test('what is no scalar of P-256 is refused without a word about it', () => {
  const tooLong = new Uint8Array(33).fill(1);
  for (const bytes of [new Uint8Array(0), new Uint8Array(32), order, tooLong]) {
    assert.throws(() => importSigningScalar(bytes), { name: 'CryptoError', code: 'INVALID_KEY' });
  }
});
