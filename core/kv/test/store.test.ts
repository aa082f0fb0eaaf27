import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeWriteSet, type KvErrorCode, Store, type WriteSet } from '../index.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const refuses = (code: KvErrorCode) => ({ name: 'KvError', code });

function twoTables(): Store {
  return new Store([
    { name: 'a', kind: 'ordered' },
    { name: 'h', kind: 'hash' },
    { name: 'public:p', kind: 'hash' },
  ]);
}

function oneWrite(table: string, key: string, value: string): WriteSet {
  const set = twoTables().begin(1);
  set.table(table).set(key, bytes(value));
  return set.takeWriteSet();
}

test('the head does not show the writes of an open set, the set does', () => {
  const store = twoTables();
  const set = store.begin(1);
  set.table('h').set('k', bytes('1'));
  assert.equal(store.head().table('h').get('k'), undefined);
  assert.equal(store.head().table('h').size, 0);
  assert.deepEqual(set.table('h').get('k'), bytes('1'));
  set.takeWriteSet();
  set.finish();
  assert.deepEqual(store.head().table('h').get('k'), bytes('1'));
  assert.equal(store.committed().table('h').get('k'), undefined);
});

test('commit of an older layer while a set is open leaves the set readable and abortable', () => {
  const store = twoTables();
  store.applyLayer(1, [oneWrite('h', 'k', 'one')]);
  const set = store.begin(2);
  set.table('h').set('k', bytes('two'));
  store.commit(1);
  assert.deepEqual(store.head().table('h').get('k'), bytes('one'));
  assert.deepEqual(set.table('h').get('k'), bytes('two'));
  set.abort();
  assert.deepEqual(store.head().table('h').get('k'), bytes('one'));
});

test('rollback below an open set aborts it, and the set says so afterwards', () => {
  const store = twoTables();
  store.applyLayer(1, [oneWrite('h', 'k', 'one')]);
  const set = store.begin(2);
  set.table('h').set('k', bytes('two'));
  store.rollback(0);
  assert.equal(store.head().table('h').get('k'), undefined);
  assert.throws(() => set.table('h').set('k', bytes('x')), refuses('SET_CLOSED'));
  assert.throws(() => set.table('h').delete('absent'), refuses('SET_CLOSED'));
  assert.throws(() => set.takeWriteSet(), refuses('SET_CLOSED'));
  assert.throws(() => set.finish(), refuses('SET_CLOSED'));
  set.abort();
  assert.equal(store.newestLayer, undefined);
});

test('a transaction that writes nothing, or undoes what it wrote, has empty write sets', () => {
  const store = twoTables();
  const set = store.begin(1);
  const mark = set.checkpoint();
  set.table('h').set('k', bytes('1'));
  set.revert(mark);
  set.table('a').set('gone', bytes('1'));
  set.table('a').delete('gone');
  set.table('a').delete('never there');
  const { publicWrites, privateWrites } = set.takeWriteSet();
  assert.equal(publicWrites.length + privateWrites.length, 0);
});

test('each transaction of a set has its own writes and sees those before it', () => {
  const store = twoTables();
  const set = store.begin(1);
  set.table('h').set('x', bytes('1'));
  set.takeWriteSet();
  assert.deepEqual(set.table('h').get('x'), bytes('1'));
  set.table('h').delete('x');
  const second = [...decodeWriteSet(set.takeWriteSet().privateWrites)];
  assert.deepEqual(second, [{ table: 'h', key: 'x' }]);
  set.finish();
  store.commit(1);
  assert.equal(store.committed().table('h').size, 0);
});

test('a checkpoint of an earlier transaction cannot be reverted to', () => {
  const set = twoTables().begin(1);
  const mark = set.checkpoint();
  set.table('h').set('x', bytes('1'));
  set.takeWriteSet();
  assert.throws(() => set.revert(mark), { name: 'AssertionError' });
});

test('writes that no write set took are gone when the set finishes', () => {
  const store = twoTables();
  const set = store.begin(1);
  set.table('h').set('kept', bytes('1'));
  set.takeWriteSet();
  set.table('h').set('loose', bytes('2'));
  set.table('h').set('kept', bytes('changed'));
  set.finish();
  assert.equal(store.head().table('h').has('loose'), false);
  assert.deepEqual(store.head().table('h').get('kept'), bytes('1'));
});

test('a refused block changes nothing, as layer and as committed writes', () => {
  const store = twoTables();
  const good = oneWrite('h', 'k', '1');
  const cut = { ...good, privateWrites: good.privateWrites.subarray(0, -1) };
  const swapped = { publicWrites: good.privateWrites, privateWrites: good.publicWrites };
  const leaked = oneWrite('public:p', 'k', '1');
  const hidden = { publicWrites: leaked.privateWrites, privateWrites: leaked.publicWrites };
  for (const bad of [cut, swapped, hidden]) {
    assert.throws(() => store.applyLayer(1, [good, bad]), refuses('MALFORMED'));
    assert.throws(() => store.applyCommitted([good, bad]), refuses('MALFORMED'));
    assert.equal(store.newestLayer, undefined);
    assert.equal(store.head().table('h').size, 0);
  }
  const elsewhere = new Store([{ name: 'other', kind: 'hash' }]);
  assert.throws(() => elsewhere.applyLayer(1, [good]), refuses('UNKNOWN_TABLE'));
  assert.throws(() => elsewhere.applyCommitted([good]), refuses('UNKNOWN_TABLE'));
});

