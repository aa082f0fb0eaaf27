import { test } from 'node:test';
import { followPage } from '@concordat/local-network';

test('an application written from examples/README.md alone, followed literally, works', async (t) => {
  const startedMs = performance.now();
  await followPage('examples/README.md');
  t.diagnostic(`followed in ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
});
