import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call } from '../frames.ts';
import { readGroups } from '../read-groups.ts';
import { privateTable } from '../tables.ts';

const readOf = (bytes: number, rest: Partial<Call> = {}) => ({
  call: { endpoint: 0, caller: '', params: '', request: new Uint8Array(bytes), ...rest },
});
const lengths = (reads: Parameters<typeof readGroups>[0]) =>
  [...readGroups(reads)].map(({ length }) => length);

test('reads go together by the hundred, in their order, none twice', () => {
  const reads = Array.from({ length: 250 }, () => readOf(10));
  assert.deepEqual(lengths(reads), [100, 100, 50]);
  assert.deepEqual([...readGroups(reads)].flat(), reads);
  assert.deepEqual(lengths([]), []);
});

test('large reads go in frames that a process takes, each at least one', () => {
  const mebibyte = 1024 * 1024;
  assert.deepEqual(lengths(Array.from({ length: 5 }, () => readOf(8 * mebibyte))), [1, 1, 1, 1, 1]);
  assert.deepEqual(lengths([readOf(3 * mebibyte), readOf(2 * mebibyte), readOf(1)]), [1, 2]);
  // The same state of the past may be asked for by many.
  const writes = [{ table: privateTable, key: 'k', value: new Uint8Array(mebibyte) }];
  const state = { view: 2, seqno: 9, writes, receipt: new Uint8Array(0) };
  assert.deepEqual(lengths(Array.from({ length: 7 }, () => readOf(10, { state }))), [3, 3, 1]);
});