test('one set at a time, layers only upwards, committed writes only without layers', () => {
  const store = twoTables();
  const set = store.begin(3);
  assert.throws(() => store.begin(4), refuses('SET_OPEN'));
  assert.throws(() => store.applyLayer(4, []), refuses('SET_OPEN'));
  assert.throws(() => store.applyCommitted([]), refuses('SET_OPEN'));
  set.finish();
  assert.throws(() => store.begin(3), refuses('LAYER_ORDER'));
  assert.throws(() => store.applyLayer(2, []), refuses('LAYER_ORDER'));
  assert.throws(() => store.applyCommitted([]), refuses('LAYER_ORDER'));
  store.commit(3);
  store.applyCommitted([oneWrite('h', 'k', '1')]);
  assert.equal(store.committed().table('h').size, 1);
});

test('tables are declared once, under printable names, and range scans need order', () => {
  const store = twoTables();
  assert.throws(() => store.declare({ name: 'a', kind: 'hash' }), refuses('TABLE_EXISTS'));
  for (const name of ['', 'with space', 'caf\u00e9', 'x'.repeat(256)]) {
    assert.throws(() => store.declare({ name, kind: 'hash' }), refuses('INVALID_TABLE_NAME'));
  }
  store.declare({ name: 'later', kind: 'hash' });
  assert.equal(store.head().table('later').size, 0);
  assert.throws(() => store.head().table('none'), refuses('UNKNOWN_TABLE'));
  assert.throws(() => store.committed().table('h').range(), refuses('NOT_ORDERED'));
  assert.throws(() => store.head().table('h').range(), refuses('NOT_ORDERED'));
  const set = store.begin(1);
  assert.throws(() => set.table('h').set('\u0100', bytes('')), refuses('INVALID_KEY'));
  assert.throws(() => set.table('h').set('k'.repeat(65_536), bytes('')), refuses('INVALID_KEY'));
});

test('a range scan survives changes to the table between two pairs', () => {
  const store = twoTables();
  const set = store.begin(1);
  const table = set.table('a');
  for (let i = 0; i < 3000; i++) table.set(String(i).padStart(5, '0'), bytes('v'));
  const seen: string[] = [];
  for (const [key] of table.range()) {
    seen.push(key);
    table.delete(key);
    table.set(`!${key}`, bytes('behind the scan'));
  }
  assert.equal(seen.length, 3000);
  assert.deepEqual(seen, seen.toSorted());
  const back = [...table.range({ reverse: true })].map(([key]) => key);
  assert.deepEqual(back, seen.map((key) => `!${key}`).toReversed());
});

test('range bounds hold at the edges of the byte range', () => {
  const set = twoTables().begin(1);
  const table = set.table('a');
  const keys = [
    '',
    '\x00',
    '\x00\x00',
    'a',
    'a\x00',
    'a\xff',
    'a\xff\xff',
    'b',
    '\xff',
    '\xff\xff',
  ];
  for (const key of keys) table.set(key, bytes('v'));
  const found = (options: object): string[] => [...table.range(options)].map(([key]) => key);
  assert.deepEqual(found({}), keys);
  assert.deepEqual(found({ prefix: 'a' }), keys.slice(3, 7));
  assert.deepEqual(found({ prefix: 'a', reverse: true }), keys.slice(3, 7).toReversed());
  assert.deepEqual(found({ prefix: 'a\xff' }), ['a\xff', 'a\xff\xff']);
  assert.deepEqual(found({ prefix: '\xff' }), ['\xff', '\xff\xff']);
  assert.deepEqual(found({ prefix: '\xff', reverse: true, limit: 1 }), ['\xff\xff']);
  assert.deepEqual(found({ start: 'a\x00', end: 'b' }), ['a\x00', 'a\xff', 'a\xff\xff']);
  assert.deepEqual(found({ start: 'b', end: 'a' }), []);
  assert.deepEqual(found({ prefix: 'a', end: '' }), []);
  assert.deepEqual(found({ limit: 0 }), []);
});

test('a hot key does not pile up one entry a layer', () => {
  const store = twoTables();
  for (let layer = 1; layer <= 1000; layer++) {
    store.applyLayer(layer, [oneWrite('h', 'k', String(layer))]);
    store.commit(layer - 2);
  }
  store.rollback(999);
  assert.deepEqual(store.head().table('h').get('k'), bytes('999'));
  store.rollback(0);
  assert.deepEqual(store.head().table('h').get('k'), bytes('998'));
  assert.deepEqual(store.committed().table('h').get('k'), bytes('998'));
});
