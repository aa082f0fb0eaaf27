import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeptDocument } from '../end-users/kept-document.ts';

/** A document that counts how often it was fetched. */
function kept() {
  const world = { nowMs: 0, loads: 0, isDown: false, hang: undefined as Promise<void> | undefined };
  const document = new KeptDocument({
    load: async () => {
      world.loads += 1;
      await world.hang;
      if (world.isDown) throw new Error(`down ${world.loads}`);
      return { number: world.loads };
    },
    freshMs: 1_000,
    keptMs: 10_000,
    pauseMs: 100,
    patienceMs: 50,
    now: () => world.nowMs,
  });
  return { world, document };
}

test('it is fetched once for all who wait, and again when it is old', async () => {
  const { world, document } = kept();
  const all = await Promise.all([document.get(), document.get(), document.renewed()]);
  assert.equal(world.loads, 1);
  assert.deepEqual(all[0], { number: 1 });
  world.nowMs = 999;
  assert.equal((await document.get()).number, 1);
  world.nowMs = 1_000;
  assert.equal((await document.get()).number, 2);
});

test('a newer one is had at most so often', async () => {
  const { world, document } = kept();
  await document.get();
  assert.equal(await document.renewed(), undefined);
  world.nowMs = 99;
  assert.equal(await document.renewed(), undefined);
  world.nowMs = 100;
  assert.deepEqual(await document.renewed(), { number: 2 });
  assert.equal(await document.renewed(), undefined);
  assert.equal(world.loads, 2);
  assert.deepEqual(await document.renewed(0), { number: 3 });
});

test('the last one does while no newer one can be had, and not for ever', async () => {
  const { world, document } = kept();
  await document.get();
  world.isDown = true;
  world.nowMs = 1_000;
  assert.equal((await document.get()).number, 1);
  assert.equal(world.loads, 2);
  assert.equal((await document.get()).number, 1);
  assert.equal(await document.renewed(), undefined);
  assert.equal(world.loads, 2, 'failures are not repeated at once');
  world.nowMs = 10_000;
  await assert.rejects(document.get(), /down 3/);
  await assert.rejects(document.get(), /down 3/, 'the same failure meanwhile');
  world.isDown = false;
  world.nowMs = 10_100;
  assert.equal((await document.get()).number, 4);
});

test('who could do with the last one waits a moment, and not each time, for one that does not come', async () => {
  const { world, document } = kept();
  await document.get();
  const hanging = Promise.withResolvers<void>();
  world.hang = hanging.promise;
  world.isDown = true;
  world.nowMs = 1_000;
  assert.equal((await document.get()).number, 1);
  const since = performance.now();
  for (let count = 0; count < 100; count++) assert.equal((await document.get()).number, 1);
  assert.ok(performance.now() - since < 1_000, 'a hundred did not wait one after the other');
  assert.equal(world.loads, 2);
  const needing = document.renewed();
  world.nowMs = 1_099;
  hanging.resolve();
  assert.equal(await needing, undefined);
  await document.get();
  assert.equal(world.loads, 2, 'it failed just now, however long ago it was asked');
  world.isDown = false;
  world.hang = undefined;
  world.nowMs = 1_199;
  assert.equal((await document.get()).number, 3);
});
