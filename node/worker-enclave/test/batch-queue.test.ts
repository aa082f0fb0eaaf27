import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BatchQueue } from '../batch-queue.ts';
import { BatchQueues } from '../batch-queues.ts';
import { type Lane, Submission } from '../submission.ts';

const lane = {} as Lane;

const submission = (bytes = 10, receivedMs = 0): Submission =>
  new Submission({
    lane,
    raw: new Uint8Array(bytes),
    actor: { actorId: '' as never, name: '', kinds: [], roles: [] },
    wait: 'commit',
    done: () => {},
    receivedMs,
    foreign: false,
  });

function filled(count: number): { queue: BatchQueue; all: Submission[] } {
  const queue = new BatchQueue(lane);
  const all = Array.from({ length: count }, () => submission());
  for (const one of all) queue.push(one);
  return { queue, all };
}

describe('batch queue', () => {
  it('gives batches in order, bounded by count', () => {
    const { queue, all } = filled(5_000);
    const taken: Submission[] = [];
    while (queue.length > 0) taken.push(...queue.take(100, 1e9));
    assert.deepEqual(taken, all);
    assert.equal(queue.bytes, 0);
  });

  it('counts what admitting a transaction brought, and refuses what would be too much', () => {
    const queues = new BatchQueues([lane]);
    const queue = queues.of(lane);
    const one = submission(10);
    one.admitted = { ok: true, transaction: 1, bytes: 90 };
    assert.equal(queues.roomFor(one.admitted, 80).ok, false);
    queue.push(one);
    assert.equal(queues.bytes, 100);
    assert.equal(queues.roomFor({ ok: true, transaction: 2, bytes: 1 }, 100).ok, false);
    assert.equal(queues.roomFor({ ok: true, transaction: 2, bytes: 1 }, 101).ok, true);
    assert.equal(queues.roomFor({ ok: true, transaction: 2 }, 0).ok, true, 'judged when it came');
    queue.push(submission(10));
    const [first] = [queue.take(100, 100), queue.take(100, 100)];
    assert.deepEqual(first, [one], 'a batch is bounded by it');
    assert.equal(queue.bytes, 0);
    queue.putBack([one]);
    assert.equal(queue.bytes, 100);
  });

  it('bounds a batch by bytes but always gives one', () => {
    const queue = new BatchQueue(lane);
    for (const bytes of [50, 30, 30, 500, 10]) queue.push(submission(bytes));
    const sizes = [];
    while (queue.length > 0) sizes.push(queue.take(100, 100).map(({ raw }) => raw.length));
    assert.deepEqual(sizes, [[50, 30], [30], [500], [10]]);
  });

  it('gives a suspect a batch of its own', () => {
    const { queue, all } = filled(4);
    (all[1] as Submission).alone = true;
    const sizes = [];
    while (queue.length > 0) sizes.push(queue.take(100, 1e9).length);
    assert.deepEqual(sizes, [1, 1, 2]);
  });

  it('puts back in the order in which they were added, whichever was received first', () => {
    const all = Array.from({ length: 6 }, () => submission()).reverse();
    const queue = new BatchQueue(lane);
    for (const one of all) queue.push(one);
    const [first, second] = [queue.take(2, 1e9), queue.take(2, 1e9)];
    queue.putBack(first);
    queue.putBack(second);
    assert.equal(queue.bytes, 60);
    assert.deepEqual(queue.take(100, 1e9), all);
  });

  it('gives up what is overdue', () => {
    const queue = new BatchQueue(lane);
    for (const receivedMs of [1, 2, 3]) queue.push(submission(10, receivedMs));
    assert.equal(queue.takeOverdue(3).length, 2);
    assert.equal(queue.length, 1);
    assert.equal(queue.bytes, 10);
    assert.equal(queue.takeAll().length, 1);
    assert.equal(queue.oldest, undefined);
  });
});
