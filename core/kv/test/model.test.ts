import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeWriteSet,
  type ReadTable,
  Store,
  type TableDeclaration,
  type TransactionSet,
  type WriteSet,
} from '../index.ts';

const declarations: readonly TableDeclaration[] = [
  { name: 'app/hash', kind: 'hash' },
  { name: 'app/ordered', kind: 'ordered' },
  { name: 'public:app/hash', kind: 'hash' },
  { name: 'public:app/ordered', kind: 'ordered' },
];

/** A deterministic stream of numbers in [0, 1) (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

type State = Map<string, string>;

/** The naive store: a full copy of the state for every layer and checkpoint. */
class Model {
  committed: State = new Map();
  layers: { number: number; state: State; writeSets: WriteSet[] }[] = [];
  get head(): State {
    return this.layers.at(-1)?.state ?? this.committed;
  }
  get newest(): number {
    return this.layers.at(-1)?.number ?? 0;
  }
}

const joined = (table: string, key: string): string => `${table}\n${key}`;

function contents(state: State, table: string): [string, string][] {
  const prefix = joined(table, '');
  const found: [string, string][] = [];
  for (const [key, value] of state) {
    if (key.startsWith(prefix)) found.push([key.slice(prefix.length), value]);
  }
  return found.sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

const text = (pairs: Iterable<[string, Uint8Array]>): [string, string][] =>
  Array.from(pairs, ([key, value]) => [key, Buffer.from(value).toString('latin1')]);

function checkTable(table: ReadTable, name: string, state: State): void {
  const expected = contents(state, name);
  const ordered = name.endsWith('ordered');
  const actual = text(table.entries());
  if (!ordered) actual.sort((a, b) => (a[0] < b[0] ? -1 : 1));
  assert.deepEqual(actual, expected);
  assert.equal(table.size, expected.length);
  for (const [key, value] of expected) {
    assert.equal(table.has(key), true);
    assert.equal(Buffer.from(table.get(key)!).toString('latin1'), value);
  }
  assert.equal(table.get('\xffabsent'), undefined);
  if (!ordered) return;
  assert.deepEqual(text(table.range({ reverse: true })), expected.toReversed());
  const prefix = 'k1';
  const inside = expected.filter(([key]) => key.startsWith(prefix) && key >= 'k12' && key < 'k17');
  assert.deepEqual(text(table.range({ prefix, start: 'k12', end: 'k17' })), inside);
  assert.deepEqual(
    text(table.range({ prefix, start: 'k12', end: 'k17', reverse: true, limit: 2 })),
    inside.toReversed().slice(0, 2),
  );
}

function checkAll(store: Store, model: Model): void {
  for (const { name } of declarations) {
    checkTable(store.committed().table(name), name, model.committed);
    checkTable(store.head().table(name), name, model.head);
  }
  assert.equal(store.newestLayer, model.layers.at(-1)?.number);
}

/** Random writes with nested checkpoints; returns the state after them. */
function writeSome(set: TransactionSet, before: State, random: () => number): State {
  let state = new Map(before);
  const marks: { mark: number; state: State }[] = [];
  const steps = Math.floor(random() * 14);
  for (let i = 0; i < steps; i++) {
    const dice = random();
    const name = declarations[Math.floor(random() * declarations.length)]!.name;
    const key = `k${Math.floor(random() * 30)}`;
    if (dice < 0.5) {
      const value = `v${Math.floor(random() * 1000)}`;
      set.table(name).set(key, Buffer.from(value, 'latin1'));
      state.set(joined(name, key), value);
    } else if (dice < 0.75) {
      set.table(name).delete(key);
      state.delete(joined(name, key));
    } else if (dice < 0.88) {
      marks.push({ mark: set.checkpoint(), state: new Map(state) });
    } else if (marks.length > 0) {
      const kept = Math.floor(random() * marks.length);
      const target = marks[kept]!;
      marks.length = kept;
      set.revert(target.mark);
      state = target.state;
    }
  }
  return state;
}

/** The state a write set makes of another. */
function applied(state: State, writeSet: WriteSet): State {
  const next = new Map(state);
  for (const bytes of [writeSet.publicWrites, writeSet.privateWrites]) {
    for (const { table, key, value } of decodeWriteSet(bytes)) {
      if (value === undefined) next.delete(joined(table, key));
      else next.set(joined(table, key), Buffer.from(value).toString('latin1'));
    }
  }
  return next;
}

function runSet(store: Store, model: Model, random: () => number, aborts: boolean): void {
  const number = model.newest + 1 + Math.floor(random() * 2);
  const set = store.begin(number);
  const writeSets: WriteSet[] = [];
  let state = model.head;
  for (let t = Math.floor(random() * 4); t > 0; t--) {
    const after = writeSome(set, state, random);
    const writeSet = set.takeWriteSet();
    assert.deepEqual(applied(state, writeSet), after);
    state = after;
    writeSets.push(writeSet);
  }
  // What no write set holds must not survive the set.
  const loose = writeSome(set, state, random);
  for (const { name } of declarations) checkTable(set.table(name), name, loose);
  checkAll(store, model);
  if (aborts) {
    set.abort();
    return;
  }
  set.finish();
  model.layers.push({ number, state, writeSets });
}

function step(store: Store, follower: Store, model: Model, random: () => number): void {
  const dice = random();
  if (dice < 0.5) {
    runSet(store, model, random, random() < 0.2);
  } else if (dice < 0.75) {
    const upTo = Math.floor(random() * (model.newest + 2));
    while (model.layers.length > 0 && model.layers[0]!.number <= upTo) {
      const layer = model.layers.shift()!;
      model.committed = layer.state;
      follower.applyCommitted(layer.writeSets);
    }
    store.commit(upTo);
  } else if (dice < 0.9) {
    const downTo = model.newest - Math.floor(random() * 4);
    model.layers = model.layers.filter((layer) => layer.number <= downTo);
    store.rollback(downTo);
  } else {
    // A layer from the bytes of another: the way of a follower.
    const other = new Store(declarations);
    other.applyCommitted([wholeState(model.head)]);
    const set = other.begin(1);
    const writeSets: WriteSet[] = [];
    let state = model.head;
    for (let t = 0; t < 3; t++) {
      state = writeSome(set, state, random);
      writeSets.push(set.takeWriteSet());
    }
    set.abort();
    const number = model.newest + 1;
    store.applyLayer(number, writeSets);
    model.layers.push({ number, state, writeSets });
  }
}

function wholeState(state: State): WriteSet {
  const store = new Store(declarations);
  const set = store.begin(1);
  for (const [key, value] of state) {
    const at = key.indexOf('\n');
    set.table(key.slice(0, at)).set(key.slice(at + 1), Buffer.from(value, 'latin1'));
  }
  return set.takeWriteSet();
}

test('a random history of sets, layers, commits and rollbacks agrees with a naive model', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seeded(seed);
    const [store, follower, model] = [
      new Store(declarations),
      new Store(declarations),
      new Model(),
    ];
    // The naive model keeps numbering above what was committed, as heights do.
    for (let i = 0; i < 60; i++) {
      step(store, follower, model, random);
      checkAll(store, model);
      for (const { name } of declarations) {
        checkTable(follower.committed().table(name), name, model.committed);
      }
    }
  }
});

test('the same net writes give the same bytes in whatever order they were made', () => {
  for (let seed = 100; seed < 140; seed++) {
    const random = seeded(seed);
    const writes = Array.from({ length: 30 }, (_, i) => ({
      table: declarations[i % declarations.length]!.name,
      key: Buffer.from([i, Math.floor(random() * 256)]).toString('latin1'),
      value: Buffer.from(`value ${Math.floor(random() * 1e6)}`),
    }));
    const encoded = [writes, writes.toReversed(), writes.toSorted(() => random() - 0.5)].map(
      (order, round) => {
        const set = new Store(declarations).begin(1);
        for (const { table, key, value } of order) {
          if (round > 0) set.table(table).set(key, Buffer.from('overwritten'));
          if (round > 1) set.table(table).delete(key);
          set.table(table).set(key, value);
        }
        const { publicWrites, privateWrites } = set.takeWriteSet();
        return [
          Buffer.from(publicWrites).toString('hex'),
          Buffer.from(privateWrites).toString('hex'),
        ];
      },
    );
    assert.deepEqual(encoded[1], encoded[0]);
    assert.deepEqual(encoded[2], encoded[0]);
  }
});
