import { strict as assert } from 'node:assert';
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isAsideName, maxKeptAside } from '../damaged-chunks.ts';
import { LedgerStore } from '../ledger-store.ts';
import { blockOf, range, temporary } from './ledger-fixture.ts';
import { cutEverywhere } from './power-cut.ts';

async function open(directory: string): Promise<{ store: LedgerStore; faults: string[] }> {
  const faults: string[] = [];
  const store = await LedgerStore.open({
    directory,
    chunkBytes: 1000,
    onSynced: () => {},
    onTruncated: () => {},
    onFault: ({ code }) => faults.push(code),
  });
  return { store, faults };
}

/** A ledger of chunks of ten blocks, all but the newest committed. */
async function fill(directory: string): Promise<LedgerStore> {
  const { store } = await open(directory);
  for (let height = 1; height <= 35; height++) store.append(height, blockOf(height));
  store.committed(35);
  store.kick();
  await until(async () => (await readdir(directory)).includes('ledger_21-30.committed.chunk'));
  return store;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 2));
}

async function readAll(store: LedgerStore, from: number, to: number): Promise<Uint8Array[]> {
  const blocks: Uint8Array[] = [];
  for await (const step of store.read(from, to, 1e9)) blocks.push(...step);
  return blocks;
}

function bringBack(store: LedgerStore): void {
  for (const { from, to } of store.missing) {
    for (let height = from; height <= to; height++) store.appendEarlier(height, blockOf(height));
  }
  store.kick();
}

/** Each way a committed chunk of ten blocks of 100 bytes can be damaged in its form. */
const damages: readonly (readonly [string, (path: string) => Promise<void>])[] = [
  ['loses its end', (path) => truncate(path, 600)],
  ['loses all', (path) => truncate(path, 0)],
  ['has a foreign header', (path) => flip(path, 3)],
  ['has another first height', (path) => flip(path, 15)],
  ['has an impossible length', (path) => flip(path, 16)],
  ['has a length too large', (path) => flip(path, 18)],
  ['has a length a little off', (path) => flip(path, 19)],
];

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at]! ^= 0x60;
  await writeFile(path, bytes);
}

for (const [what, damage] of damages) {
  for (const first of [1, 11, 21]) {
    test(`chunk ${first} ${what}: found by name, set aside, and whole again`, async (context) => {
      const directory = await temporary(context);
      await (await fill(directory)).close();
      const name = `ledger_${first}-${first + 9}.committed.chunk`;
      await damage(join(directory, name));
      const damagedBytes = await readFile(join(directory, name));
      const { store, faults } = await open(directory);
      await assert.rejects(readAll(store, first, first + 9), { code: 'CHUNK_DAMAGED' });
      assert.deepEqual(store.chunkAt(first + 4), { from: first, to: first + 9 });
      const keptAs = await store.setAside({ from: first, to: first + 9 });
      assert.equal(keptAs, `damaged_1_${first}-${first + 9}.bin`);
      assert.deepEqual(await readFile(join(directory, keptAs)), damagedBytes);
      assert.deepEqual(store.missing, [{ from: first, to: first + 9 }]);
      await assert.rejects(readAll(store, first, first + 9), { code: 'NOT_STORED' });
      bringBack(store);
      store.append(36, blockOf(36));
      await store.close();
      assert.deepEqual(faults, []);
      const again = await open(directory);
      assert.deepEqual(again.store.missing, []);
      assert.deepEqual(again.store.recovery.unknown, []);
      assert.deepEqual(await readAll(again.store, 1, 36), range(1, 36));
      await again.store.close();
      assert((await readdir(directory)).includes(name), 'under its committed name');
    });
  }
}

test('a store that knew the frames of a chunk finds it damaged all the same', async (context) => {
  const directory = await temporary(context);
  const store = await fill(directory);
  await readAll(store, 1, 35);
  const path = join(directory, 'ledger_11-20.committed.chunk');
  await flip(path, 19);
  await assert.rejects(readAll(store, 11, 20), { code: 'CHUNK_DAMAGED' });
  await store.close();
});

