import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { FairTurns } from '../fair-turns.ts';

test('who gives up waiting costs those behind it no place among the others', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const turns = new FairTurns(1, 4);
  const served: string[] = [];
  const take = (who: string, name: string, timeoutMs: number): void => {
    void turns.take(who, timeoutMs).then((hasTurn) => served.push(`${name} ${hasTurn}`));
  };
  take('busy', 'busy', 1_000);
  take('ada', 'ada 1', 100);
  take('ada', 'ada 2', 1_000);
  take('bob', 'bob', 1_000);
  mock.timers.tick(100);
  for (const who of ['busy', 'ada', 'bob']) {
    await Promise.resolve();
    turns.giveBack(who);
  }
  await Promise.resolve();
  assert.deepEqual(served, ['busy true', 'ada 1 false', 'ada 2 true', 'bob true']);
});

test('a turn that is not taken in time is no turn, and lines have an end', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const turns = new FairTurns(2, 1);
  assert.equal(await turns.take('ada', 100), true);
  const second = turns.take('ada', 100);
  assert.equal(await turns.take('ada', 100), false, 'one waits already');
  assert.equal(await turns.take('bob', 100), true, 'nobody has two, others have theirs');
  mock.timers.tick(100);
  assert.equal(await second, false);
  turns.giveBack('ada');
  assert.equal(await turns.take('ada', 100), true);
});
