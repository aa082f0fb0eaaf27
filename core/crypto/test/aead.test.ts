import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aeadOpen, aeadSeal, CryptoError } from '@concordat/crypto';
import { emptyBytes, toHex, utf8 } from '@concordat/std';

const hex = (text: string): Uint8Array => Buffer.from(text, 'hex');
const refused = (error: unknown): boolean =>
  error instanceof CryptoError && error.code === 'AUTHENTICATION_FAILED';

// McGrew and Viega, The Galois/Counter Mode of Operation, appendix B, test cases 13-16: the vectors
// NIST SP 800-38D was validated with for 256-bit keys and 96-bit nonces.
const text60 = [
  'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c9595680953',
  '2fcf0e2449a6b525b16aedf5aa0de657ba637b39',
].join('');
const key = 'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308';
const nonce = 'cafebabefacedbaddecaf888';
const cipher60 = [
  '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3d',
  'a7b08b1056828838c5f61e6393ba7a0abcc9f662',
].join('');
const vectors = [
  {
    name: 'case 13',
    key: '00'.repeat(32),
    nonce: '00'.repeat(12),
    data: '',
    plaintext: '',
    sealed: '530f8afbc74536b9a963b4f1c4cb738b',
  },
  {
    name: 'case 14',
    key: '00'.repeat(32),
    nonce: '00'.repeat(12),
    data: '',
    plaintext: '00'.repeat(16),
    sealed: 'cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919',
  },
  {
    name: 'case 15',
    key,
    nonce,
    data: '',
    plaintext: `${text60}1aafd255`,
    sealed: `${cipher60}898015adb094dac5d93471bdec1a502270e3cc6c`,
  },
  {
    name: 'case 16',
    key,
    nonce,
    data: 'feedfacedeadbeeffeedfacedeadbeefabaddad2',
    plaintext: text60,
    sealed: `${cipher60}76fc6ece0f4e1768cddf8853bb2d551b`,
  },
];

for (const vector of vectors) {
  test(`AES-256-GCM seals and opens GCM test ${vector.name}`, () => {
    const [k, n, data] = [hex(vector.key), hex(vector.nonce), hex(vector.data)];
    const sealed = aeadSeal(k, n, data, hex(vector.plaintext));
    assert.equal(toHex(sealed), vector.sealed);
    assert.equal(toHex(aeadOpen(k, n, data, sealed)), vector.plaintext);
  });
}

const k32 = hex(key);
const n12 = hex(nonce);
const data = utf8('header');
const sealed = aeadSeal(k32, n12, data, utf8('a private write set'));

test('every flipped bit of the sealed bytes is refused', () => {
  for (let bit = 0; bit < sealed.length * 8; bit += 1) {
    const bytes = Uint8Array.from(sealed);
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
    assert.throws(() => aeadOpen(k32, n12, data, bytes), refused);
  }
});

test('every truncation, and an extension, is refused', () => {
  for (let length = 0; length < sealed.length; length += 1) {
    assert.throws(() => aeadOpen(k32, n12, data, sealed.subarray(0, length)), refused);
  }
  assert.throws(() => aeadOpen(k32, n12, data, Buffer.concat([sealed, Buffer.of(0)])), refused);
});

test('another key, nonce or additional data is refused', () => {
  const flip = (bytes: Uint8Array, at: number): Uint8Array =>
    bytes.map((byte, i) => (i === at ? byte ^ 0x80 : byte));
  for (let i = 0; i < 32; i += 1) {
    assert.throws(() => aeadOpen(flip(k32, i), n12, data, sealed), refused);
  }
  for (let i = 0; i < 12; i += 1) {
    assert.throws(() => aeadOpen(k32, flip(n12, i), data, sealed), refused);
  }
  for (let i = 0; i < data.length; i += 1) {
    assert.throws(() => aeadOpen(k32, n12, flip(data, i), sealed), refused);
  }
  assert.throws(() => aeadOpen(k32, n12, emptyBytes, sealed), refused);
});

test('bytes cannot move between additional data and ciphertext', () => {
  const moved = Buffer.concat([data, sealed]);
  assert.throws(() => aeadOpen(k32, n12, emptyBytes, moved), refused);
});

test('keys and nonces of a wrong length are a bug, not foreign input', () => {
  assert.throws(() => aeadSeal(k32.subarray(1), n12, data, emptyBytes), { name: 'AssertionError' });
  assert.throws(() => aeadSeal(k32, n12.subarray(1), data, emptyBytes), { name: 'AssertionError' });
  assert.throws(() => aeadOpen(k32, hex(`${nonce}00`), data, sealed), { name: 'AssertionError' });
});

test('distinct nonces under one key give unrelated key streams', () => {
  const seen = new Set<string>();
  for (let i = 0; i < 2000; i += 1) {
    const one = Buffer.alloc(12);
    one.writeUInt32BE(i, 8);
    seen.add(toHex(aeadSeal(k32, one, emptyBytes, Buffer.alloc(16)).subarray(0, 16)));
  }
  assert.equal(seen.size, 2000);
});

test('plaintexts of every length around the block size come back', () => {
  for (let length = 0; length <= 64; length += 1) {
    const plaintext = Buffer.alloc(length, length);
    const bytes = aeadSeal(k32, n12, data, plaintext);
    assert.equal(bytes.length, length + 16);
    assert.deepEqual(Buffer.from(aeadOpen(k32, n12, data, bytes)), plaintext);
  }
});