test('chunks side by side become one gap, and a gap next to one longer', async (context) => {
  const directory = await temporary(context);
  const store = await fill(directory);
  await store.setAside({ from: 11, to: 20 });
  await store.setAside({ from: 1, to: 10 });
  assert.deepEqual(store.missing, [{ from: 1, to: 20 }]);
  await store.setAside({ from: 21, to: 30 });
  assert.deepEqual(store.missing, [{ from: 1, to: 30 }]);
  assert.deepEqual(
    (await readdir(directory)).filter((name) => name.endsWith('.base')),
    ['ledger_30.base'],
  );
  bringBack(store);
  await store.close();
  const again = await open(directory);
  assert.deepEqual(await readAll(again.store, 1, 35), range(1, 35));
  await again.store.close();
});

test('what is not exactly an old committed chunk is not set aside', async (context) => {
  const directory = await temporary(context);
  const store = await fill(directory);
  for (const [from, to] of [
    [31, 35],
    [1, 9],
    [11, 30],
    [40, 50],
  ] as const) {
    await assert.rejects(store.setAside({ from, to }), { code: 'CHUNK_NEEDED' });
  }
  assert.throws(() => store.chunkAt(33), { code: 'NOT_STORED' });
  assert.throws(() => store.chunkAt(99), { code: 'NOT_STORED' });
  assert.deepEqual(await readAll(store, 1, 35), range(1, 35));
  await store.close();
});

test('the first chunk stays when those before it were moved elsewhere', async (context) => {
  const directory = await temporary(context);
  await (await fill(directory)).close();
  await rm(join(directory, 'ledger_1-10.committed.chunk'));
  const { store } = await open(directory);
  await assert.rejects(store.setAside({ from: 11, to: 20 }), { code: 'CHUNK_NEEDED' });
  await store.setAside({ from: 21, to: 30 });
  assert.deepEqual(store.missing, [{ from: 21, to: 30 }]);
  await store.close();
});

test('only the newest files set aside are kept', async (context) => {
  const directory = await temporary(context);
  const store = await fill(directory);
  for (let time = 1; time <= maxKeptAside + 3; time++) {
    await store.setAside({ from: 11, to: 20 });
    bringBack(store);
    await until(async () => store.missing.length === 0);
    await until(async () => (await readdir(directory)).includes('ledger_11-20.committed.chunk'));
  }
  const kept = (await readdir(directory)).filter(isAsideName);
  assert.equal(kept.length, maxKeptAside);
  assert(kept.includes(`damaged_${maxKeptAside + 3}_11-20.bin`));
  await store.close();
});

for (const gap of ['nothing', 'a gap'] as const) {
  test(`whenever the power fails while a chunk after ${gap} is set aside, the ledger opens`, async () => {
    let isDone = false;
    const changes = await cutEverywhere({
      prepare: async (directory) => {
        const store = await fill(directory);
        if (gap === 'a gap') await store.setAside({ from: 1, to: 10 });
        await store.close();
      },
      act: async (directory) => {
        isDone = false;
        const { store } = await open(directory);
        store.setAside({ from: 11, to: 20 }).then(
          () => {
            isDone = true;
          },
          () => {},
        );
        await store.close();
      },
      check: async (directory, cut) => {
        const { store } = await open(directory);
        const before = gap === 'a gap' ? [{ from: 1, to: 10 }] : [];
        const after = [{ from: gap === 'a gap' ? 1 : 11, to: 20 }];
        const { missing } = store;
        if (isDone) assert.deepEqual(missing, after, cut);
        else assert([before, after].some((one) => JSON.stringify(one) === JSON.stringify(missing)));
        assert.equal(store.lastHeight, 35, cut);
        bringBack(store);
        await store.close();
        const again = await open(directory);
        assert.deepEqual(await readAll(again.store, 1, 35), range(1, 35), cut);
        await again.store.close();
      },
    });
    assert(changes >= 3, `${changes} changes`);
  });
}
