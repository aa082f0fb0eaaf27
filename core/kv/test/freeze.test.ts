import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import {
  type FrozenState,
  type KvErrorCode,
  type SectionReader,
  Store,
  sectionChunkBytes,
  type TableDeclaration,
  type TransactionSet,
} from '../index.ts';

const declarations: readonly TableDeclaration[] = [
  { name: 'app/ordered', kind: 'ordered' },
  { name: 'app/hash', kind: 'hash' },
  { name: 'public:app/hash', kind: 'hash' },
  { name: 'app/empty', kind: 'hash' },
];
const written = declarations.slice(0, 3).map(({ name }) => name);

const refuses = (code: KvErrorCode) => ({ name: 'KvError', code });
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

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

type Contents = Map<string, Map<string, Buffer>>;

const noContents = (): Contents => new Map(written.map((name) => [name, new Map()]));
const copyOf = (contents: Contents): Contents =>
  new Map(Array.from(contents, ([name, pairs]) => [name, new Map(pairs)]));

/** RFC 9000, section 16, from its text. */
function varint(value: number): Buffer {
  if (value < 64) return Buffer.of(value);
  if (value < 16_384) return Buffer.of(0x40 + (value >> 8), value & 0xff);
  return Buffer.of(0x80 + (value >> 24), (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff);
}

/** docs/format/snapshot.md, said plainly: everything sorted at once, cut at the end. */
function plainSection(contents: Contents): Buffer {
  const tables = [...contents].filter(([, pairs]) => pairs.size > 0);
  tables.sort(([a], [b]) => Buffer.compare(bytes(a), bytes(b)));
  const parts = [Buffer.of(1), varint(tables.length)];
  for (const [name, pairs] of tables) {
    parts.push(varint(name.length), bytes(name), varint(pairs.size));
    for (const [key, value] of [...pairs].sort(([a], [b]) => Buffer.compare(bytes(a), bytes(b)))) {
      parts.push(varint(key.length), bytes(key), varint(value.length), value);
    }
  }
  return Buffer.concat(parts);
}

function readAll(reader: SectionReader, budget = 1_000_000): Buffer[] {
  const chunks: Buffer[] = [];
  for (let some = reader.next(budget); some !== undefined; some = reader.next(budget)) {
    for (const chunk of some) chunks.push(Buffer.from(chunk));
  }
  return chunks;
}

const sectionOf = (store: Store): Buffer[] => {
  const frozen = store.freeze();
  const chunks = readAll(frozen.section());
  frozen.release();
  return chunks;
};

function restored(chunks: readonly Uint8Array[]): Store {
  const store = new Store(declarations);
  const writer = store.restore(chunks.length);
  for (const chunk of chunks) writer.chunk(chunk);
  writer.finish();
  return store;
}

function writeSome(set: TransactionSet, contents: Contents, { random, keys }: Walk): void {
  for (let i = Math.floor((random() * keys) / 5); i >= 0; i--) {
    const name = written[Math.floor(random() * written.length)]!;
    const key = `k${Math.floor(random() ** 2 * keys)}`;
    if (random() < 0.35) {
      set.table(name).delete(key);
      contents.get(name)!.delete(key);
    } else {
      const value = Buffer.alloc(Math.floor(random() ** 8 * 5000), random() * 256);
      set.table(name).set(key, value);
      contents.get(name)!.set(key, value);
    }
  }
}

/** A store under way: committed contents beside it, layers that may be dropped above it. */
class Walk {
  readonly store = new Store(declarations);
  readonly random: () => number;
  /** Keys a table may have. */
  readonly keys: number;
  committed = noContents();
  #layer = 0;

  constructor(seed: number, keys = 200) {
    this.random = seeded(seed);
    this.keys = keys;
  }

  /** One to three layers, committed or dropped. */
  step(): void {
    const { store, random } = this;
    const heads: Contents[] = [];
    for (let i = Math.floor(random() * 3); i >= 0; i--) {
      const head = copyOf(heads.at(-1) ?? this.committed);
      const set = store.begin(++this.#layer);
      writeSome(set, head, this);
      set.takeWriteSet();
      set.finish();
      heads.push(head);
    }
    const kept = Math.floor(random() * (heads.length + 1));
    const base = this.#layer - heads.length;
    store.commit(base + kept);
    store.rollback(base + kept);
    this.#layer = base + kept;
    if (kept > 0) this.committed = heads[kept - 1]!;
  }
}

test('a section is the committed state of the moment of the freeze, whatever commits follow', () => {
  for (let seed = 1; seed <= 60; seed++) {
    // Now and then as many keys as several sorted runs hold.
    const walk = new Walk(seed, seed % 15 === 0 ? 6000 : 200);
    const open: { frozen: FrozenState; reader: SectionReader; expected: Buffer; got: Buffer[] }[] =
      [];
    let finished = 0;
    for (let round = 0; round < 400 && finished < 6; round++) {
      if (open.length < 2 && walk.random() < 0.3) {
        const frozen = walk.store.freeze();
        const entries = [...walk.committed.values()].reduce((sum, { size }) => sum + size, 0);
        assert.equal(frozen.entries, entries);
        const expected = plainSection(walk.committed);
        open.push({ frozen, reader: frozen.section(), expected, got: [] });
      }
      if (walk.random() < 0.7) walk.step();
      for (const one of [...open]) {
        const some = one.reader.next(1 + Math.floor(walk.random() * walk.keys * 0.3));
        one.got.push(...(some ?? []).map((chunk) => Buffer.from(chunk)));
        if (some !== undefined) continue;
        assert.ok(Buffer.concat(one.got).equals(one.expected), `seed ${seed} round ${round}`);
        open.splice(open.indexOf(one), 1);
        finished++;
      }
    }
    assert.ok(finished >= 2, `seed ${seed} finished ${finished}`);
  }
});

test('equal contents give equal chunks on every store, and a restored store gives them again', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const walk = new Walk(seed);
    for (let i = 0; i < 30; i++) walk.step();
    const chunks = sectionOf(walk.store);
    // The same contents, written in one go, in another order, into tables declared in another.
    const other = new Store([...declarations].reverse());
    const set = other.begin(1);
    for (const [name, pairs] of walk.committed) {
      for (const [key, value] of [...pairs].reverse()) set.table(name).set(key, value);
    }
    set.takeWriteSet();
    set.finish();
    other.commit(1);
    assert.deepEqual(sectionOf(other), chunks);
    const again = restored(chunks);
    assert.deepEqual(sectionOf(again), chunks);
    for (const [name, pairs] of walk.committed) {
      const table = again.committed().table(name);
      assert.equal(table.size, pairs.size);
      for (const [key, value] of pairs) assert.deepEqual(Buffer.from(table.get(key)!), value);
    }
    const range = [...again.committed().table('app/ordered').range()].map(([key]) => key);
    assert.deepEqual(range, [...walk.committed.get('app/ordered')!.keys()].sort());
  }
});

