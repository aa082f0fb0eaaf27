import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulateConsensus } from '../index.ts';

test('machines of consensus under every kind of fault keep every promise and agree after healing', () => {
  const total = {
    committed: 0,
    crashes: 0,
    reconfigurations: 0,
    reads: 0,
    retired: 0,
    views: 0,
    flexible: 0,
    restored: 0,
    relayed: 0,
  };
  for (let seed = 1; seed <= 60; seed += 1) {
    const summary = simulateConsensus(seed, 600);
    for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += summary[key];
  }
  for (const [what, count] of Object.entries(total)) {
    assert.ok(count > 20, `the runs exercise ${what}: ${count}`);
  }
});

test('the same seed gives the same run of consensus', () => {
  assert.deepEqual(simulateConsensus(7, 500), simulateConsensus(7, 500));
});
