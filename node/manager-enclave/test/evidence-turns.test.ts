import assert from 'node:assert/strict';
import { mock, type TestContext, test } from 'node:test';
import { EvidenceTurns } from '../evidence-turns.ts';

const perSecond = 20;

function start(t: TestContext) {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  let nowMs = 0;
  const turns = new EvidenceTurns(() => nowMs);
  const told: string[] = [];
  const ask = (name: string, connection: { destroyed: boolean }, actor?: string): void => {
    turns.take({ connection, actor }).then(
      () => told.push(name),
      (error: { code: string }) => told.push(`${name} ${error.code}`),
    );
  };
  return {
    ask,
    /** What was told since the last time. */
    told: async () => {
      await Promise.resolve();
      await Promise.resolve();
      return told.splice(0);
    },
    pass: async (ms: number) => {
      for (let at = 0; at < ms; at += 50) {
        nowMs += 50;
        mock.timers.tick(50);
        // Whoever is served may ask again before the next turn.
        for (let turn = 0; turn < 5; turn++) await Promise.resolve();
      }
    },
  };
}

const connection = () => ({ destroyed: false });

test('what was saved up is there at once, then one comes every 50 ms', async (t) => {
  const { ask, told, pass } = start(t);
  for (let at = 0; at < 102; at++) ask(`${at}`, connection());
  assert.equal((await told()).length, 100);
  await pass(50);
  assert.deepEqual(await told(), ['100']);
  await pass(50);
  assert.deepEqual(await told(), ['101']);
});

test('one connection that asks again and again delays others by one turn', async (t) => {
  const { ask, told, pass } = start(t);
  const greedy = connection();
  for (let at = 0; at < 100; at++) ask('greedy', greedy);
  await told();
  for (let at = 0; at < 50; at++) ask('greedy', greedy);
  assert.deepEqual(await told(), Array(49).fill('greedy OVERLOADED'), 'one waits');
  for (const name of ['a', 'b', 'c']) ask(name, connection());
  await pass(200);
  assert.deepEqual(await told(), ['a', 'b', 'c', 'greedy']);
});

test('many connections that never stop leave a newcomer its turn', async (t) => {
  const { ask, told, pass } = start(t);
  const many = Array.from({ length: 256 }, connection);
  for (let round = 0; round < 3; round++) {
    for (const one of many) ask('many', one);
    await pass(15_000);
    await told();
  }
  for (const one of many) ask('many', one);
  await told();
  ask('newcomer', connection());
  await pass(50);
  assert.deepEqual(await told(), ['newcomer']);
});

test('those who said who they are, and those who did not, take turns by actor', async (t) => {
  const { ask, told, pass } = start(t);
  for (let at = 0; at < 100; at++) ask('', connection());
  await told();
  for (let at = 0; at < 300; at++) ask('nobody', connection());
  for (let at = 0; at < 100; at++) ask('ada', connection(), 'ada');
  ask('bob', connection(), 'bob');
  await pass(250);
  assert.deepEqual(await told(), ['nobody', 'ada', 'bob', 'nobody', 'ada']);
});

test('the room to wait is bounded, and whoever has had less takes the place of one with more', async (t) => {
  const { ask, told, pass } = start(t);
  const many = Array.from({ length: 500 }, connection);
  for (const one of many) ask('many', one);
  assert.deepEqual(new Set(await told()), new Set(['many']));
  ask('as new', connection());
  assert.deepEqual(await told(), ['as new OVERLOADED']);
  await pass(20_000);
  await told();
  for (const one of many) ask('again', one);
  assert.deepEqual(new Set(await told()), new Set(['again']));
  ask('new', connection());
  assert.deepEqual(await told(), ['again OVERLOADED']);
  await pass(50);
  assert.deepEqual(await told(), ['new']);
});

test('who is gone waits no more, and nobody waits longer than 15 seconds', async (t) => {
  const { ask, told, pass } = start(t);
  for (let at = 0; at < 100; at++) ask('', connection());
  await told();
  const gone = Array.from({ length: 400 }, connection);
  for (const one of gone) ask('gone', one);
  for (const one of gone) one.destroyed = true;
  ask('here', connection());
  await pass(50);
  const first = await told();
  assert.equal(first.filter((one) => one === 'here').length, 1);
  for (let at = 0; at < 400; at++) ask('late', connection());
  await pass(15_100);
  const later = await told();
  const served = later.filter((one) => one === 'late').length;
  assert.ok(served >= 14 * perSecond && served <= 16 * perSecond, `${served}`);
  assert.equal(later.filter((one) => one === 'late OVERLOADED').length, 400 - served);
});

test('actors that fill the room to wait make room for one that has nobody there', async (t) => {
  const { ask, told, pass } = start(t);
  for (let at = 0; at < 100; at++) ask('', connection());
  await told();
  for (let at = 0; at < 200; at++) for (const who of ['ada', 'bob']) ask(who, connection(), who);
  await told();
  ask('cyd', connection(), 'cyd');
  assert.equal((await told()).join(), 'ada OVERLOADED');
  ask('bob', connection(), 'bob');
  assert.equal((await told()).join(), 'bob OVERLOADED', 'nobody makes room for who has most');
  await pass(150);
  assert.deepEqual(await told(), ['ada', 'bob', 'cyd']);
});
