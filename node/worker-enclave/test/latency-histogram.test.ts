import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LatencyHistogram } from '../latency-histogram.ts';

describe('latency histogram', () => {
  it('knows percentiles to about 6 %', () => {
    const histogram = new LatencyHistogram();
    for (let ms = 1; ms <= 1_000; ms++) histogram.record(ms, 0);
    const { count, p50, p90, p99, max } = histogram.summary(0);
    assert.equal(count, 1_000);
    for (const [seen, truth] of [
      [p50, 500],
      [p90, 900],
      [p99, 990],
      [max, 1_000],
    ] as const) {
      assert.ok(seen <= truth && seen > truth * 0.93, `${seen} for ${truth}`);
    }
  });

  it('forgets what is older than two windows', () => {
    const histogram = new LatencyHistogram(1_000);
    histogram.record(5, 0);
    assert.equal(histogram.summary(1_500).count, 1);
    assert.equal(histogram.summary(3_600).count, 0);
    histogram.record(5, 4_000);
    assert.equal(histogram.summary(9_999).count, 0);
  });

  it('keeps counting since the start in its buckets', () => {
    const histogram = new LatencyHistogram(1_000);
    for (const ms of [4, 4, 8]) histogram.record(ms, 0);
    histogram.record(8, 60_000);
    assert.deepEqual(histogram.buckets(), [
      [3.968, 2],
      [7.936, 2],
    ]);
  });

  it('takes zero, negative and enormous latencies', () => {
    const histogram = new LatencyHistogram();
    for (const ms of [0, -1, 1e12]) histogram.record(ms, 0);
    const { count, p50, max } = histogram.summary(0);
    assert.equal(count, 3);
    assert.equal(p50, 0);
    assert.ok(max > 1_900_000);
  });

  it('summarises nothing as zeros', () => {
    assert.deepEqual(new LatencyHistogram().summary(0), {
      count: 0,
      p50: 0,
      p90: 0,
      p99: 0,
      max: 0,
    });
  });
});
