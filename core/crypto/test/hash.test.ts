import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { constantTimeEqual, hkdfSha256, hmacSha256, sha256, sha256Latin1 } from '@concordat/crypto';
import { emptyBytes, fromLatin1, toHex, toLatin1, utf8 } from '@concordat/std';

const hex = (text: string): Uint8Array => Buffer.from(text, 'hex');

test('SHA-256 gives the digests of FIPS 180-4', () => {
  assert.equal(
    toHex(sha256(emptyBytes)),
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  );
  assert.equal(
    toHex(sha256(utf8('abc'))),
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
});

test('SHA-256 of a binary string is that of its bytes, codes above 127 included', () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const expected = createHash('sha256').update(bytes).digest();
  assert.deepEqual(Buffer.from(sha256(bytes)), expected);
  for (const form of [bytes, toLatin1(bytes)]) {
    const digest = sha256Latin1(form);
    assert.equal(digest.length, 32);
    assert.deepEqual(Buffer.from(fromLatin1(digest)), expected);
  }
});

test('a digest does not change when the next one is made', () => {
  const first = sha256(utf8('a'));
  const before = toHex(first);
  for (let i = 0; i < 1000; i += 1) sha256(utf8(`${i}`));
  assert.equal(toHex(first), before);
});

test('HMAC-SHA256 gives RFC 4231 test cases 1, 2 and 6', () => {
  const cases = [
    {
      key: hex('0b'.repeat(20)),
      data: utf8('Hi There'),
      mac: 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
    },
    {
      key: utf8('Jefe'),
      data: utf8('what do ya want for nothing?'),
      mac: '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    },
    {
      key: hex('aa'.repeat(131)),
      data: utf8('Test Using Larger Than Block-Size Key - Hash Key First'),
      mac: '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
    },
  ];
  for (const { key, data, mac } of cases) assert.equal(toHex(hmacSha256(key, data)), mac);
});

test('HKDF-SHA256 gives RFC 5869 test cases 1, 2 and 3', () => {
  assert.equal(
    toHex(
      hkdfSha256(
        hex('0b'.repeat(22)),
        hex('000102030405060708090a0b0c'),
        hex('f0f1f2f3f4f5f6f7f8f9'),
        42,
      ),
    ),
    '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
  );
  const run = (from: number): Uint8Array => Uint8Array.from({ length: 80 }, (_, i) => from + i);
  assert.equal(
    toHex(hkdfSha256(run(0), run(0x60), run(0xb0), 82)),
    [
      'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac78272',
      '71cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f',
      '1d87',
    ].join(''),
  );
  assert.equal(
    toHex(hkdfSha256(hex('0b'.repeat(22)), emptyBytes, emptyBytes, 42)),
    '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
  );
});

test('HKDF refuses lengths beyond 255 blocks', () => {
  const key = hex('0b'.repeat(22));
  assert.throws(() => hkdfSha256(key, emptyBytes, emptyBytes, 255 * 32 + 1), /out of range/);
  assert.throws(() => hkdfSha256(key, emptyBytes, emptyBytes, 0), /out of range/);
});

test('constant-time equality compares lengths and every byte', () => {
  const bytes = hex('00112233');
  assert.equal(constantTimeEqual(bytes, hex('00112233')), true);
  assert.equal(constantTimeEqual(bytes, hex('001122')), false);
  for (let i = 0; i < bytes.length; i += 1) {
    const other = Uint8Array.from(bytes);
    other[i] = (other[i] as number) ^ 1;
    assert.equal(constantTimeEqual(bytes, other), false);
  }
});
