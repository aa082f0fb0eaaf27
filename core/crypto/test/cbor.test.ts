import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CborTag, type CborValue, CryptoError, decodeCbor, encodeCbor } from '@concordat/crypto';
import { toHex } from '@concordat/std';

const hex = (text: string): Uint8Array => Buffer.from(text, 'hex');
const malformed = (error: unknown): boolean =>
  error instanceof CryptoError && error.code === 'MALFORMED_CBOR';

// RFC 8949, appendix A: every example of the types carried here.
const examples: [CborValue, string][] = [
  [0, '00'],
  [1, '01'],
  [10, '0a'],
  [23, '17'],
  [24, '1818'],
  [25, '1819'],
  [100, '1864'],
  [1000, '1903e8'],
  [1_000_000, '1a000f4240'],
  [1_000_000_000_000, '1b000000e8d4a51000'],
  [18446744073709551615n, '1bffffffffffffffff'],
  [-18446744073709551616n, '3bffffffffffffffff'],
  [-1, '20'],
  [-10, '29'],
  [-100, '3863'],
  [-1000, '3903e7'],
  [false, 'f4'],
  [true, 'f5'],
  [null, 'f6'],
  [new CborTag(0, '2013-03-21T20:04:00Z'), 'c074323031332d30332d32315432303a30343a30305a'],
  [new CborTag(1, 1363896240), 'c11a514b67b0'],
  [new CborTag(23, hex('01020304')), 'd74401020304'],
  [new CborTag(24, hex('6449455446')), 'd818456449455446'],
  [hex(''), '40'],
  [hex('01020304'), '4401020304'],
  ['', '60'],
  ['a', '6161'],
  ['IETF', '6449455446'],
  ['"\\', '62225c'],
  ['\u00fc', '62c3bc'],
  ['\u6c34', '63e6b0b4'],
  ['\ud800\udd51', '64f0908591'],
  [[], '80'],
  [[1, 2, 3], '83010203'],
  [[1, [2, 3], [4, 5]], '8301820203820405'],
  [
    Array.from({ length: 25 }, (_, i) => i + 1),
    '98190102030405060708090a0b0c0d0e0f101112131415161718181819',
  ],
  [new Map(), 'a0'],
  [
    new Map([
      [1, 2],
      [3, 4],
    ]),
    'a201020304',
  ],
  [
    new Map<string, CborValue>([
      ['a', 1],
      ['b', [2, 3]],
    ]),
    'a26161016162820203',
  ],
  [['a', new Map([['b', 'c']])], '826161a161626163'],
  [
    new Map([...'abcde'].map((key) => [key, key.toUpperCase()])),
    'a56161614161626142616361436164614461656145',
  ],
];

test('the examples of RFC 8949 appendix A encode and decode', () => {
  for (const [value, encoded] of examples) {
    assert.equal(toHex(encodeCbor(value)), encoded);
    const decoded = decodeCbor(hex(encoded));
    assert.equal(toHex(encodeCbor(decoded)), encoded);
    assert.equal(typeof decoded, typeof value);
    if (typeof value !== 'object') assert.equal(decoded, value);
  }
});

test('map keys are written in bytewise order of their encodings (RFC 8949, section 4.2.1)', () => {
  const map = new Map<number | string, CborValue>([
    ['aa', 1],
    ['z', 2],
    [-1, 3],
    [100, 4],
    [10, 5],
  ]);
  assert.equal(toHex(encodeCbor(map)), 'a50a05186404200361' + '7a02626161' + '01');
});

test('integers at every width of a head are exact in both signs', () => {
  const edges = [23n, 24n, 255n, 256n, 65535n, 65536n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n];
  edges.push(2n ** 53n, 2n ** 64n - 1n);
  for (const edge of edges) {
    for (const value of [edge, -1n - edge, -edge]) {
      const decoded = decodeCbor(encodeCbor(value));
      assert.equal(BigInt(decoded as number | bigint), value);
      const safe = value >= -(2n ** 53n - 1n) && value <= 2n ** 53n - 1n;
      assert.equal(typeof decoded, safe ? 'number' : 'bigint', `${value}`);
      assert.deepEqual(encodeCbor(decoded), encodeCbor(value));
    }
  }
});

