import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testApp } from '@concordat/app';
import app from '../app.ts';

test('a counter counts, whoever counts', async () => {
  const { call } = testApp(app);
  const count = (by: number, name: string) =>
    call(
      'POST /counters/{name}',
      { params: { name: 'visits' }, body: { by } },
      { caller: { name } },
    );
  await count(2, 'alice');
  const { body } = await count(3, 'bob');
  assert.deepEqual(body, { name: 'visits', count: 5, lastBy: 'bob' });
  const read = await call('GET /counters/{name}', { params: { name: 'visits' } });
  assert.deepEqual(read.body, body);
  assert.equal(read.wrote, false);
});

test('a counter that nobody counted with is not found', async () => {
  const { call } = testApp(app);
  const reading = call('GET /counters/{name}', { params: { name: 'visits' } });
  await assert.rejects(reading, { code: 'NoSuchCounter', status: 404 });
});

test('what is no whole number from 1 to 1,000 is refused and changes nothing', async () => {
  const { call, tables } = testApp(app);
  for (const by of [0, 1.5, 1_001]) {
    const counting = call('POST /counters/{name}', { params: { name: 'visits' }, body: { by } });
    await assert.rejects(counting, { code: 'InvalidInput', status: 400 });
  }
  assert.equal(tables.counters.has('visits'), false);
});

test('counters are listed by name, in pages', async () => {
  const { call, seed } = testApp(app);
  seed((tables) => {
    for (let at = 0; at < 150; at += 1) {
      tables.counters.put(`c${String(at).padStart(3, '0')}`, { count: at, lastBy: 'seed' });
    }
  });
  const first = await call('GET /counters');
  assert.equal(first.body.items.length, 100);
  const second = await call('GET /counters', { query: { token: first.body.next } });
  assert.deepEqual(second.body.items.at(-1), { name: 'c149', count: 149, lastBy: 'seed' });
  assert.equal(second.body.next, undefined);
});
