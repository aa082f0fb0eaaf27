import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import {
  greatestWord,
  readLimbs,
  toBigInt,
  toMinimalBytes,
  toWord,
  writeLimbs,
} from '../quantities.ts';
import {
  type AccountRecord,
  decodeAccount,
  emptyCodeKey,
  encodeAccount,
  slotKey,
} from '../records.ts';

const codeKey = createHash('sha256').update('code').digest().toString('latin1');

const records: readonly AccountRecord[] = [
  {
    exists: true,
    nonce: 0n,
    balance: 0n,
    codeKey: emptyCodeKey,
    incarnation: 0,
    hasStorage: false,
  },
  {
    exists: true,
    nonce: 2n ** 64n - 2n,
    balance: greatestWord,
    codeKey,
    incarnation: 0xffff_ffff,
    hasStorage: true,
  },
  {
    exists: false,
    nonce: 0n,
    balance: 0n,
    codeKey: emptyCodeKey,
    incarnation: 3,
    hasStorage: false,
  },
  { exists: true, nonce: 255n, balance: 256n, codeKey, incarnation: 0, hasStorage: true },
];

test('an account record is read back as it was written, and only whole', () => {
  for (const record of records) {
    const bytes = encodeAccount(record);
    assert.deepEqual(decodeAccount(bytes), record);
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => decodeAccount(bytes.subarray(0, length)), { code: 'MALFORMED' });
    }
    const longer = Buffer.concat([bytes, Buffer.alloc(1)]);
    assert.throws(() => decodeAccount(longer), { code: 'MALFORMED' });
  }
});

test('lengths and flags out of range are refused', () => {
  const flags = Buffer.from([16, 0, 0]);
  const nonce = Buffer.concat([Buffer.from([0, 9]), Buffer.alloc(9), Buffer.from([0])]);
  const balance = Buffer.concat([Buffer.from([0, 0, 33]), Buffer.alloc(33)]);
  for (const bytes of [flags, nonce, balance, Buffer.alloc(128, 0xff)]) {
    assert.throws(() => decodeAccount(bytes), { code: 'MALFORMED' });
  }
});

test('numbers are the same as bytes, as words and as limbs', () => {
  const view = new DataView(new ArrayBuffer(64));
  const bits = Array.from({ length: 256 }, (_, bit) => 1n << BigInt(bit));
  for (const value of [0n, greatestWord, ...bits, ...bits.map((bit) => bit - 1n)]) {
    assert.equal(toBigInt(toMinimalBytes(value)), value);
    assert.equal(toBigInt(toWord(value)), value);
    assert.equal(toWord(value).length, 32);
    writeLimbs(view, 8, value);
    assert.equal(readLimbs(view, 8), value);
  }
});

test('a slot key names account, incarnation and slot', () => {
  const account = 'a'.repeat(20);
  const slot = 's'.repeat(32);
  assert.equal(slotKey(account, 0, slot), account + slot);
  assert.equal(slotKey(account, 258, slot), `${account}\0\0\x01\x02${slot}`);
});
