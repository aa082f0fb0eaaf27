import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AssertionError,
  CodedError,
  equalBytes,
  formatTransactionId,
  fromBase64,
  fromHex,
  fromLatin1,
  isHex64,
  parseTransactionId,
  toHeight,
  toLatin1,
  toNodeId,
} from '../index.ts';

test('a transaction id is view.seqno, and nothing else is', () => {
  assert.deepEqual(parseTransactionId('2.17'), { view: 2, seqno: 17 });
  assert.equal(formatTransactionId(2, 17), '2.17');
  for (const text of [
    '',
    '2',
    '2.',
    '.1',
    '0.1',
    '1.0',
    '01.1',
    '1.1.1',
    '1e3.1',
    ' 1.1',
    '9007199254740993.1',
  ]) {
    assert.equal(parseTransactionId(text), undefined, text);
  }
});

test('brands assert the range and shape of what they brand', () => {
  assert.throws(() => toHeight(-1), AssertionError);
  assert.throws(() => toHeight(1.5), AssertionError);
  assert.throws(() => toNodeId('AB'.repeat(32)), AssertionError);
  assert.equal(isHex64('ab'.repeat(32)), true);
});

test('hex and base64 are read strictly', () => {
  assert.equal(fromHex('abc'), undefined);
  assert.equal(fromHex('zz'), undefined);
  assert.deepEqual([...(fromHex('00fF') ?? [])], [0, 255]);
  assert.equal(fromBase64('AA'), undefined);
  assert.equal(fromBase64('AB=='), undefined);
  assert.deepEqual([...(fromBase64('AA==') ?? [])], [0]);
});

test('binary strings keep every byte', () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
  assert.ok(equalBytes(fromLatin1(toLatin1(bytes)), bytes));
});

test('a coded error carries its code, its class and its details', () => {
  class RoomError extends CodedError<'BAD'> {}
  const error = new RoomError('BAD', 'why', { height: 3 });
  assert.equal(error.name, 'RoomError');
  assert.equal(error.code, 'BAD');
  assert.deepEqual(error.details, { height: 3 });
});
