import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { utf8 } from '@concordat/std';
import { AdapterError } from '@concordat/worker-enclave';
import { createKeyvalueAdapter, encodeRequest, operations, waitLocal } from '../index.ts';
import { isMisfit, parseRequest } from '../request.ts';

const limits = { maxKeyBytes: 8, maxValueBytes: 16 };
const { put, get, delete: remove } = operations;

describe('binary requests', () => {
  it('are u8 operation, u16 key length, key, value', () => {
    const bytes = encodeRequest(put, 'ä', Buffer.of(9));
    assert.equal(bytes.toString('hex'), '010002c3a409');
    const request = parseRequest(bytes, limits);
    assert.ok(!isMisfit(request));
    assert.deepEqual(request, {
      operation: put,
      local: false,
      linearizable: false,
      key: '\xc3\xa4',
      value: Buffer.of(9),
    });
  });

  it('may be empty values, may ask for a local wait', () => {
    const request = parseRequest(encodeRequest(put | waitLocal, 'k'), limits);
    assert.ok(!isMisfit(request) && request.local && request.value.length === 0);
  });

  for (const [what, bytes, code] of [
    ['nothing', Buffer.alloc(0), 'INVALID_TRANSACTION'],
    ['a truncated head', Buffer.of(put, 0), 'INVALID_TRANSACTION'],
    ['a truncated key', Buffer.of(put, 0, 5, 97), 'INVALID_TRANSACTION'],
    ['an unknown operation', encodeRequest(4, 'k'), 'INVALID_TRANSACTION'],
    ['operation zero', encodeRequest(0, 'k'), 'INVALID_TRANSACTION'],
    ['an empty key', encodeRequest(put, ''), 'INVALID_PARAMETER'],
    ['a key that is not UTF-8', Buffer.of(put, 0, 1, 0xff), 'INVALID_PARAMETER'],
    ['a long key', encodeRequest(put, '123456789'), 'PAYLOAD_TOO_LARGE'],
    ['a long value', encodeRequest(put, 'k', new Uint8Array(17)), 'PAYLOAD_TOO_LARGE'],
    ['a get with a value', encodeRequest(get, 'k', Buffer.of(1)), 'INVALID_TRANSACTION'],
    ['a delete with a value', encodeRequest(remove, 'k', Buffer.of(1)), 'INVALID_TRANSACTION'],
  ] as const) {
    it(`refuse ${what}`, () => {
      const request = parseRequest(bytes, limits);
      assert.equal(isMisfit(request) && request.code, code);
    });
  }
});

describe('genesis data', () => {
  for (const data of ['', 'x', '[]', '7', '{"a":1}', '{"":"b"}', `{"${'k'.repeat(2_000)}":"v"}`]) {
    it(`refuses ${data.slice(0, 12)}`, () => {
      const { genesis } = createKeyvalueAdapter();
      const open = () => ({ table: () => ({ set: () => {} }) }) as never;
      assert.throws(
        () => [...(genesis?.(open, utf8(data), {} as never) ?? [])],
        (error) => error instanceof AdapterError && error.code === 'INVALID_GENESIS',
      );
    });
  }
});
