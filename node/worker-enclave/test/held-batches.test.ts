import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HeldBatches } from '../held-batches.ts';
import { defaultBatchPolicy, defaultLimits } from '../limits.ts';

function holding(policy = defaultBatchPolicy) {
  const sent: number[] = [];
  const held = new HeldBatches({
    sendBatch: (batch) => sent.push(batch),
    limits: defaultLimits,
    policy: () => policy,
  });
  const add = (batch: number, waiting: number, bytes = 5_000) =>
    held.add({ batch, writes: [], bytes }, waiting);
  return { held, sent, add };
}

describe('executed batches', () => {
  it('leave at once when no full batch waits behind them', () => {
    const { sent, add } = holding();
    add(1, 0);
    add(2, 99);
    assert.deepEqual(sent, [1, 2]);
  });

  it('are held while more full ones wait than are held, and leave together in their order', () => {
    const { sent, add } = holding();
    add(1, 400);
    add(2, 300);
    assert.deepEqual(sent, []);
    add(3, 200);
    assert.deepEqual(sent, [1, 2, 3]);
  });

  it('are held up to half of what may be in flight', () => {
    const { sent, add } = holding();
    const most = defaultLimits.maxBatchesInFlight / 2;
    for (let batch = 1; batch < most; batch++) add(batch, 100_000);
    assert.deepEqual(sent, []);
    add(most, 100_000);
    assert.equal(sent.length, most);
  });

  it('leave when they are large enough to travel alone', () => {
    const { sent, add } = holding();
    add(1, 100_000, 300_000);
    assert.deepEqual(sent, [1]);
  });

  it('leave after four times the delay of a batch, whatever the next one takes', async () => {
    const { sent, add } = holding({ ...defaultBatchPolicy, maxBatchDelayMs: 5 });
    add(1, 100_000);
    assert.deepEqual(sent, []);
    await sleep(200);
    assert.deepEqual(sent, [1]);
  });

  it('are never held where transactions may not be delayed', () => {
    const { sent, add } = holding({ ...defaultBatchPolicy, maxBatchDelayMs: 0 });
    add(1, 100_000);
    assert.deepEqual(sent, [1]);
  });

  it('are each sent once, and none after the end', () => {
    const { held, sent, add } = holding();
    add(1, 100_000);
    held.flush();
    held.flush();
    add(2, 100_000);
    held.stop();
    held.flush();
    assert.deepEqual(sent, [1]);
  });
});
