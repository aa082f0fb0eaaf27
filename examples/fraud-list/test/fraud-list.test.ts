import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testApp } from '@concordat/app';
import app from '../app.ts';
import { blind } from '../blind.ts';

const desk = (name: string) => ({ caller: { name, roles: ['fraud-desk'] } });
const north = desk('north-bank');
const south = desk('south-bank');
const west = desk('west-bank');
const regulator = { caller: { name: 'regulator', roles: ['audit'] } };
const key = 'agreed among the members';
const tag = blind('DE89 3704 0044 0532 0130 00', key);
const other = blind('GB29 NWBK 6016 1331 9268 19', key);

async function lists() {
  const tested = testApp(app, { now: () => 1_700_000_000_000 });
  const add = (who: typeof north, ...tags: string[]) =>
    tested.call('POST /records', { body: { tags } }, who);
  await add(north, tag, other);
  await add(south, tag);
  return { ...tested, add };
}

test('the same account has the same tag however it is written, and another key gives another', () => {
  assert.equal(blind('de89370400440532013000', key), tag);
  assert.notEqual(blind('DE89 3704 0044 0532 0130 01', key), tag);
  assert.notEqual(blind('DE89 3704 0044 0532 0130 00', 'another key'), tag);
  // What `printf DE89370400440532013000 | openssl dgst -sha256 -hmac 'agreed among the members'` says.
  assert.equal(tag, '24f773cf973b9146b883b944e4ff2019e2f7feac1a03c1c4049da42843bd12aa');
});

test('a match tells who else holds the record, and nothing of their lists', async () => {
  const { call } = await lists();
  const { body } = await call('POST /matches', { body: { tag } }, south);
  assert.deepEqual(body, { others: 1, members: ['north-bank'] });
  const mine = await call('GET /records', {}, south);
  assert.deepEqual(mine.body.items, [tag]);
});

test('a record that nobody else holds matches nobody', async () => {
  const { call } = await lists();
  const { body } = await call('POST /matches', { body: { tag: other } }, north);
  assert.deepEqual(body, { others: 0, members: [] });
});

test('who does not hold a record cannot ask for it, so that no list can be probed', async () => {
  const { call, tables } = await lists();
  await assert.rejects(call('POST /matches', { body: { tag } }, west), { code: 'NoSuchRecord' });
  assert.equal(tables.matches.count(), 0);
});

test('every match is recorded: for who was found, and without the record for the auditor', async () => {
  const { call } = await lists();
  await call('POST /matches', { body: { tag } }, south);
  await call('POST /matches', { body: { tag: other } }, north);
  const asked = await call('GET /asked', {}, north);
  assert.deepEqual(asked.body.items, [{ tag, by: 'south-bank', time: 1_700_000_000_000 }]);
  assert.deepEqual((await call('GET /asked', {}, west)).body.items, []);
  const { body } = await call('GET /audit/matches', {}, regulator);
  assert.deepEqual(
    body.items.map(({ number, by, others }) => [number, by, others]),
    [
      [1, 'south-bank', 1],
      [2, 'north-bank', 0],
    ],
  );
  assert.ok(!JSON.stringify(body).includes(tag));
});

test('adding a record twice adds it once, and a removed one matches no more', async () => {
  const { call, add } = await lists();
  assert.deepEqual((await add(south, tag)).body, { added: 0 });
  await call('DELETE /records/{tag}', { params: { tag } }, south);
  const { body } = await call('POST /matches', { body: { tag } }, north);
  assert.equal(body.others, 0);
  await assert.rejects(call('DELETE /records/{tag}', { params: { tag } }, south), { status: 404 });
});

test('outsiders add and ask nothing, and what is no tag is refused', async () => {
  const { call, add } = await lists();
  await assert.rejects(add(regulator, tag), { status: 403 });
  await assert.rejects(call('GET /audit/matches', {}, north), { status: 403 });
  await assert.rejects(add(west, 'DE89370400440532013000'), { code: 'InvalidInput' });
  await assert.rejects(add(west), { code: 'InvalidInput' });
});