/** A store whose section has several chunks, with fields that cross from one to the next. */
function largeStore(): { store: Store; contents: Contents } {
  const store = new Store(declarations);
  const contents = noContents();
  const set = store.begin(1);
  const put = (name: string, key: string, value: Buffer): void => {
    set.table(name).set(key, value);
    contents.get(name)!.set(key, value);
  };
  for (let i = 0; i < 3000; i++) {
    const key = createHash('sha256').update(`${i}`).digest().toString('latin1');
    put('app/hash', key, Buffer.alloc(i % 977, i));
  }
  put('app/ordered', 'x'.repeat(65_535), Buffer.alloc(3 * sectionChunkBytes + 17, 5));
  put('app/ordered', '', Buffer.alloc(0));
  put('public:app/hash', '\xff'.repeat(16_384), Buffer.alloc(sectionChunkBytes, 6));
  set.takeWriteSet();
  set.finish();
  store.commit(1);
  return { store, contents };
}

test('chunks are whole but for the last, and values and keys may cross them', () => {
  const { store, contents } = largeStore();
  const chunks = sectionOf(store);
  assert.ok(chunks.length > 5);
  for (const chunk of chunks.slice(0, -1)) assert.equal(chunk.length, sectionChunkBytes);
  assert.ok(Buffer.concat(chunks).equals(plainSection(contents)));
  assert.deepEqual(sectionOf(restored(chunks)), chunks);
});

test('a step does not do more for a large value than for many small ones', () => {
  const reader = largeStore().store.freeze().section();
  let most = 0;
  for (let some = reader.next(20); some !== undefined; some = reader.next(20)) {
    most = Math.max(most, some.length);
  }
  assert.equal(most, 1);
});

