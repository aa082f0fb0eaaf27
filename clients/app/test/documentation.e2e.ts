import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildBundle } from '@concordat/app';

test('the application that the documentation shows can be built as it stands', async () => {
  const page = new URL('../../../docs/typed-applications.md', import.meta.url);
  const [, application] = /```ts\n([\s\S]*?)```/.exec(readFileSync(page, 'utf8')) ?? [];
  assert.ok(application);
  const directory = mkdtempSync(join(tmpdir(), 'concordat-page-'));
  try {
    writeFileSync(join(directory, 'app.ts'), application);
    const { openApi } = await buildBundle(directory);
    assert.deepEqual(Object.keys(openApi.paths), ['/accounts/{id}/deposits']);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
