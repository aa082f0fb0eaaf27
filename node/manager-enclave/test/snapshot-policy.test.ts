import assert from 'node:assert/strict';
import { test } from 'node:test';
import { snapshotGapUnder } from '../snapshot-policy.ts';

test('where no snapshots are taken nobody is given an old one while there are blocks', () => {
  assert.equal(snapshotGapUnder({ snapshotBlocks: 10 }), 10);
  assert.equal(snapshotGapUnder({ snapshotBlocks: 0 }), Number.POSITIVE_INFINITY);
});
