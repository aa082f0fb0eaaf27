import { strict as assert } from 'node:assert';
import {
  appendFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { SnapshotStore } from '../snapshot-store.ts';
import { cutEverywhere } from './power-cut.ts';

async function temporary(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'snapshots-'));
  context.after(() => rm(directory, { recursive: true }));
  return directory;
}

const chunkOf = (height: number, index: number): Buffer =>
  Buffer.alloc(1000 + index, (height + index) % 251);

async function storeSnapshot(store: SnapshotStore, height: number, chunks: number): Promise<void> {
  await store.begin(height);
  for (let index = 0; index < chunks; index++) {
    await store.chunk(height, index, chunkOf(height, index));
  }
  await store.finish(height, chunks);
}

/** Every finished snapshot reads back as it was written. */
async function checkFinished(store: SnapshotStore, cut = ''): Promise<void> {
  for (const { height, chunks } of store.finished) {
    for (let index = 0; index < chunks; index++) {
      assert.deepEqual(await store.read(height, index), chunkOf(height, index), cut);
    }
    assert.equal(await store.read(height, chunks), undefined);
  }
}

test('a snapshot comes back chunk by chunk, also after a restart', async (context) => {
  const directory = await temporary(context);
  const store = await SnapshotStore.open(directory);
  await storeSnapshot(store, 10, 3);
  await checkFinished(store);
  assert.equal(await store.read(10, 3), undefined);
  assert.equal(await store.read(11, 0), undefined);
  await store.close();
  const again = await SnapshotStore.open(directory);
  assert.deepEqual(again.finished, [{ height: 10, chunks: 3 }]);
  await checkFinished(again);
});

test('the newest two are kept, and the one just finished whatever its height', async (context) => {
  const directory = await temporary(context);
  const store = await SnapshotStore.open(directory);
  for (const height of [10, 20, 30]) await storeSnapshot(store, height, 1);
  assert.deepEqual(
    store.finished.map(({ height }) => height),
    [20, 30],
  );
  await storeSnapshot(store, 15, 1);
  assert.deepEqual(
    store.finished.map(({ height }) => height),
    [15, 30],
  );
  assert.equal((await readdir(directory)).length, 2);
  await checkFinished(store);
});

test('a snapshot of the same height takes the place of the one before', async (context) => {
  const store = await SnapshotStore.open(await temporary(context));
  await storeSnapshot(store, 10, 3);
  await storeSnapshot(store, 10, 2);
  assert.deepEqual(store.finished, [{ height: 10, chunks: 2 }]);
  await checkFinished(store);
});

test('a snapshot that is not finished cannot be read and is gone after a restart', async (context) => {
  const directory = await temporary(context);
  const store = await SnapshotStore.open(directory);
  await store.begin(10);
  await store.chunk(10, 0, chunkOf(10, 0));
  assert.equal(await store.read(10, 0), undefined);
  const again = await SnapshotStore.open(directory);
  assert.deepEqual([again.finished, again.recovery.unfinished], [[], 1]);
  assert.deepEqual(await readdir(directory), []);
  await store.close();
});

test('chunks out of order, twice, without a beginning or beyond the count are refused', async (context) => {
  const directory = await temporary(context);
  const refused = { code: 'INVALID_SNAPSHOT' };
  const store = await SnapshotStore.open(directory);
  await assert.rejects(store.chunk(10, 0, chunkOf(10, 0)), refused);
  await assert.rejects(store.finish(10, 1), refused);
  for (const index of [0, 2]) {
    await store.begin(10);
    await store.chunk(10, 0, chunkOf(10, 0));
    await assert.rejects(store.chunk(10, index, chunkOf(10, 1)), refused, `chunk ${index}`);
    await assert.rejects(store.finish(10, 1), refused, 'it was given up');
  }
  await store.begin(10);
  await assert.rejects(store.finish(10, 0), refused, 'no snapshot is empty');
  await store.begin(10);
  await store.chunk(10, 0, chunkOf(10, 0));
  await assert.rejects(store.finish(10, 2), refused);
  assert.deepEqual([store.finished, await readdir(directory)], [[], []]);
});

test('two snapshots are stored side by side, not three; beginning again begins anew', async (context) => {
  const store = await SnapshotStore.open(await temporary(context));
  for (const height of [10, 20, 30]) await store.begin(height);
  await store.chunk(10, 0, chunkOf(10, 0));
  await store.chunk(20, 0, chunkOf(20, 0));
  await assert.rejects(store.chunk(30, 0, chunkOf(30, 0)), { code: 'INVALID_SNAPSHOT' });
  await storeSnapshot(store, 10, 2);
  await store.finish(20, 1);
  assert.deepEqual(store.finished.length, 2);
  await checkFinished(store);
});

test('too many bytes waiting are refused without giving the snapshot up', async (context) => {
  const store = await SnapshotStore.open(await temporary(context));
  await store.begin(10);
  const large = Buffer.alloc(4 * 1024 * 1024, 1);
  const stored = Array.from({ length: 16 }, (_, index) => store.chunk(10, index, large));
  await assert.rejects(store.chunk(10, 16, large), { code: 'BUSY' });
  await Promise.all(stored);
  await store.chunk(10, 16, large);
  await store.finish(10, 17);
  assert.deepEqual(await store.read(10, 16), large);
});

