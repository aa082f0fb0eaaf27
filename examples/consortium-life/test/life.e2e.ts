import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConsortiumLife } from '../life.ts';
import { Stage } from '../stage.ts';
import { outlineOf } from '../transcript.ts';

test('the life of a consortium holds, and is the one that the page tells', async (context) => {
  const directory = mkdtempSync(join(tmpdir(), 'concordat-life-'));
  const stage = new Stage(directory, () => undefined);
  const life = new ConsortiumLife(stage);
  context.after(async () => {
    await life.end();
    rmSync(directory, { recursive: true, force: true });
  });
  const { writes, longestGapMs } = await life.play().catch((error: unknown) => {
    context.diagnostic(stage.transcript.slice(-4_000));
    throw error;
  });
  context.diagnostic(`${writes} writes during the upgrade, longest wait ${longestGapMs} ms`);
  assert.ok(writes > 100);
  const page = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const told = outlineOf(page).filter((line) => !line.startsWith('# The life'));
  assert.deepEqual(
    told,
    outlineOf(stage.transcript),
    'node examples/consortium-life/main.ts --write',
  );
});
