import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameOfReturned } from '../constants.ts';
import { failureOf } from '../failure.ts';
import { layoutOf, readTokenInfo, readUlong, tokenInfoBytes, writeFields } from '../structures.ts';

const unix = layoutOf('linux');
const windows = layoutOf('win32');
const addressOf = (): bigint => 0x1122334455667788n;

test('an attribute has 24 bytes elsewhere and 16 on Windows, where it is packed', () => {
  const fields = [0x102, { pointer: Buffer.of(1) }, 1];
  assert.equal(
    Buffer.from(writeFields(unix, fields, addressOf)).toString('hex'),
    '020100000000000088776655443322110100000000000000',
  );
  assert.equal(
    Buffer.from(writeFields(windows, fields, addressOf)).toString('hex'),
    '02010000887766554433221101000000',
  );
});

test('no address stands for no bytes', () => {
  for (const pointer of [null, new Uint8Array(0)]) {
    assert.deepEqual(writeFields(unix, [{ pointer }], addressOf), Buffer.alloc(8));
  }
});

test('all ones is a length that is not available', () => {
  assert.equal(readUlong(unix, Buffer.alloc(8, 0xff)), undefined);
  assert.equal(readUlong(windows, Buffer.alloc(4, 0xff)), undefined);
  assert.equal(readUlong(unix, Buffer.of(0, 65, 0, 0, 0, 0, 0, 0, 0), 1), 65);
  assert.equal(readUlong(windows, Buffer.of(0xff, 0xff, 0xff, 0x7f)), 0x7fffffff);
});

test('what a token says of itself is read from where either layout has it', () => {
  for (const layout of [unix, windows]) {
    // CK_TOKEN_INFO: 160 bytes on Windows, 208 elsewhere, and what a token writes past it does no harm.
    const standard = layout === unix ? 208 : 160;
    const bytes = Buffer.alloc(tokenInfoBytes(layout), ' ');
    assert.ok(bytes.length >= standard);
    bytes.write('Aurora', 0);
    bytes.write('0042', 80);
    bytes.fill(0, 96);
    bytes[97] = 0x04;
    const { label, serial, manufacturer, flags } = readTokenInfo(layout, bytes);
    assert.deepEqual([label, serial, manufacturer, flags], ['Aurora', '0042', '', 0x400]);
  }
});

test('what a token answers has a code that says what to do, and one it has not is told by name', () => {
  assert.equal(failureOf(0xa0, 'C_Login').code, 'PIN_WRONG');
  const locked = failureOf(0xa4, 'C_Login');
  assert.equal(locked.code, 'PIN_LOCKED');
  assert.match(locked.message, /security officer/);
  assert.equal(failureOf(0x102, 'C_Login').code, 'TOKEN_NOT_READY');
  assert.equal(failureOf(0x70, 'C_SignInit').code, 'UNSUPPORTED_BY_TOKEN');
  assert.equal(failureOf(0x32, 'C_Sign').code, 'TOKEN_CLOSED');
  const other = failureOf(0x30, 'C_Sign');
  assert.equal(other.code, 'TOKEN_FAILED');
  assert.match(other.message, /CKR_DEVICE_ERROR/);
  assert.equal(nameOfReturned(0x80000001), 'CKR 0x80000001');
});