test('what is not in its shortest or definite form is refused', () => {
  const encodings = [
    '1817', // 23 in two bytes
    '1900ff',
    '1a0000ffff',
    '1b00000000ffffffff',
    '3817',
    '5817'.concat('00'.repeat(23)),
    '780161',
    '98020102',
    'b8010102',
    'd80100',
    '5f4101ff', // indefinite lengths
    '7f6161ff',
    '9f01ff',
    'bf0102ff',
    'ff',
  ];
  for (const encoded of encodings)
    assert.throws(() => decodeCbor(hex(encoded)), malformed, encoded);
});

test('floats, undefined, simple values and reserved heads are refused', () => {
  const encodings = ['f90000', 'fa47c35000', 'fb3ff199999999999a', 'f97e00', 'f7', 'f0', 'f8ff'];
  encodings.push('f820', 'fc', '1c', '3d', '5e', 'e0', 'f3');
  for (const encoded of encodings)
    assert.throws(() => decodeCbor(hex(encoded)), malformed, encoded);
});

test('map keys twice, out of order, or of another type are refused', () => {
  for (const encoded of [
    'a201020103',
    'a203040102',
    'a2616201616102',
    'a1400a',
    'a18001',
    'a1f401',
  ]) {
    assert.throws(() => decodeCbor(hex(encoded)), malformed, encoded);
  }
  assert.throws(() => decodeCbor(hex('a201020103'), { keyOrder: 'any' }), malformed);
  assert.deepEqual(
    decodeCbor(hex('a203040102'), { keyOrder: 'any' }),
    new Map([
      [3, 4],
      [1, 2],
    ]),
  );
});

test('text must be UTF-8, of every malformed kind', () => {
  const bytes = ['61ff', '62c3', '62c328', '63eda080', '62c080', '64f4908080', '63f09f98', '61e2'];
  for (const encoded of bytes) assert.throws(() => decodeCbor(hex(encoded)), malformed, encoded);
  assert.throws(() => encodeCbor('\ud800'), { name: 'AssertionError' });
});

test('truncated and extended input is refused', () => {
  for (const [, encoded] of examples) {
    const bytes = hex(encoded);
    for (let length = 0; length < bytes.length; length += 1) {
      assert.throws(() => decodeCbor(bytes.subarray(0, length)), malformed);
    }
    assert.throws(() => decodeCbor(hex(`${encoded}00`)), malformed);
  }
});

test('forged counts fail before they allocate', () => {
  for (const head of ['9a', 'ba', '5a', '7a']) {
    assert.throws(() => decodeCbor(hex(`${head}ffffffff00`)), malformed);
  }
  for (const head of ['9b', 'bb', '5b', '7b']) {
    assert.throws(() => decodeCbor(hex(`${head}ffffffffffffffff00`)), malformed);
    assert.throws(() => decodeCbor(hex(`${head}001fffffffffffff00`)), malformed);
  }
});

test('depth and size are limited', () => {
  const nested = (depth: number): Uint8Array => hex('81'.repeat(depth).concat('00'));
  assert.ok(decodeCbor(nested(16)));
  assert.throws(() => decodeCbor(nested(17)), malformed);
  assert.throws(() => decodeCbor(nested(100_000)), malformed);
  assert.throws(() => decodeCbor(hex('c1'.repeat(17).concat('00'))), malformed);
  assert.ok(decodeCbor(nested(3), { maxDepth: 3 }));
  assert.throws(() => decodeCbor(nested(3), { maxDepth: 2 }), malformed);
  assert.throws(() => decodeCbor(encodeCbor(Buffer.alloc(100)), { maxBytes: 101 }), malformed);
  assert.ok(decodeCbor(encodeCbor(Buffer.alloc(100)), { maxBytes: 102 }));
});

test('values that cannot be carried are a bug of the caller', () => {
  for (const value of [1.5, Number.NaN, 2 ** 53, 1n << 64n, -(1n << 64n) - 1n]) {
    assert.throws(() => encodeCbor(value), { name: 'AssertionError' });
  }
  const twice = new Map<number | bigint, CborValue>([
    [1, 0],
    [1n, 0],
  ]);
  assert.throws(() => encodeCbor(twice), { name: 'AssertionError' });
});

test('random bytes are refused, or are the one encoding of what they decode to', () => {
  let state = 12345;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  let decoded = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const bytes = Uint8Array.from({ length: 1 + random(12) }, () => random(256));
    try {
      const value = decodeCbor(bytes);
      decoded += 1;
      assert.equal(toHex(encodeCbor(value)), toHex(bytes));
    } catch (error) {
      assert.ok(malformed(error), `${toHex(bytes)}: ${error}`);
    }
  }
  assert.ok(decoded > 100);
});