test('a dropped snapshot is gone, finished or under way', async (context) => {
  const directory = await temporary(context);
  const store = await SnapshotStore.open(directory);
  await storeSnapshot(store, 10, 1);
  await store.begin(20);
  await store.chunk(20, 0, chunkOf(20, 0));
  await store.drop(10);
  await store.drop(20);
  await store.drop(30);
  assert.deepEqual([store.finished, await readdir(directory)], [[], []]);
  await assert.rejects(store.chunk(20, 1, chunkOf(20, 1)), { code: 'INVALID_SNAPSHOT' });
});

test('a damaged snapshot is set aside, only the newest of them, and the rest serves', async (context) => {
  const directory = await temporary(context);
  const store = await SnapshotStore.open(directory);
  await storeSnapshot(store, 30, 3);
  const path = join(directory, 'snapshot_30.snapshot');
  const whole = await readFile(path);
  const flip = (at: number): Buffer => {
    const bytes = Buffer.from(whole);
    bytes[at]! ^= 1;
    return bytes;
  };
  const end = whole.length;
  const bad: readonly Buffer[] = [
    Buffer.alloc(0),
    whole.subarray(0, 20),
    whole.subarray(0, end - 1),
    Buffer.concat([whole, Buffer.alloc(1)]),
    flip(0),
    flip(15),
    flip(end - 1),
    flip(end - 9),
    flip(end - 12 - 8),
    flip(end - 12 - 24),
    Buffer.alloc(100_000, 0xff),
  ];
  for (const [at, bytes] of bad.entries()) {
    await writeFile(path, bytes);
    await writeFile(join(directory, 'snapshot_20.snapshot'), 'garbage');
    const again = await SnapshotStore.open(directory);
    assert.deepEqual([...again.recovery.damaged].sort(), [20, 30], `case ${at}`);
    assert.deepEqual(again.finished, []);
    assert.deepEqual(await readdir(directory), ['snapshot_30.damaged']);
  }
});

test('whatever lies in the directory, the store opens and says what it left alone', async (context) => {
  const directory = await temporary(context);
  await mkdir(join(directory, 'snapshot_7.snapshot'));
  await mkdir(join(directory, 'snapshot_8.partial'));
  for (const name of ['notes.txt', 'snapshot_0.snapshot', 'snapshot_x.partial']) {
    await writeFile(join(directory, name), 'x');
  }
  const store = await SnapshotStore.open(directory);
  assert.deepEqual([store.finished, store.recovery.damaged], [[], [7]]);
  assert.equal(store.recovery.unknown.length, 3);
});

test('a chunk whose file was cut, replaced or removed under the store reads as absent', async (context) => {
  const directory = await temporary(context);
  const store = await SnapshotStore.open(directory);
  await storeSnapshot(store, 10, 3);
  await truncate(join(directory, 'snapshot_10.snapshot'), 2000);
  assert.deepEqual(await store.read(10, 0), chunkOf(10, 0));
  assert.equal(await store.read(10, 1), undefined);
  await rm(join(directory, 'snapshot_10.snapshot'));
  assert.equal(await store.read(10, 0), undefined);
  await appendFile(join(directory, 'snapshot_10.snapshot'), Buffer.alloc(50));
  assert.equal(await store.read(10, 0), undefined);
});

test('whenever the power fails, a finished snapshot is whole and an unfinished one is not there', async () => {
  let finished: number[] = [];
  const changes = await cutEverywhere({
    prepare: async (directory) => {
      const store = await SnapshotStore.open(directory);
      await storeSnapshot(store, 20, 2);
    },
    act: async (directory) => {
      finished = [20];
      const store = await SnapshotStore.open(directory).catch(() => undefined);
      if (!store) return;
      try {
        for (const height of [30, 40]) {
          await storeSnapshot(store, height, 3);
          finished.push(height);
        }
      } catch (error) {
        assert.equal((error as { code: string }).code, 'DISK_ERROR');
      }
      await store.close().catch(() => {});
    },
    check: async (directory, cut) => {
      const store = await SnapshotStore.open(directory);
      const heights = store.finished.map(({ height }) => height);
      assert(heights.includes(finished.at(-1) as number), cut);
      assert.deepEqual(store.recovery.damaged, [], cut);
      await checkFinished(store, cut);
      await storeSnapshot(store, 30, 3);
      await checkFinished(store, cut);
    },
  });
  assert(changes >= 16, `${changes} changes`);
});

test('whenever the disk is full, the snapshot fails by that name and leaves nothing behind', async () => {
  await cutEverywhere({
    code: 'ENOSPC',
    prepare: async (directory) => {
      const store = await SnapshotStore.open(directory);
      await storeSnapshot(store, 10, 2);
    },
    act: async (directory) => {
      const store = await SnapshotStore.open(directory).catch(() => undefined);
      if (!store) return;
      await storeSnapshot(store, 30, 3).catch(({ code }) => assert.equal(code, 'DISK_FULL'));
      await store.close().catch(() => {});
    },
    check: async (directory, cut) => {
      const store = await SnapshotStore.open(directory);
      assert(
        store.finished.some(({ height }) => height === 10),
        cut,
      );
      await checkFinished(store, cut);
    },
  });
});
