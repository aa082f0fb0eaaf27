import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  bucketsBetween,
  median,
  percentile,
  percentileOfBuckets,
  perSecond,
  ratio,
  spreadOf,
} from '../arithmetic.ts';

describe('arithmetic of benchmarks', () => {
  it('takes the middle of an odd count and the mean of the two middles of an even one', () => {
    assert.equal(median([9, 1, 5]), 5);
    assert.equal(median([4, 1, 3, 2]), 2.5);
    assert.ok(Number.isNaN(median([])));
  });

  it('leaves the values it sorts as they were', () => {
    const values = [3, 1, 2];
    median(values);
    percentile(values, 0.5);
    assert.deepEqual(values, [3, 1, 2]);
  });

  it('answers a percentile with a value that occurred, and never one below the share', () => {
    const values = Array.from({ length: 100 }, (_, at) => 100 - at);
    assert.equal(percentile(values, 0.5), 50);
    assert.equal(percentile(values, 0.99), 99);
    assert.equal(percentile(values, 1), 100);
    assert.equal(percentile([7], 0.01), 7);
    assert.ok(Number.isNaN(percentile([], 0.5)));
  });

  it('turns events and milliseconds into a rate', () => {
    assert.equal(perSecond(2_077, 500), 4_154);
  });

  it('gives no ratio where there is no peer', () => {
    assert.equal(ratio(300, 200), 1.5);
    assert.equal(ratio(300, undefined), undefined);
    assert.equal(ratio(300, 0), undefined);
  });

  it('tells the spread of rounds', () => {
    assert.deepEqual(spreadOf([3, 1, 2]), { median: 2, lowest: 1, highest: 3 });
  });

  it('finds what was counted between two readings of growing buckets', () => {
    const before = [
      [1, 4],
      [2, 1],
    ] as const;
    const after = [
      [1, 4],
      [2, 3],
      [8, 1],
    ] as const;
    const between = bucketsBetween(before, after);
    assert.deepEqual(between, [
      [2, 2],
      [8, 1],
    ]);
    assert.equal(percentileOfBuckets(between, 0.5), 2);
    assert.equal(percentileOfBuckets(between, 0.99), 8);
    assert.ok(Number.isNaN(percentileOfBuckets([], 0.5)));
  });
});
