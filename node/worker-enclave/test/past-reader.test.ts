import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PastRequest, PastTransaction } from '@concordat/bridge';
import { Store, type WriteSet } from '@concordat/kv';
import { PastReader } from '../past-reader.ts';

const tables = new Set(['a/private', 'public:a/shown']);
const names = ['a/private', 'public:a/shown', 'b/private', 'public:b/shown'];

/** One write to each of some tables. */
function writes(...to: readonly string[]): WriteSet {
  const set = new Store(names.map((name) => ({ name, kind: 'hash' as const }))).begin(1);
  for (const name of to) set.table(name).set('k', Buffer.from(name));
  return set.takeWriteSet();
}

const transaction = (seqno: number, writeSet = writes('a/private')): PastTransaction => ({
  seqno,
  view: 2,
  ...writeSet,
  receipt: Buffer.from('{}'),
});

function reader() {
  const asked: PastRequest[] = [];
  const clock = { ms: 0 };
  const past = new PastReader(
    (request) => asked.push(request),
    () => clock.ms,
  );
  return { past, asked, clock };
}

const range = (from: number, to: number) => ({ from, to, receipts: true });

test('an adapter is given what its own tables hold, whatever else the manager shows', async () => {
  const { past, asked } = reader();
  const reading = past.read(range(5, 6), tables);
  const shown = [transaction(5, writes(...names)), transaction(6, writes('b/private'))];
  past.replied({ kind: 'pastReply', id: asked[0]?.id as number, transactions: shown });
  const [first, second] = await reading;
  assert.deepEqual(first?.writes.map(({ table }) => table).sort(), ['a/private', 'public:a/shown']);
  assert.deepEqual(second?.writes, []);
});

test('an answer about other transactions, or with writes that are none, breaks the protocol', () => {
  const answers: PastTransaction[][] = [
    [transaction(4)],
    [transaction(6)],
    [transaction(5), transaction(7)],
    [transaction(5), transaction(6), transaction(7)],
    [{ ...transaction(5), privateWrites: Buffer.from([9, 9]) }],
  ];
  for (const transactions of answers) {
    const { past, asked } = reader();
    past.read(range(5, 6), tables).catch(() => undefined);
    const reply = { kind: 'pastReply', id: asked[0]?.id as number, transactions } as const;
    assert.throws(() => past.replied(reply), { name: 'WorkerError', code: 'PROTOCOL' });
  }
});

test('few requests are out at a time, the others wait, and too many are refused', async () => {
  const { past, asked } = reader();
  const readings = Array.from({ length: 68 }, (_, at) =>
    past.read(range(at + 1, at + 1), tables, `${at % 8}`),
  );
  assert.equal(asked.length, 4);
  await assert.rejects(past.read(range(1, 1), tables), { code: 'OVERLOADED' });
  for (let at = 0; at < readings.length; at++) {
    const { id, from } = asked[at] as PastRequest;
    past.replied({ kind: 'pastReply', id, transactions: [transaction(from)] });
  }
  assert.equal((await Promise.all(readings)).length, 68);
});

test('codes of the manager arrive, and who waits too long is told', async () => {
  const { past, asked, clock } = reader();
  const pending = past.read(range(1, 1), tables);
  const id = asked[0]?.id as number;
  past.replied({ kind: 'pastReply', id, code: 'TRANSACTION_PENDING', transactions: [] });
  await assert.rejects(pending, { code: 'TRANSACTION_PENDING' });
  const readings = Array.from({ length: 6 }, () => past.read(range(1, 1), tables));
  const ended = Promise.all(readings.map((one) => assert.rejects(one, { code: 'OVERLOADED' })));
  clock.ms = 29_000;
  past.expire();
  assert.equal(asked.length, 5);
  clock.ms = 30_001;
  past.expire();
  await ended;
  past.replied({ kind: 'pastReply', id: asked[1]?.id as number, transactions: [transaction(1)] });
  assert.equal(asked.length, 5, 'what comes too late is for nobody');
});

test('one actor that asks for much waits for itself, others take turns with it', async () => {
  const { past, asked } = reader();
  const read = (seqno: number, who?: string) => past.read(range(seqno, seqno), tables, who);
  const greedy = Array.from({ length: 20 }, (_, at) => read(at + 1, 'greedy'));
  await assert.rejects(read(21, 'greedy'), { code: 'OVERLOADED' });
  const others = [read(100, 'ada'), read(101, 'bob'), read(102, 'ada'), read(103)];
  for (let at = 0; at < asked.length; at++) {
    const { id, from } = asked[at] as PastRequest;
    past.replied({ kind: 'pastReply', id, transactions: [transaction(from)] });
  }
  await Promise.all([...greedy, ...others]);
  const order = asked.map(({ from }) => from).slice(0, 12);
  assert.deepEqual(order, [1, 2, 3, 4, 5, 100, 101, 103, 6, 102, 7, 8]);
});
