import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { measureImage } from '../index.ts';

const script = fileURLToPath(new URL('../../../scripts/build-images.ts', import.meta.url));

test('two builds of the manager image from different places are equal byte for byte', async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'images-'));
  context.after(() => rm(directory, { recursive: true }));
  const builds = [
    { output: 'one', cwd: '/', env: { TZ: 'UTC', LANG: 'C' } },
    { output: 'two', cwd: directory, env: { TZ: 'Asia/Tokyo', LANG: 'tr_TR.UTF-8' } },
  ];
  for (const { output, cwd, env } of builds) {
    const args = [script, '--image', 'manager', '--output', join(directory, output)];
    await promisify(execFile)(process.execPath, args, { cwd, env });
  }
  const read = (output: string, name: string) => readFile(join(directory, output, name));
  const names = await readdir(join(directory, 'one/manager'));
  assert.deepEqual(names.sort(), ['bundle.mjs', 'image.json']);
  for (const name of [...names.map((file) => `manager/${file}`), 'measurements.json']) {
    assert.deepEqual(await read('one', name), await read('two', name), name);
  }
  const [entry] = JSON.parse(String(await read('one', 'measurements.json')));
  const measured = await measureImage(join(directory, 'two/manager'), process.execPath);
  assert.equal(entry.measurement, measured.measurement);
});
