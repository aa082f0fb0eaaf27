import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Store } from '@concordat/kv';
import { utf8 } from '@concordat/std';
import { RefusalCounts } from '../refusal-counts.ts';
import {
  newestRecordedSnapshot,
  recordedSnapshot,
  recordSnapshot,
  snapshotTables,
} from '../snapshot-record.ts';

const record = (n: number) => ({ digest: `${n % 10}`.repeat(64), chunks: n, bytes: n * 1000 });

function recorded(heights: readonly number[]): Store {
  const store = new Store(snapshotTables);
  for (const [at, height] of heights.entries()) {
    const set = store.begin(at + 1);
    recordSnapshot(set, height, record(at + 1));
    set.takeWriteSet();
    set.finish();
  }
  return store;
}

test('what was recorded of a snapshot reads back at its height, and nowhere else', () => {
  const head = recorded([20, 40, 100_000]).head();
  assert.deepEqual(recordedSnapshot(head, 40), record(2));
  assert.equal(recordedSnapshot(head, 41), undefined);
  assert.equal(newestRecordedSnapshot(head), 100_000);
  assert.equal(newestRecordedSnapshot(recorded([]).head()), undefined);
});

test('the newest 64 records are kept', () => {
  const heights = Array.from({ length: 70 }, (_, at) => (at + 1) * 10);
  const head = recorded(heights).head();
  assert.equal(recordedSnapshot(head, 60), undefined);
  assert.deepEqual(recordedSnapshot(head, 70), record(7));
  assert.equal([...head.table('concordat.snapshots').entries()].length, 64);
});

test('a record that is not what a node writes names no snapshot', () => {
  for (const text of ['', '{', 'null', '[]', '{"digest":"aa","chunks":1,"bytes":1}', '7']) {
    const store = new Store(snapshotTables);
    const set = store.begin(1);
    set.table('concordat.snapshots').set('0000000000000010', utf8(text));
    set.finish();
    assert.equal(recordedSnapshot(store.head(), 10), undefined, text);
  }
});

test('refusals are counted by what was refused and why, and new kinds do not pile up', () => {
  const counts = new RefusalCounts();
  counts.add('consensus', 'STALE_VIEW');
  counts.add('snapshot', 'MALFORMED');
  counts.add('consensus', 'STALE_VIEW');
  counts.add('channel', 'X"} 1\nforged{a="b');
  assert.deepEqual(
    [...counts],
    [
      { what: 'channel', code: 'OTHER', count: 1 },
      { what: 'consensus', code: 'STALE_VIEW', count: 2 },
      { what: 'snapshot', code: 'MALFORMED', count: 1 },
    ],
  );
  for (let n = 0; n < 1000; n++) counts.add('block', `CODE_${n}`);
  assert.equal([...counts].length, 256);
  counts.add('consensus', 'STALE_VIEW');
  assert.equal([...counts].find(({ what }) => what === 'consensus')?.count, 3);
});
