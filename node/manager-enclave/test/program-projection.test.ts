import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeWriteSet, Store } from '@concordat/kv';
import { toHeight, toSeqno, toView, utf8 } from '@concordat/std';
import { administrativeTables } from '../administration.ts';
import { deploymentsIn } from '../program-projection.ts';

const header = { view: toView(2), height: toHeight(9), firstSeqno: toSeqno(30), timeMs: 5 };
const digest = 'ab'.repeat(32);
const workers = [
  { index: 1, adapters: ['keyvalue', 'javascript'] },
  { index: 2, adapters: ['second'] },
];

/** A block that gave these rows to the table of applications, on a state that holds one program. */
function blockOf(rows: Readonly<Record<string, { digest?: string }>>) {
  const store = new Store(administrativeTables);
  const set = store.begin(1);
  set.table('public:concordat.programs').set(digest, utf8('the program'));
  for (const [adapter, row] of Object.entries(rows)) {
    const json = utf8(JSON.stringify({ adapter, ...row }));
    set.table('public:concordat.applications').set(adapter, json);
  }
  const { publicWrites } = set.takeWriteSet();
  set.finish();
  return { block: { header, publicWrites: [publicWrites] }, state: store.head() };
}

const written = (writes: Uint8Array) =>
  Array.from(decodeWriteSet(writes), ({ table, key, value }) => [
    table,
    key,
    value && Buffer.from(value).toString(),
  ]);

test('a program in force becomes a write of its adapter, at the place of the block', () => {
  const { block, state } = blockOf({ javascript: { digest } });
  const [deployed, ...more] = deploymentsIn(block, state, workers);
  assert.deepEqual(more, []);
  assert.deepEqual(deployed?.header, { ...header, source: 1 });
  const [transaction, ...others] = deployed?.transactions ?? [];
  assert.deepEqual(others, []);
  assert.deepEqual(written(transaction?.publicWrites ?? utf8('')), [
    ['public:javascript/program', 'current', 'the program'],
  ]);
  assert.equal(transaction?.privateWrites.length, 0);
});

test('an application that is ended is a deletion; adapters no worker has concern nobody', () => {
  const { block, state } = blockOf({ javascript: {}, elsewhere: { digest } });
  const [deployed, ...more] = deploymentsIn(block, state, workers);
  assert.deepEqual(more, []);
  assert.deepEqual(written(deployed?.transactions[0]?.publicWrites ?? utf8('')), [
    ['public:javascript/program', 'current', undefined],
  ]);
});

test('adapters of one worker make one transaction, those of another one of its own', () => {
  const { block, state } = blockOf({ javascript: { digest }, keyvalue: {}, second: { digest } });
  const deployed = deploymentsIn(block, state, workers);
  assert.deepEqual(
    deployed.map(({ header: { source }, transactions }) => [source, transactions.length]),
    [
      [1, 1],
      [2, 1],
    ],
  );
  assert.equal(written(deployed[0]?.transactions[0]?.publicWrites ?? utf8('')).length, 2);
});

test('a block without such rows concerns no worker', () => {
  const { state } = blockOf({});
  const empty = { header, publicWrites: [new Uint8Array(0)] };
  assert.deepEqual(deploymentsIn(empty, state, workers), []);
});
