import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { AuditorError } from '../errors.ts';
import { readImage } from '../reexecution-image.ts';

const confined = ['--permission', '--allow-fs-read=<image>', '--disable-proto=delete'];

/** An image with these flags; the measured runtime is any file. */
async function read(t: TestContext, flags: readonly string[]) {
  const directory = await mkdtemp(join(tmpdir(), 'concordat-image-'));
  t.after(() => rm(directory, { recursive: true }));
  const bundle = join(directory, 'bundle.mjs');
  await writeFile(bundle, '');
  const manifest = { name: 'worker', role: 'worker', flags, libraries: [] };
  await writeFile(join(directory, 'image.json'), JSON.stringify(manifest));
  return { directory, image: await readImage(directory, bundle) };
}

describe('an image that a ledger is executed anew with', () => {
  it('is measured with its threads, and runs without', async (t) => {
    const { directory, image } = await read(t, [...confined, '--allow-addons', '--allow-worker']);
    const filled = confined.map((flag) => flag.replace('<image>', directory));
    assert.deepEqual(image.flags, [...filled, '--allow-addons']);
    const without = await read(t, [...confined, '--allow-addons']);
    assert.notEqual(image.measurement, without.image.measurement);
  });

  for (const flag of [
    '--no-permission',
    '--permission-audit',
    '--allow-fs-read=/etc',
    '--allow-fs-read',
    '--allow-fs-read=<image>,/etc',
    '--allow-fs-write=<image>',
    '--allow-child-process',
    '--allow-worker=true',
    '--allow-wasi',
    '--allow-inspector',
    '--allow-openssl-store',
    '--env-file=<image>/more',
    '--env-file-if-exists=<image>/more',
    '--experimental-config-file=<image>/more',
    '--experimental-default-config-file',
  ]) {
    it(`is refused when ${flag} would loosen what confines it`, async (t) => {
      await assert.rejects(read(t, [...confined, flag]), (error) => {
        assert.ok(error instanceof AuditorError);
        assert.equal(error.code, 'INVALID_IMAGE');
        assert.match(error.message, /reach more than its own files/);
        return true;
      });
    });
  }

  it('is refused when nothing confines it', async (t) => {
    await assert.rejects(read(t, confined.slice(1)), { code: 'INVALID_IMAGE' });
  });
});
