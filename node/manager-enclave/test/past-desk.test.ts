import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maxPastTransactions } from '@concordat/bridge';
import { verifyReceipt } from '@concordat/ledger';
import { PastDesk } from '../past-desk.ts';
import { batch, threeNodes } from './fixture.ts';

const ask = (from: number, to: number, receipts = true) =>
  ({ kind: 'past', id: 7, from, to, receipts }) as const;

/** A ledger whose blocks are of two workers in turn, three transactions each. */
async function filled() {
  const { world, first, second } = await threeNodes();
  const placed: { seqno: number; view: number; source: number; text: string }[] = [];
  for (let n = 0; n < 6; n++) {
    const source = 1 + (n % 2);
    const texts = ['a', 'b', 'c'].map((name) => `${name}${n}`);
    const at = first.driver.place(source, batch(...texts));
    assert(at.ok);
    for (const [i, text] of texts.entries()) {
      placed.push({ seqno: at.firstSeqno + i, view: at.view, source, text });
    }
  }
  await world.tick(3);
  return { world, first, second, placed };
}

test('a worker sees the writes of its own transactions, of others that they are there', async () => {
  const { first, second, placed } = await filled();
  const last = placed.at(-1)?.seqno as number;
  for (const node of [first, second]) {
    const reply = await new PastDesk(node).answer(1, ask(1, last));
    assert.equal(reply.code, undefined);
    assert.equal(reply.transactions.length, last);
    for (const [at, one] of reply.transactions.entries()) {
      assert.equal(one.seqno, at + 1);
      const mine = placed.find(({ seqno, source }) => seqno === one.seqno && source === 1);
      assert.equal(Buffer.from(one.privateWrites).toString(), mine?.text ?? '');
      // Of the administrative ones at the beginning, all of whose writes are public, nothing either.
      assert.equal(one.publicWrites.length, 0);
      const receipt = JSON.parse(Buffer.from(one.receipt).toString()) as unknown;
      const verdict = verifyReceipt(receipt, node.network.certificate);
      assert(verdict.ok);
      assert.equal(verdict.transactionId, `${one.view}.${one.seqno}`);
    }
  }
});

test('receipts come only when they are asked for', async () => {
  const { first } = await filled();
  const { transactions } = await new PastDesk(first).answer(1, ask(1, 3, false));
  assert.deepEqual(
    transactions.map(({ receipt }) => receipt.length),
    [0, 0, 0],
  );
});

test('nothing that is not committed is shown, and ranges that are none are refused', async () => {
  const { world, first, placed } = await filled();
  const desk = new PastDesk(first);
  const last = placed.at(-1)?.seqno as number;
  const pending = first.driver.place(1, batch('secret still'));
  assert(pending.ok);
  assert.equal((await desk.answer(1, ask(last + 1, last + 1))).code, 'TRANSACTION_PENDING');
  const { transactions } = await desk.answer(1, ask(last, last + 1));
  assert.equal(transactions.length, 1, 'up to what is committed');
  assert.equal((await desk.answer(1, ask(2 ** 52, 2 ** 53 - 1))).code, 'TRANSACTION_PENDING');
  for (const [from, to] of [
    [0, 1],
    [3, 2],
  ] as const) {
    assert.equal((await desk.answer(1, ask(from, to))).code, 'TRANSACTION_NOT_FOUND');
  }
  await world.settle();
});

test('one reply is bounded, and so are the requests of one worker', async () => {
  const { world, first } = await filled();
  const texts = Array.from({ length: maxPastTransactions + 50 }, (_, at) => `${at}`);
  const at = first.driver.place(1, batch(...texts));
  assert(at.ok);
  await world.tick(3);
  const desk = new PastDesk(first);
  const whole = ask(at.firstSeqno, at.firstSeqno + texts.length);
  const { transactions } = await desk.answer(1, whole);
  assert.equal(transactions.length, maxPastTransactions);
  const large = first.driver.place(1, batch(...Array(4).fill('x'.repeat(3 * 1024 * 1024))));
  assert(large.ok);
  await world.tick(3);
  const part = await desk.answer(1, ask(large.firstSeqno, large.firstSeqno + 3));
  assert.equal(part.transactions.length, 1);
  const many = await Promise.all(Array.from({ length: 6 }, () => desk.answer(1, ask(1, 1))));
  assert.deepEqual(
    many.map(({ code }) => code),
    [undefined, undefined, undefined, undefined, 'OVERLOADED', 'OVERLOADED'],
  );
  assert.equal((await desk.answer(1, ask(1, 1))).code, undefined, 'there is room again');
});

test('a block the host changed is taken from another node, or nothing of it is shown', async () => {
  const { world, first, placed } = await filled();
  const { seqno, text } = placed[0] as { seqno: number; text: string };
  first.host.tamper = ([block]) => [(block as Uint8Array).with(60, 1)];
  const { transactions } = await new PastDesk(first).answer(1, ask(seqno, seqno));
  assert.equal(Buffer.from(transactions[0]?.privateWrites ?? []).toString(), text);
  world.cut.add(first.id);
  const refused = await new PastDesk(first).answer(1, ask(seqno, seqno));
  assert.equal(refused.code, 'LEDGER_CORRUPT');
  assert.deepEqual(refused.transactions, []);
});

test('whatever is asked of the past, the present has half of the time', async () => {
  const { first, placed } = await filled();
  const blockMs = 20;
  const { log, pages, held, archive, control } = first;
  const proven = (height: number) => {
    for (const untilMs = performance.now() + blockMs; performance.now() < untilMs; );
    return first.stored.proven(height);
  };
  const stored = { proven } as typeof first.stored;
  const desk = new PastDesk({ log, pages, stored, held, archive, control });
  const own = placed.filter(({ text }) => text.startsWith('a')).map(({ seqno }) => seqno);
  const sinceMs = performance.now();
  await Promise.all(own.slice(0, 4).map((seqno) => desk.answer(1, ask(seqno, seqno))));
  assert.ok(performance.now() - sinceMs >= 7 * blockMs, 'four blocks and three rests');
});
