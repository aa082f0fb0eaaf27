import { strict as assert } from 'node:assert';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { maxPageBytes } from '@concordat/bridge';
import { PageStore } from '../page-store.ts';
import { cutEverywhere } from './power-cut.ts';

async function temporary(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'history-'));
  context.after(() => rm(directory, { recursive: true }));
  return directory;
}

const pageOf = (page: number, version = 0): Buffer => Buffer.alloc(5000, page + version);

test('a page comes back, also after a restart, and a new one takes its place', async (context) => {
  const directory = await temporary(context);
  const store = await PageStore.open(directory);
  await Promise.all([0, 1, 2 ** 32 - 1].map((page) => store.put(page, pageOf(page % 251))));
  await store.put(1, pageOf(1, 7));
  assert.equal(await store.get(2), undefined);
  const again = await PageStore.open(directory);
  assert.deepEqual(await again.get(0), pageOf(0));
  assert.deepEqual(await again.get(1), pageOf(1, 7));
  assert.deepEqual(await again.get(2 ** 32 - 1), pageOf((2 ** 32 - 1) % 251));
});

test('a page is read as it was put last, also while that is being written', async (context) => {
  const store = await PageStore.open(await temporary(context));
  await store.put(3, pageOf(3));
  const put = store.put(3, pageOf(3, 1));
  assert.deepEqual(await store.get(3), pageOf(3, 1));
  await put;
});

test('what an interrupted write left is removed; foreign files stay and are named', async (context) => {
  const directory = await temporary(context);
  for (const name of ['page_1.page.tmp', 'page_01.page', 'page_x.page', 'notes']) {
    await writeFile(join(directory, name), 'x');
  }
  const store = await PageStore.open(directory);
  assert.deepEqual([...store.unknown].sort(), ['notes', 'page_01.page', 'page_x.page']);
  assert(!(await readdir(directory)).includes('page_1.page.tmp'));
});

test('a file that cannot be a page reads as none', async (context) => {
  const directory = await temporary(context);
  const store = await PageStore.open(directory);
  await writeFile(join(directory, 'page_1.page'), '');
  await writeFile(join(directory, 'page_2.page'), Buffer.alloc(maxPageBytes + 1));
  assert.equal(await store.get(1), undefined);
  assert.equal(await store.get(2), undefined);
});

test('too many pages waiting are refused', async (context) => {
  const store = await PageStore.open(await temporary(context));
  const puts = Array.from({ length: 64 }, (_, page) => store.put(page, pageOf(page)));
  await assert.rejects(store.put(64, pageOf(64)), { code: 'BUSY' });
  await Promise.all(puts);
  await store.put(64, pageOf(64));
});

for (const [code, name] of [
  ['EIO', 'DISK_ERROR'],
  ['ENOSPC', 'DISK_FULL'],
] as const) {
  test(`whenever the disk fails with ${code}, a page is the old or the new one, and durable once told`, async () => {
    let stored = false;
    await cutEverywhere({
      code,
      prepare: async (directory) => (await PageStore.open(directory)).put(1, pageOf(1)),
      act: async (directory) => {
        const store = await PageStore.open(directory);
        stored = await store.put(1, pageOf(1, 9)).then(
          () => true,
          (error) => {
            assert.equal(error.code, name);
            return false;
          },
        );
      },
      check: async (directory, cut) => {
        const page = (await (await PageStore.open(directory)).get(1)) as Buffer;
        assert(page.equals(pageOf(1, 9)) || (!stored && page.equals(pageOf(1))), cut);
      },
    });
  });
}
