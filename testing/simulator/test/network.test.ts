import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulateNetwork } from '../index.ts';
import { runSeeds } from '../run-seeds.ts';

/** Seeds of this test; the command runs as many as one likes. */
const seeds = 8;
const chaosMs = 4_000;

test('whole networks under faults of every kind keep every promise and serve again after healing', async () => {
  const total = { blocks: 0, acknowledged: 0, receipts: 0, launches: 0, seals: 0, views: 0 };
  let faults = 0;
  for (let seed = 1; seed <= seeds; seed += 1) {
    const summary = await simulateNetwork(seed, { chaosMs });
    for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += summary[key];
    faults += Object.values(summary.faults).reduce((sum, count) => sum + count, 0);
  }
  for (const [what, count] of Object.entries(total)) {
    assert.ok(count >= seeds, `the runs exercise ${what}: ${count}`);
  }
  assert.ok(faults > 10 * seeds, `${faults} faults`);
});

test('the same seed gives the same events and bytes, twice in one process and in two others', async () => {
  const once = await simulateNetwork(3, { chaosMs: 2_000 });
  const again = await simulateNetwork(3, { chaosMs: 2_000 });
  assert.deepEqual(again, once);
  assert.notEqual((await simulateNetwork(4, { chaosMs: 2_000 })).trace, once.trace);
  const traces: (string | undefined)[] = [];
  for (const first of [2, 3]) {
    // Seed 3 is the second run of one process and the first of another.
    const range = { level: 'network' as const, first, count: 2, ticks: 100, jobs: 2 };
    for await (const result of runSeeds(range)) {
      if (result.ok && result.seed === 3) traces.push(result.summary.trace);
    }
  }
  assert.deepEqual(traces, [once.trace, once.trace]);
});

test('after a run this process has its own clock, timers, files and entropy again', async () => {
  const before = [Date.now, setTimeout, setImmediate, Math.random, performance.now];
  await simulateNetwork(6, { chaosMs: 100 });
  assert.deepEqual([Date.now, setTimeout, setImmediate, Math.random, performance.now], before);
});