test('docs/format/snapshot.md: the worked example has these bytes', () => {
  const store = new Store([
    { name: 'public:log', kind: 'ordered' },
    { name: 'app/kv', kind: 'hash' },
  ]);
  const set = store.begin(1);
  set.table('public:log').set('1', Buffer.of(0, 7));
  set.table('app/kv').set('b', Buffer.alloc(0));
  set.table('app/kv').set('a', bytes('hello'));
  set.takeWriteSet();
  set.finish();
  store.commit(1);
  const section = Buffer.concat(sectionOf(store));
  const expected = '0102066170702f6b760201610568656c6c6f0162000a7075626c69633a6c6f67010131020007';
  assert.equal(section.toString('hex'), expected);
  assert.equal(
    createHash('sha256').update(section).digest('hex'),
    'b5a003e913880bbb637b6a3349e95a0bb35ee78dabb74322618346dca2144078',
  );
});

test('an empty store has a section too', () => {
  const chunks = sectionOf(new Store(declarations));
  assert.deepEqual(chunks, [Buffer.of(1, 0)]);
  assert.equal(restored(chunks).committed().table('app/hash').size, 0);
});

test('four freezes may be open, each ends once, and a released one cannot be read', () => {
  const { store } = largeStore();
  const nothing = (): boolean => false;
  for (const part of [store.freeze(nothing), store.freeze(nothing)]) assert.equal(part.entries, 0);
  const [first, second] = [store.freeze(), store.freeze()];
  assert.throws(() => store.freeze(), refuses('FREEZE_LIMIT'));
  const reader = first.section();
  reader.next(10);
  first.release();
  first.release();
  assert.throws(() => reader.next(10), refuses('FREEZE_RELEASED'));
  assert.throws(() => first.section(), refuses('FREEZE_RELEASED'));
  const third = store.freeze();
  assert.throws(() => store.freeze(), refuses('FREEZE_LIMIT'));
  const all = second.section();
  readAll(all);
  assert.equal(all.next(1), undefined);
  second.release();
  assert.equal(all.next(1), undefined);
  const fourth = store.freeze();
  assert.throws(() => third.section() && third.section(), { name: 'AssertionError' });
  store.clear();
  assert.throws(() => fourth.section(), refuses('FREEZE_RELEASED'));
  assert.equal(store.committed().table('app/hash').size, 0);
});

test('a store is restored only while it is empty, and takes nothing else meanwhile', () => {
  const { store } = largeStore();
  const chunks = sectionOf(store);
  assert.throws(() => store.restore(1), refuses('NOT_EMPTY'));
  const empty = new Store(declarations);
  const set = empty.begin(1);
  assert.throws(() => empty.restore(1), refuses('SET_OPEN'));
  set.abort();
  const writer = empty.restore(chunks.length);
  writer.chunk(chunks[0]!);
  assert.throws(() => empty.begin(1), refuses('RESTORING'));
  assert.throws(() => empty.applyLayer(1, []), refuses('RESTORING'));
  assert.throws(() => empty.applyCommitted([]), refuses('RESTORING'));
  assert.throws(() => empty.freeze(), refuses('RESTORING'));
  assert.throws(() => empty.restore(1), refuses('RESTORING'));
  empty.clear();
  assert.throws(() => writer.chunk(chunks[1]!), refuses('NOT_EMPTY'));
  assert.equal(empty.committed().table('app/hash').size, 0);
  const again = empty.restore(chunks.length);
  for (const chunk of chunks) again.chunk(chunk);
  again.finish();
  assert.throws(() => again.finish(), refuses('NOT_EMPTY'));
  assert.deepEqual(sectionOf(empty), chunks);
});

const one = (...parts: (Buffer | string)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? bytes(part) : part)));

