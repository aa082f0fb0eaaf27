import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Store } from '@concordat/kv';
import { AssertionError, utf8 } from '@concordat/std';
import { OpenBatch } from '../scoped-state.ts';
import { type NewFlight, SpeculativeChain } from '../speculative-chain.ts';

const block = (fields: Partial<NewFlight> = {}): NewFlight => ({
  batch: 0,
  submissions: [],
  outcomes: [],
  count: 1,
  timeMs: 0,
  height: 0,
  view: 1,
  firstSeqno: 0,
  ...fields,
});

describe('speculative chain', () => {
  let store: Store;
  let chain: SpeculativeChain;

  beforeEach(() => {
    store = new Store([{ name: 'a/t', kind: 'hash' }]);
    chain = new SpeculativeChain(store);
  });

  function execute(batch: number): void {
    const set = new OpenBatch(chain.begin(), new Set(['a/t']));
    set.table('a/t').set('last', utf8(String(batch)));
    set.endTransaction();
    set.finish();
    chain.executed(block({ batch }), set);
  }

  const head = () => Buffer.from(store.head().table('a/t').get('last') ?? '').toString();
  const base = () => Buffer.from(store.committed().table('a/t').get('last') ?? '').toString();
  const seal = (batch: number, height: number) =>
    chain.sealed(batch, { height, view: 1, firstSeqno: height });

  it('commits sealed blocks one by one and shows each its own state', () => {
    for (const batch of [1, 2, 3]) execute(batch);
    seal(1, 10);
    seal(2, 12);
    const seen: string[] = [];
    chain.commit(11, (flight) => seen.push(`${flight.height} ${base()}`));
    chain.commit(99, (flight) => seen.push(`${flight.height} ${base()}`));
    assert.deepEqual(seen, ['10 1', '12 2']);
    assert.equal(head(), '3');
    assert.equal(chain.length, 1);
  });

  it('never commits a block the manager has not numbered', () => {
    execute(1);
    chain.commit(1_000, () => assert.fail('not sealed'));
    assert.equal(base(), '');
  });

  it('ends the process when a batch is sealed out of order', () => {
    execute(1);
    execute(2);
    assert.throws(() => seal(2, 10), AssertionError);
    assert.throws(() => seal(7, 10), AssertionError);
  });

  it('drops what lies above a height, and everything unsealed', () => {
    for (const batch of [1, 2, 3, 4]) execute(batch);
    for (const batch of [1, 2, 3]) seal(batch, batch * 10);
    const dropped = chain.rollback(10);
    assert.deepEqual(
      dropped.map(({ batch }) => batch),
      [2, 3, 4],
    );
    assert.equal(head(), '1');
    execute(5);
    assert.equal(head(), '5');
    assert.deepEqual(
      chain.dropUnsealed().map(({ batch }) => batch),
      [5],
    );
    assert.equal(head(), '1');
  });

  it('takes blocks of another leader as layers', () => {
    const set = store.begin(1);
    set.table('a/t').set('last', utf8('theirs'));
    const writes = set.takeWriteSet();
    set.abort();
    chain.applied(block({ height: 5 }), [writes]);
    assert.equal(head(), 'theirs');
    assert.equal(base(), '');
    chain.commit(5, () => {});
    assert.equal(base(), 'theirs');
  });
});
