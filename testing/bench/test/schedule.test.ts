import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  foreseenSchedule,
  optimisticSchedule,
  type ScheduledTransaction,
} from '../parallel/schedule.ts';

const transaction = (
  cost: number,
  reads: readonly string[],
  writes: readonly string[],
): ScheduledTransaction => ({ cost, reads: new Set(reads), writes: new Set(writes) });

test('independent transactions share the executors evenly', () => {
  const batch = Array.from({ length: 8 }, (_, at) => transaction(10, [`${at}`], [`${at}`]));
  assert.deepEqual(optimisticSchedule(batch, 4, 0), { makespan: 20, repeated: 0 });
  assert.deepEqual(optimisticSchedule(batch, 4, 5), { makespan: 30, repeated: 0 });
  assert.equal(foreseenSchedule(batch, 4), 20);
});

test('a chain of transactions takes as long as on one executor', () => {
  const batch = Array.from({ length: 5 }, () => transaction(10, ['a'], ['a']));
  assert.equal(foreseenSchedule(batch, 4), 50);
  assert.deepEqual(optimisticSchedule(batch, 1, 0), { makespan: 50, repeated: 0 });
  assert.ok(optimisticSchedule(batch, 4, 0).makespan >= 50);
});

test('what began before an earlier transaction wrote what it reads is executed again', () => {
  const batch = [transaction(10, [], ['a']), transaction(4, ['a'], ['b'])];
  assert.deepEqual(optimisticSchedule(batch, 2, 0), { makespan: 14, repeated: 1 });
  assert.equal(foreseenSchedule(batch, 2), 14);
});

test('a transaction that runs while what it has read is overwritten is repeated when it ends', () => {
  const batch = [transaction(5, [], ['a']), transaction(10, ['a'], [])];
  assert.deepEqual(optimisticSchedule(batch, 2, 0), { makespan: 20, repeated: 1 });
});
