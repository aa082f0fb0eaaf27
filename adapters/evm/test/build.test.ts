import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { compileEngine, targets } from '../build.ts';

for (const [name, { entry, output }] of Object.entries(targets)) {
  test(`the ${name} kept here is what its source compiles to, byte for byte`, async () => {
    const { module } = await compileEngine({ entry });
    const kept = await readFile(output);
    assert.ok(kept.equals(module), 'run `node adapters/evm/build.ts` and commit what it writes');
  });
}

test('what does not compile is told with the place', async () => {
  await assert.rejects(compileEngine({ entry: 'assembly/absent.ts' }), /absent\.ts/);
});
