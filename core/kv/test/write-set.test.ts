import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeWriteSet, firstTableOf, Store } from '../index.ts';

const malformed = { name: 'KvError', code: 'MALFORMED' };

function encode(writes: readonly { table: string; key: string; value: Uint8Array }[]): Uint8Array {
  const names = new Set(writes.map(({ table }) => table));
  const set = new Store([...names].map((name) => ({ name, kind: 'hash' as const }))).begin(1);
  for (const { table, key, value } of writes) set.table(table).set(key, value);
  return Buffer.from(set.takeWriteSet().privateWrites);
}

const sample = [
  { table: 'a', key: '', value: Buffer.alloc(0) },
  { table: 'a', key: 'k', value: Buffer.from('value') },
  { table: 'b', key: '\x00\xff', value: Buffer.alloc(70, 7) },
];

test('docs/format/write-set.md: the worked example has these bytes', () => {
  const store = new Store([
    { name: 'app/kv', kind: 'hash' },
    { name: 'public:log', kind: 'hash' },
  ]);
  const first = store.begin(1);
  first.table('app/kv').set('old', Buffer.from('x'));
  first.takeWriteSet();
  first.finish();
  const set = store.begin(2);
  set.table('app/kv').set('new', Buffer.from('hello'));
  set.table('app/kv').delete('old');
  set.table('public:log').set('1', Buffer.alloc(0));
  const { publicWrites, privateWrites } = set.takeWriteSet();
  assert.equal(
    Buffer.from(privateWrites).toString('hex'),
    '01066170702f6b7602036e65770668656c6c6f036f6c6400',
  );
  assert.equal(Buffer.from(publicWrites).toString('hex'), '010a7075626c69633a6c6f6701013101');
});

test('what was written is read back, whatever the lengths', () => {
  const lengths = [0, 1, 62, 63, 64, 16_382, 16_383, 16_384, 70_000];
  const writes = lengths.map((length, i) => ({
    table: 'table',
    key: `${i}${'k'.repeat(Math.min(length, 60_000))}`,
    value: Buffer.alloc(length, i),
  }));
  const read = [...decodeWriteSet(encode(writes))];
  assert.deepEqual(
    read.map(({ table, key, value }) => ({ table, key, value: Buffer.from(value!) })),
    writes,
  );
});

test('no bytes are no writes', () => {
  assert.deepEqual([...decodeWriteSet(new Uint8Array(0))], []);
  assert.equal(firstTableOf(new Uint8Array(0)), undefined);
});

test('the first table is told without reading what follows, and is refused when its name is cut', () => {
  const bytes = encode(sample);
  assert.equal(firstTableOf(bytes), 'a');
  assert.equal(firstTableOf(bytes.subarray(0, 3)), 'a');
  for (const length of [1, 2]) {
    assert.throws(() => firstTableOf(bytes.subarray(0, length)), malformed, `at ${length}`);
  }
});

test('a write set cut anywhere, or extended, is refused', () => {
  const bytes = encode(sample);
  for (let length = 1; length < bytes.length; length++) {
    assert.throws(() => decodeWriteSet(bytes.subarray(0, length)), malformed, `at ${length}`);
  }
  assert.throws(() => decodeWriteSet(Buffer.concat([bytes, Buffer.alloc(1)])), malformed);
  assert.throws(() => decodeWriteSet(Buffer.concat([bytes, bytes])), malformed);
});

test('a write set with any bit flipped is refused or is another canonical write set', () => {
  const bytes = encode(sample);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    let writes: ReturnType<typeof decodeWriteSet>;
    try {
      writes = decodeWriteSet(flipped);
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'MALFORMED');
      continue;
    }
    const again = [...writes].filter((write) => write.value !== undefined);
    if (again.length !== [...writes].length) continue;
    assert.deepEqual(
      encode(again.map(({ table, key, value }) => ({ table, key, value: value! }))),
      flipped,
    );
  }
});

test('every second spelling of the same writes is refused', () => {
  const cases: Record<string, number[]> = {
    'no tables': [0x00],
    'a table without writes': [0x01, 0x01, 0x61, 0x00],
    'an empty table name': [0x01, 0x00, 0x01, 0x00, 0x00],
    'a table name with a space': [0x01, 0x01, 0x20, 0x01, 0x00, 0x00],
    'a length not in shortest form': [0x40, 0x01, 0x01, 0x61, 0x01, 0x00, 0x00],
    'a four-byte length not in shortest form': [0x80, 0, 0, 0x01, 0x01, 0x61, 0x01, 0x00, 0x00],
    'an eight-byte length': [0xc0, 0, 0, 0, 0, 0, 0, 1, 0x01, 0x61, 0x01, 0x00, 0x00],
    'keys out of order': [0x01, 0x01, 0x61, 0x02, 0x01, 0x62, 0x00, 0x01, 0x61, 0x00],
    'a key twice': [0x01, 0x01, 0x61, 0x02, 0x01, 0x61, 0x00, 0x01, 0x61, 0x00],
    'tables out of order': [0x02, 0x01, 0x62, 0x01, 0x00, 0x00, 0x01, 0x61, 0x01, 0x00, 0x00],
    'a table twice': [0x02, 0x01, 0x61, 0x01, 0x00, 0x00, 0x01, 0x61, 0x01, 0x01, 0x61, 0x00],
    'a count beyond the end': [0x01, 0x01, 0x61, 0xbf, 0xff, 0xff, 0xff, 0x00, 0x00],
    'a value beyond the end': [0x01, 0x01, 0x61, 0x01, 0x00, 0xbf, 0xff, 0xff, 0xff],
  };
  for (const [name, bytes] of Object.entries(cases)) {
    assert.throws(() => decodeWriteSet(Uint8Array.from(bytes)), malformed, name);
  }
});
