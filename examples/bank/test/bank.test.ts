import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { testApp } from '@concordat/app';
import app from '../app.ts';

const alice = { caller: { name: 'alice' } };
const bob = { caller: { name: 'bob' } };
const teller = { caller: { name: 'tessa', roles: ['teller'] } };
const auditor = { caller: { name: 'ada', roles: ['audit'] } };

/** A bank where alice has 100.00 and bob nothing. */
async function bank() {
  const { call, tables } = testApp(app);
  await call('PUT /accounts/{id}', { params: { id: 'alice-1' } }, alice);
  await call('PUT /accounts/{id}', { params: { id: 'bob-1' } }, bob);
  const deposit = { params: { id: 'alice-1' }, body: { amount: 100_00 } };
  await call('POST /accounts/{id}/deposits', deposit, teller);
  const balance = async (id: string) =>
    (await call('GET /accounts/{id}', { params: { id } }, auditor)).body.balance;
  return { call, tables, balance };
}

const pay = (amount: number) => ({ body: { from: 'alice-1', to: 'bob-1', amount } });

test('a transfer moves money and makes none', async () => {
  const { call, balance } = await bank();
  await call('POST /transfers', pay(30_00), alice);
  assert.deepEqual([await balance('alice-1'), await balance('bob-1')], [70_00, 30_00]);
  const { body } = await call('GET /audit/books', {}, auditor);
  assert.deepEqual(body, { deposited: 100_00, held: 100_00, balanced: true });
});

test('only the owner of an account pays from it, and only what it holds', async () => {
  const { call, balance } = await bank();
  const refused = (payment: ReturnType<typeof pay>, from: typeof alice, code: string) =>
    assert.rejects(call('POST /transfers', payment, from), { code });
  await refused(pay(1), bob, 'NotYourAccount');
  await refused(pay(100_01), alice, 'NotCovered');
  await refused({ body: { from: 'alice-1', to: 'alice-1', amount: 1 } }, alice, 'SameAccount');
  await refused({ body: { from: 'alice-1', to: 'nobody', amount: 1 } }, alice, 'NoSuchAccount');
  await refused(pay(-5), alice, 'InvalidInput');
  await refused(pay(0.5), alice, 'InvalidInput');
  assert.deepEqual([await balance('alice-1'), await balance('bob-1')], [100_00, 0]);
});

test('an account is opened once, and not in the name of the counter', async () => {
  const { call } = await bank();
  const open = (id: string) => call('PUT /accounts/{id}', { params: { id } }, bob);
  await assert.rejects(open('alice-1'), { code: 'AccountTaken', status: 409 });
  await assert.rejects(open('counter'), { code: 'AccountTaken' });
  await assert.rejects(open('Alice 1'), { code: 'InvalidInput' });
});

test('another one’s account looks as if it were not there', async () => {
  const { call } = await bank();
  const read = (id: string) => call('GET /accounts/{id}', { params: { id } }, bob);
  const told = async (id: string) => read(id).catch((error: Error) => error.message);
  assert.equal(
    await told('alice-1'),
    (await told('nobody'))?.toString().replace('nobody', 'alice-1'),
  );
  await assert.rejects(call('GET /accounts/{id}/statement', { params: { id: 'alice-1' } }, bob), {
    status: 404,
  });
});

test('roles open the counter and the books, and nothing else does', async () => {
  const { call } = await bank();
  const deposit = { params: { id: 'bob-1' }, body: { amount: 1 } };
  await assert.rejects(call('POST /accounts/{id}/deposits', deposit, bob), { status: 403 });
  await assert.rejects(call('GET /audit/accounts', {}, teller), { status: 403 });
  const { body } = await call('GET /audit/accounts', {}, auditor);
  assert.deepEqual(body.items, [
    { id: 'alice-1', ownerName: 'alice', balance: 100_00 },
    { id: 'bob-1', ownerName: 'bob', balance: 0 },
  ]);
});

test('a statement has every entry in order, in pages', async () => {
  const { call } = await bank();
  for (let cents = 1; cents <= 60; cents += 1) await call('POST /transfers', pay(cents), alice);
  const read = (token?: string) =>
    call('GET /accounts/{id}/statement', { params: { id: 'alice-1' }, query: { token } }, alice);
  const first = (await read()).body;
  const second = (await read(first.next)).body;
  const entries = [...first.items, ...second.items];
  assert.deepEqual(
    entries.map(({ number }) => number),
    Array.from({ length: 61 }, (_, at) => at + 1),
  );
  assert.equal(entries.at(-1)?.balance, 100_00 - (60 * 61) / 2);
  assert.equal(second.next, undefined);
});

test('a transfer’s receipt proves its answer', async () => {
  const { call } = await bank();
  const { body, claims } = await call('POST /transfers', pay(30_00), alice);
  const digest = createHash('sha256').update(JSON.stringify(body)).digest();
  assert.deepEqual(Buffer.from(claims ?? []), digest);
});
