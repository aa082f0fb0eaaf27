import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyMap } from '../key-map.ts';

test('a map that needs further ones behaves as one map does', () => {
  for (const limit of [1, 3, 16, 1000]) {
    const map = new KeyMap<{ n: number }>(limit);
    const model = new Map<string, { n: number }>();
    let state = limit;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      return (state >> 8) % below;
    };
    for (let n = 0; n < 4000; n++) {
      // It fills, empties and fills again.
      const key = `k${random(60)}`;
      if (random(8) < (n % 1000 < 500 ? 6 : 2)) {
        map.set(key, { n });
        model.set(key, { n });
      } else {
        map.delete(key);
        model.delete(key);
      }
      assert.equal(map.size, model.size);
      const other = `k${random(60)}`;
      assert.deepEqual(map.get(other), model.get(other));
      assert.equal(map.has(other), model.has(other));
    }
    const sorted = (pairs: Iterable<[string, unknown]>) =>
      [...pairs].sort(([a], [b]) => (a < b ? -1 : 1));
    assert.deepEqual(sorted(map.entries()), sorted(model.entries()));
    map.clear();
    assert.equal(map.size, 0);
    assert.deepEqual([...map.entries()], []);
  }
});

test('a walk goes on into maps that are added while it goes', () => {
  const map = new KeyMap<object>(2);
  for (const key of ['a', 'b']) map.set(key, {});
  const walk = map.entries();
  assert.equal(walk.next().value[0], 'a');
  for (const key of ['c', 'd', 'e']) map.set(key, {});
  map.delete('b');
  assert.deepEqual(
    Array.from(walk, ([key]) => key),
    ['c', 'd', 'e'],
  );
});
