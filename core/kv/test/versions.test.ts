import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KvErrorCode, type ReadView, Store, type WriteSet, withVersion } from '../index.ts';

const declarations = [
  { name: 'ordered', kind: 'ordered', versioned: true },
  { name: 'public:hash', kind: 'hash', versioned: true },
  { name: 'plain', kind: 'hash' },
] as const;
const versioned = ['ordered', 'public:hash'] as const;
const refuses = (code: KvErrorCode) => ({ name: 'KvError', code });
const bytes = (text: string): Uint8Array => Buffer.from(text);

/** A deterministic stream of whole numbers below a bound (mulberry32). */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** Version and value of every key, by table and key. */
type Model = Map<string, { readonly version: number; readonly value: string }>;

function check(view: ReadView, model: Model): void {
  for (const name of versioned) {
    const table = view.table(name);
    for (let at = 0; at < 8; at++) {
      const expected = model.get(`${name}/${at}`);
      assert.equal(table.versionOf(`${at}`), expected?.version);
      const value = table.get(`${at}`);
      assert.equal(value && Buffer.from(value).toString(), expected?.value);
    }
    const pairs = [...table.entries()].map(([key, value]) => [key, Buffer.from(value).toString()]);
    for (const [key, value] of pairs) assert.equal(value, model.get(`${name}/${key}`)?.value);
  }
}

/** Executes a block of random transactions on one store, checking versions on the way. */
function execute(store: Store, random: (below: number) => number, at: Block): WriteSet[] {
  const set = store.begin(at.layer);
  const writeSets: WriteSet[] = [];
  let model: Model = at.model;
  const unplaced = new Map<string, number>();
  const seen = (): Model =>
    new Map([...model].map(([k, v]) => [k, { ...v, version: unplaced.has(k) ? 0 : v.version }]));
  for (let transaction = 0; transaction < 1 + random(4); transaction++) {
    const next: Model = new Map(model);
    const mark = set.checkpoint();
    const reverts = random(4) === 0;
    for (let write = 0; write < 1 + random(4); write++) {
      const [name, key] = [versioned[random(2)] as string, `${random(8)}`];
      const version = at.firstSeqno + writeSets.length;
      if (random(3) === 0) {
        set.table(name).delete(key);
        next.delete(`${name}/${key}`);
      } else {
        const value = `${version}.${write}`;
        set.table(name).set(key, bytes(value));
        next.set(`${name}/${key}`, { version, value });
      }
      // The transaction's own writes do not count, whatever they do.
      for (const [k, { version: before }] of seen()) {
        const [table = '', inner = ''] = k.split('/');
        assert.equal(set.table(table).versionOf(inner), before, k);
      }
    }
    if (reverts) {
      set.revert(mark);
      check(set, seen());
      continue;
    }
    if (set.checkpoint() === mark) continue;
    writeSets.push(set.takeWriteSet());
    for (const [k, { version }] of next) if (model.get(k)?.version !== version) unplaced.set(k, 0);
    for (const k of unplaced.keys()) if (!next.has(k)) unplaced.delete(k);
    model = next;
    check(set, seen());
  }
  set.finish();
  at.model = model;
  return writeSets;
}

interface Block {
  readonly layer: number;
  readonly firstSeqno: number;
  model: Model;
}

test('a leader, a follower and one that replays have the same versions after every step', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = seeded(seed);
    const [leader, follower, replayer] = [1, 2, 3].map(() => new Store(declarations)) as [
      Store,
      Store,
      Store,
    ];
    let committed: Model = new Map();
    let stack: { block: Block; writeSets: WriteSet[]; before: Model }[] = [];
    let [layer, nextSeqno] = [1, 1];
    for (let step = 0; step < 40; step++) {
      const head = stack.at(-1)?.block.model ?? committed;
      const action = random(5);
      if (action < 3) {
        // Administrative transactions take seqnos in between.
        const firstSeqno = nextSeqno + random(3);
        const block = { layer, firstSeqno, model: head };
        const writeSets = execute(leader, random, block);
        leader.number(layer, firstSeqno);
        follower.applyLayer(layer, writeSets, firstSeqno);
        stack.push({ block, writeSets, before: head });
        nextSeqno = firstSeqno + writeSets.length;
        layer += 1;
        check(leader.head(), block.model);
        check(follower.head(), block.model);
      } else if (action === 3 && stack.length > 0) {
        const [first, ...rest] = stack as [(typeof stack)[number], ...typeof stack];
        for (const store of [leader, follower]) store.commit(first.block.layer);
        replayer.applyCommitted(first.writeSets, first.block.firstSeqno);
        committed = first.block.model;
        stack = rest;
      } else if (stack.length > 0) {
        const dropped = stack.pop() as (typeof stack)[number];
        for (const store of [leader, follower]) store.rollback(dropped.block.layer - 1);
        nextSeqno = dropped.block.firstSeqno;
      }
      for (const store of [leader, follower, replayer]) check(store.committed(), committed);
    }
    check(snapshotOf(leader).committed(), committed);
    assert.deepEqual(sectionOf(leader), sectionOf(replayer));
  }
});

function sectionOf(store: Store): Buffer {
  const reader = store.freeze().section();
  const chunks: Uint8Array[] = [];
  for (let next = reader.next(100); next; next = reader.next(100)) chunks.push(...next);
  return Buffer.concat(chunks);
}

function snapshotOf(store: Store): Store {
  const copy = new Store(declarations);
  const restore = copy.restore(1);
  restore.chunk(sectionOf(store));
  restore.finish();
  return copy;
}

test('a layer without a number has versions of 0, and cannot be committed', () => {
  const store = new Store(declarations);
  const set = store.begin(1);
  set.table('ordered').set('k', bytes('v'));
  set.takeWriteSet();
  set.finish();
  assert.equal(store.head().table('ordered').versionOf('k'), 0);
  assert.throws(() => store.commit(1), { message: /without a seqno/ });
});

test('a table that is not declared so keeps no versions', () => {
  const store = new Store(declarations);
  for (const view of [store.committed(), store.head()]) {
    assert.throws(() => view.table('plain').versionOf('k'), refuses('NOT_VERSIONED'));
  }
});

test('a snapshot or a part whose values have no seqno is refused', () => {
  const plain = new Store([{ name: 'ordered', kind: 'ordered' }]);
  for (const value of [bytes(''), bytes('1234567'), Buffer.alloc(8), Buffer.alloc(9, 0xff)]) {
    const set = plain.begin(1);
    set.table('ordered').set('k', value);
    const part = set.takeWriteSet();
    set.finish();
    plain.commit(1);
    const store = new Store(declarations);
    assert.throws(() => store.adopt(part), refuses('MALFORMED'));
    assert.equal(store.committed().table('ordered').size, 0);
    const restore = store.restore(1);
    assert.throws(() => restore.chunk(sectionOf(plain)), refuses('MALFORMED'));
  }
});

test('a part of another store is taken up with its versions, the largest included', () => {
  const plain = new Store([{ name: 'ordered', kind: 'ordered' }]);
  const set = plain.begin(1);
  set.table('ordered').set('k', withVersion(bytes('v'), Number.MAX_SAFE_INTEGER));
  const store = new Store(declarations);
  store.adopt(set.takeWriteSet());
  assert.equal(store.committed().table('ordered').versionOf('k'), Number.MAX_SAFE_INTEGER);
  assert.deepEqual(store.committed().table('ordered').get('k'), bytes('v'));
});
