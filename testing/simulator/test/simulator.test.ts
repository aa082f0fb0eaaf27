import assert from 'node:assert/strict';
import test from 'node:test';
import { simulate } from '../index.ts';

test('networks under every kind of fault keep every promise and agree after healing', () => {
  const total = { committed: 0, crashes: 0, reconfigurations: 0, reads: 0, retired: 0, views: 0 };
  for (let seed = 1; seed <= 60; seed += 1) {
    const summary = simulate(seed, 600);
    for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += summary[key];
  }
  for (const [what, count] of Object.entries(total)) {
    assert.ok(count > 60, `the runs exercise ${what}: ${count}`);
  }
});

test('the same seed gives the same run', () => {
  assert.deepEqual(simulate(7, 500), simulate(7, 500));
});
