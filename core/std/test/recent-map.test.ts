import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecentMap } from '../index.ts';

test('a recent map knows the newest keys and forgets old ones', () => {
  const map = new RecentMap<number, string>(8);
  for (let key = 0; key < 100; key++) {
    map.set(key, `${key}`);
    for (let back = 0; back < 4 && back <= key; back++) {
      assert.equal(map.get(key - back), `${key - back}`);
    }
  }
  const known = Array.from({ length: 100 }, (_, key) => map.get(key)).filter(Boolean);
  assert.ok(known.length >= 4 && known.length <= 8, `${known.length} known`);
  assert.equal(map.get(0), undefined);
});

test('a key that is asked for again and again is never forgotten', () => {
  const map = new RecentMap<string, number>(16);
  map.set('kept', 1);
  for (let key = 0; key < 1_000; key++) {
    map.set(`${key}`, key);
    assert.equal(map.get('kept'), 1);
  }
});

test('a key written anew has its new value, wherever the earlier one was', () => {
  const map = new RecentMap<string, number>(4);
  map.set('a', 1);
  map.set('b', 2);
  map.set('c', 3);
  map.set('a', 4);
  assert.equal(map.get('a'), 4);
  assert.equal(map.get('c'), 3);
  map.set('a', 5);
  assert.equal(map.get('a'), 5);
});

test('the least map holds one key at a time, and the one before', () => {
  const map = new RecentMap<number, number>(2);
  map.set(1, 1);
  map.set(2, 2);
  map.set(3, 3);
  assert.deepEqual([map.get(1), map.get(3), map.get(2)], [undefined, 3, 2]);
});
