import assert from 'node:assert/strict';
import { createCipheriv, createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto';
import { test } from 'node:test';
import {
  CryptoError,
  createEncryptionKey,
  createSigningKey,
  importEncryptionKey,
  isEncryptionPublicKey,
  openerBy,
  sealTo,
} from '@concordat/crypto';
import { emptyBytes, toHex, utf8 } from '@concordat/std';
import { hpkeDecap, hpkeSchedule } from '../encryption-key.ts';
import { deriveScalar, keyOfScalar } from '../p256.ts';

const hex = (text: string): Uint8Array => Buffer.from(text, 'hex');
const seed = (n: number): Uint8Array => new Uint8Array(32).fill(n);
const refused = (error: unknown): boolean =>
  error instanceof CryptoError && error.code === 'AUTHENTICATION_FAILED';

// RFC 9180, appendix A.3.1: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base mode.
const a31 = {
  info: hex('4f6465206f6e2061204772656369616e2055726e'),
  ikmE: hex('4270e54ffd08d79d5928020af4686d8f6b7d35dbe470265f1f5aa22816ce860e'),
  skEm: '4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb',
  pkEm: [
    '04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4',
    'b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4',
  ].join(''),
  ikmR: hex('668b37171f1072f3cf12ea8a236a45df23fc13b82af3609ad1e354f6ef817550'),
  skRm: 'f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2',
  pkRm: [
    '04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8',
    'a0e539c7f62fb3d30ad6aa8f80e30f1d128aafd68a2ce72ea0',
  ].join(''),
  sharedSecret: 'c0d26aeab536609a572b07695d933b589dcf363ff9d93c93adea537aeabb8cb8',
  key: '868c066ef58aae6dc589b6cfdd18f97e',
  nonce: '4e0bc5018beba4bf004cca59',
  plaintext: hex('4265617574792069732074727574682c20747275746820626561757479'),
  additionalData: hex('436f756e742d30'),
  ciphertext:
    '5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434',
};
const kemSuite = hex('4b454d0010');

test('keys are derived as in RFC 9180 A.3.1', () => {
  assert.equal(toHex(deriveScalar(kemSuite, a31.ikmE)), a31.skEm);
  assert.equal(toHex(deriveScalar(kemSuite, a31.ikmR)), a31.skRm);
  assert.equal(toHex(createEncryptionKey(a31.ikmE).publicKey), a31.pkEm);
  assert.equal(toHex(createEncryptionKey(a31.ikmR).publicKey), a31.pkRm);
});

test('the shared secret, key, nonce and ciphertext are those of RFC 9180 A.3.1', () => {
  const recipient = keyOfScalar(hex(a31.skRm));
  const shared = hpkeDecap(recipient.key, recipient.point, hex(a31.pkEm)) as Uint8Array;
  assert.equal(toHex(shared), a31.sharedSecret);
  const schedule = hpkeSchedule(shared, a31.info, { id: 1, keyBytes: 16 });
  assert.equal(toHex(schedule.key), a31.key);
  assert.equal(toHex(schedule.nonce), a31.nonce);
  const cipher = createCipheriv('aes-128-gcm', schedule.key, schedule.nonce);
  cipher.setAAD(a31.additionalData);
  const sealed = [cipher.update(a31.plaintext), cipher.final(), cipher.getAuthTag()];
  assert.equal(toHex(Buffer.concat(sealed)), a31.ciphertext);
});

test('the same key exchange carries the sender: the ephemeral point is that of the entropy', () => {
  const sealed = sealTo(hex(a31.pkRm), utf8('x'), a31.info, a31.ikmE);
  assert.equal(toHex(sealed.subarray(0, 65)), a31.pkEm);
  assert.deepEqual(
    Buffer.from(createEncryptionKey(a31.ikmR).open(sealed, a31.info)),
    Buffer.from('x'),
  );
});

const recipient = createEncryptionKey(seed(1));
const info = utf8('network and epoch');
const sealed = sealTo(recipient.publicKey, utf8('a session key'), info, seed(2));

test('only the recipient, naming the same info, opens', () => {
  assert.equal(Buffer.from(recipient.open(sealed, info)).toString(), 'a session key');
  assert.throws(() => recipient.open(sealed, utf8('another epoch')), refused);
  assert.throws(() => recipient.open(sealed, emptyBytes), refused);
  assert.throws(() => createEncryptionKey(seed(3)).open(sealed, info), refused);
});

test('every flipped bit is refused', () => {
  for (let bit = 0; bit < sealed.length * 8; bit += 1) {
    const bytes = Uint8Array.from(sealed);
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
    assert.throws(() => recipient.open(bytes, info), refused);
  }
});

test('every truncation, and an extension, is refused', () => {
  for (let length = 0; length < sealed.length; length += 1) {
    assert.throws(() => recipient.open(sealed.subarray(0, length), info), refused);
  }
  assert.throws(() => recipient.open(Buffer.concat([sealed, Buffer.of(0)]), info), refused);
});

test('fresh entropy makes an unrelated message; equal entropy the same', () => {
  const again = sealTo(recipient.publicKey, utf8('a session key'), info, seed(2));
  assert.deepEqual(again, sealed);
  const fresh = sealTo(recipient.publicKey, utf8('a session key'), info, seed(9));
  assert.notDeepEqual(fresh.subarray(0, 65), sealed.subarray(0, 65));
  assert.notDeepEqual(fresh.subarray(65), sealed.subarray(65));
});

test('what is not a point of the curve is never sealed to', () => {
  const good = recipient.publicKey;
  const offCurve = Uint8Array.from(good);
  offCurve[64] = (offCurve[64] as number) ^ 1;
  const hybrid = Uint8Array.from(good);
  hybrid[0] = 0x06 | ((good[64] as number) & 1);
  const zero = new Uint8Array(65);
  zero[0] = 4;
  for (const point of [offCurve, hybrid, zero, good.subarray(0, 33), emptyBytes, Buffer.of(0)]) {
    assert.equal(isEncryptionPublicKey(point), false);
    assert.throws(
      () => sealTo(point, utf8('x'), info, seed(2)),
      (error) => error instanceof CryptoError && error.code === 'INVALID_KEY',
    );
  }
  assert.equal(isEncryptionPublicKey(good), true);
});

test('a key comes back from PKCS#8 and opens what was sealed before', () => {
  const again = importEncryptionKey(recipient.toPkcs8Pem());
  assert.deepEqual(Buffer.from(again.publicKey), Buffer.from(recipient.publicKey));
  assert.equal(Buffer.from(again.open(sealed, info)).toString(), 'a session key');
});

test('one seed gives unrelated signing and encryption keys', () => {
  const signing = createSigningKey(seed(1)).publicKeySpki.subarray(26);
  assert.notDeepEqual(Buffer.from(signing), Buffer.from(recipient.publicKey));
});

test('what was sealed opens by a key that only agrees, which is asked for points of the curve alone', () => {
  const privateKey = createPrivateKey(recipient.toPkcs8Pem());
  let asked = 0;
  const elsewhere = openerBy(recipient.publicKey, (point) => {
    asked += 1;
    const [x = '', y = ''] = [point.subarray(1, 33), point.subarray(33)].map((half) =>
      Buffer.from(half).toString('base64url'),
    );
    const publicKey = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
    return diffieHellman({ privateKey, publicKey });
  });
  assert.equal(Buffer.from(elsewhere.open(sealed, info)).toString(), 'a session key');
  assert.throws(() => elsewhere.open(sealed, utf8('other')), refused);
  assert.equal(asked, 2);
  const offCurve = Uint8Array.from(sealed);
  offCurve[64] = (offCurve[64] as number) ^ 1;
  for (const bad of [offCurve, sealed.subarray(0, 64), emptyBytes]) {
    assert.throws(() => elsewhere.open(bad, info), refused);
  }
  assert.equal(asked, 2);
});
