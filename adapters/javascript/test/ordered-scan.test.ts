import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Store } from '@concordat/kv';
import { rangeOf, type ScanBounds, scanEntries } from '../process/ordered-scan.ts';
import { RequestWrites } from '../process/own-writes.ts';

/** Numbers from a seed (Mulberry32). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const table = 'javascript/records';
const bytes = (value: number) => Uint8Array.of(value);
const maps = ['\u0001a', '\u0001b', '\u0002ab'];

/** Keys that meet each other: few bytes, among them the least and the greatest. */
const keyFrom = (next: (below: number) => number): string =>
  Array.from({ length: next(4) }, () => ['\0', 'a', 'b', '\xff'][next(4)]).join('');

/** What bounds mean, said as plainly as possible. */
function fits(key: string, { prefix = '', from, to, after, reverse }: ScanBounds): boolean {
  if (!key.startsWith(prefix)) return false;
  if ((from !== undefined && key < from) || (to !== undefined && key >= to)) return false;
  return after === undefined || (reverse ? key < after : key > after);
}

test('a scan gives what a model gives: bounds, directions, own writes and deletions', () => {
  for (let seed = 1; seed <= 400; seed++) {
    const next = numbers(seed);
    const store = new Store([{ name: table, kind: 'ordered' }]);
    const model = new Map<string, number>();
    for (let layer = 1; layer <= 3; layer++) {
      const set = store.begin(layer);
      for (let at = 0; at < 12; at++) {
        const key = maps[next(3)] + keyFrom(next);
        if (next(4) === 0) {
          set.table(table).delete(key);
          model.delete(key);
        } else {
          set.table(table).set(key, bytes(at));
          model.set(key, at);
        }
      }
      set.takeWriteSet();
      set.finish();
      if (layer === 1) store.commit(1);
    }
    const own = new RequestWrites();
    for (let at = 0; at < 40; at++) {
      // Scans between writes: the order is made once and kept.
      const [map, key] = [maps[next(3)] as string, keyFrom(next)];
      const value = next(3) === 0 ? undefined : next(256);
      own.put(table, map + key, value === undefined ? undefined : bytes(value));
      if (value === undefined) model.delete(map + key);
      else model.set(map + key, value);
      if (next(3) > 0) continue;
      const maybe = () => (next(3) === 0 ? keyFrom(next) : undefined);
      const bounds: ScanBounds = {
        prefix: maybe(),
        from: maybe(),
        to: maybe(),
        after: maybe(),
        reverse: next(2) === 0,
      };
      const range = rangeOf(map, bounds);
      const found = [...scanEntries(store.head().table(table), range, own.ordered(table))];
      const expected = [...model]
        .filter(([one]) => one.startsWith(map) && fits(one.slice(map.length), bounds))
        .sort(([a], [b]) => (a < b ? -1 : 1));
      if (bounds.reverse) expected.reverse();
      assert.deepEqual(
        found.map(([one, [byte]]) => [one, byte]),
        expected,
        `seed ${seed}: ${JSON.stringify(bounds)}`,
      );
    }
  }
});

test('a scan reads what is taken of it and no more', () => {
  const store = new Store([{ name: table, kind: 'ordered' }]);
  const set = store.begin(1);
  for (let at = 0; at < 10_000; at++) {
    set.table(table).set(`\u0001a${String(at).padStart(5, '0')}`, bytes(1));
  }
  set.takeWriteSet();
  set.finish();
  store.commit(1);
  let reads = 0;
  const view = store.committed().table(table);
  const counted = {
    range: function* (options: object) {
      for (const pair of view.range(options)) {
        reads += 1;
        yield pair;
      }
    },
  } as unknown as typeof view;
  const range = rangeOf('\u0001a', { from: '05000', reverse: false });
  const first = scanEntries(counted, range)[Symbol.iterator]();
  for (let at = 0; at < 5; at++) first.next();
  assert.ok(reads <= 6, `${reads} entries were read for 5`);
});

test('many writes between scans keep their order', () => {
  const own = new RequestWrites();
  const store = new Store([{ name: table, kind: 'ordered' }]);
  const next = numbers(9);
  const keys = new Set<string>();
  for (let round = 0; round < 30; round++) {
    for (let at = 0; at < 40; at++) {
      const key = `\u0001a${next(1_000)}`;
      keys.add(key);
      own.put(table, key, bytes(1));
    }
    const range = rangeOf('\u0001a', { reverse: true });
    const found = [...scanEntries(store.committed().table(table), range, own.ordered(table))];
    assert.deepEqual(
      found.map(([key]) => key),
      [...keys].sort().reverse(),
    );
  }
});