test('a section has one encoding: every other one is refused and leaves the store empty', () => {
  const name = one(varint(8), 'app/hash');
  const pair = (key: string): Buffer => one(varint(key.length), key, varint(1), 'v');
  const good = one(Buffer.of(1, 1), name, Buffer.of(2), pair('a'), pair('b'));
  restored([good]);
  const ordered = one(varint(11), 'app/ordered', Buffer.of(1), pair('a'));
  const bad: Record<string, Buffer> = {
    'no bytes': Buffer.alloc(0),
    'another version': one(Buffer.of(2, 0)),
    'a count with nothing after it': one(Buffer.of(1, 1)),
    'a pair too many': one(good, pair('c')),
    'a byte too many': one(good, Buffer.of(0)),
    'a byte too few': good.subarray(0, -1),
    'keys out of order': one(Buffer.of(1, 1), name, Buffer.of(2), pair('b'), pair('a')),
    'a key twice': one(Buffer.of(1, 1), name, Buffer.of(2), pair('a'), pair('a')),
    'tables out of order': one(Buffer.of(1, 2), ordered, name, Buffer.of(1), pair('a')),
    'a table twice': one(Buffer.of(1, 2), ordered, ordered),
    'a table of nothing': one(Buffer.of(1, 1), name, Buffer.of(0)),
    'a table without a name': one(Buffer.of(1, 1, 0, 1), pair('a')),
    'a name that is none': one(Buffer.of(1, 1, 1), '\x07', Buffer.of(1), pair('a')),
    'a name too long': one(Buffer.of(1, 1), varint(256), 'n'.repeat(256), Buffer.of(1), pair('a')),
    'a length not in shortest form': one(Buffer.of(1, 0x40, 1), name, Buffer.of(1), pair('a')),
    'a long length not in shortest form': one(Buffer.of(1, 0x80, 0, 0, 1), name, Buffer.of(1)),
    'a length of 2^30': one(Buffer.of(1, 0xc0, 0, 0, 0, 0, 0, 0, 1)),
    'a key too long': one(Buffer.of(1, 1), name, Buffer.of(1), varint(65_536), 'k'.repeat(65_536)),
    'a value beyond the end': one(Buffer.of(1, 1), name, Buffer.of(1, 0), varint(2 ** 30 - 1)),
  };
  for (const [what, section] of Object.entries(bad)) {
    const store = new Store(declarations);
    const writer = store.restore(1);
    const run = (): void => {
      writer.chunk(section);
      writer.finish();
    };
    assert.throws(run, refuses('MALFORMED'), what);
    for (const { name } of declarations) assert.equal(store.committed().table(name).size, 0, what);
    // It is over, and the store is as good as new.
    assert.throws(() => writer.finish(), refuses('NOT_EMPTY'));
    const again = store.restore(1);
    again.chunk(good);
    again.finish();
  }
  const elsewhere = new Store([{ name: 'other', kind: 'hash' }]);
  const writer = elsewhere.restore(1);
  assert.throws(() => writer.chunk(good), refuses('UNKNOWN_TABLE'));
});

test('chunks that are missing, doubled, swapped, cut or too many are refused', () => {
  const { store } = largeStore();
  const chunks = sectionOf(store);
  const [first, second] = [chunks[0]!, chunks[1]!];
  const cases: Record<string, { count: number; chunks: Buffer[] }> = {
    'one missing at the end': { count: chunks.length, chunks: chunks.slice(0, -1) },
    'one missing in the middle': { count: chunks.length - 1, chunks: chunks.toSpliced(2, 1) },
    'first two swapped': { count: chunks.length, chunks: [second, first, ...chunks.slice(2)] },
    'one cut': { count: chunks.length, chunks: [first.subarray(0, -1), ...chunks.slice(1)] },
    'one more': { count: chunks.length + 1, chunks: [...chunks, Buffer.of(0)] },
    'more than announced': { count: chunks.length - 1, chunks },
    'cut finer': {
      count: chunks.length + 1,
      chunks: [first.subarray(0, 100), first.subarray(100), ...chunks.slice(1)],
    },
  };
  for (const [what, { count, chunks }] of Object.entries(cases)) {
    const empty = new Store(declarations);
    const writer = empty.restore(count);
    const run = (): void => {
      for (const chunk of chunks) writer.chunk(chunk);
      writer.finish();
    };
    assert.throws(run, refuses('MALFORMED'), what);
    assert.equal(empty.committed().table('app/hash').size, 0, what);
  }
});

test('a flipped or cut byte anywhere is refused or gives other contents, never the same', () => {
  const walk = new Walk(7);
  for (let i = 0; i < 4; i++) walk.step();
  const section = Buffer.concat(sectionOf(walk.store));
  const random = seeded(8);
  const attempt = (changed: Buffer): Buffer | undefined => {
    const store = new Store(declarations);
    const writer = store.restore(1);
    try {
      writer.chunk(changed);
      writer.finish();
    } catch (error) {
      assert.equal((error as Error).name, 'KvError');
      return undefined;
    }
    return Buffer.concat(sectionOf(store));
  };
  for (let i = 0; i < 2000; i++) {
    const at = Math.floor(random() * section.length);
    const changed = section.with(at, section[at]! ^ (1 << Math.floor(random() * 8)));
    const accepted = attempt(Buffer.from(changed));
    // What is accepted is canonical: it is what the store gives again.
    if (accepted !== undefined) assert.ok(accepted.equals(changed));
    assert.equal(attempt(section.subarray(0, at)), undefined);
  }
});
