import { strict as assert } from 'node:assert';
import { EventEmitter, once } from 'node:events';
import {
  appendFile,
  readdir,
  readFile,
  rename,
  rm,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { dropBytes } from '../chunk-writer.ts';
import { LedgerStore, type LedgerStoreOptions } from '../ledger-store.ts';
import { blockOf, temporary } from './ledger-fixture.ts';

async function openStore(directory: string, options: Partial<LedgerStoreOptions> = {}) {
  const events = new EventEmitter();
  const synced: number[] = [];
  const store = await LedgerStore.open({
    directory,
    chunkBytes: 1000,
    onSynced: (height) => {
      synced.push(height);
      events.emit(`synced ${height}`);
    },
    onTruncated: (after) => events.emit('truncated', after),
    onFault: (fault) => events.emit('fault', fault),
    ...options,
  });
  return { store, events, synced };
}

async function fill(directory: string, blocks: number): Promise<void> {
  const { store, events } = await openStore(directory);
  for (let height = 1; height <= blocks; height++) store.append(height, blockOf(height));
  const done = once(events, `synced ${blocks}`);
  store.kick();
  await done;
  await store.close();
}

async function readAll(
  store: LedgerStore,
  from: number,
  to: number,
  maxBytes = 1e9,
): Promise<Uint8Array[]> {
  const blocks: Uint8Array[] = [];
  for await (const step of store.read(from, to, maxBytes)) blocks.push(...step);
  return blocks;
}

const range = (from: number, to: number): Buffer[] =>
  Array.from({ length: to - from + 1 }, (_, index) => blockOf(from + index));

test('blocks come back after a restart, across chunks, in order', async (context) => {
  const directory = await temporary(context);
  await fill(directory, 40);
  const { store } = await openStore(directory);
  assert.equal(store.lastHeight, 40);
  assert.deepEqual(await readAll(store, 1, 40), range(1, 40));
  assert.deepEqual(await readAll(store, 13, 22), range(13, 22));
  assert.equal((await readdir(directory)).length, 4);
  await store.close();
});

test('blocks appended while a sync runs share the next one', async (context) => {
  const { store, events, synced } = await openStore(await temporary(context), { chunkBytes: 1e6 });
  store.append(1, blockOf(1));
  store.kick();
  for (let height = 2; height <= 100; height++) {
    store.append(height, blockOf(height));
    store.kick();
  }
  await once(events, 'synced 100');
  assert.deepEqual(synced, [1, 100]);
  assert.equal(store.stats.syncs, 2);
  await store.close();
});

test('a block can be read before it has been written', async (context) => {
  const { store } = await openStore(await temporary(context));
  for (let height = 1; height <= 5; height++) store.append(height, blockOf(height));
  assert.deepEqual(await readAll(store, 2, 9), range(2, 5));
  await store.close();
});

test('a ranged read stops at its byte limit but returns at least one block', async (context) => {
  const directory = await temporary(context);
  await fill(directory, 30);
  const { store } = await openStore(directory);
  assert.equal((await readAll(store, 1, 30, 1)).length, 1);
  const some = await readAll(store, 3, 30, 1250);
  assert(some.length >= 9 && some.length <= 12, `${some.length} blocks`);
  assert.deepEqual(await readAll(store, 31, 40), []);
  await store.close();
});

test('a committed chunk gets its last name, also when the commit comes late', async (context) => {
  const directory = await temporary(context);
  await fill(directory, 25);
  const { store, events } = await openStore(directory);
  store.committed(24);
  await store.close();
  const names = (await readdir(directory)).sort();
  assert.deepEqual(names, [
    'ledger_1-10.committed.chunk',
    'ledger_11-20.committed.chunk',
    'ledger_21.chunk',
  ]);
  const again = await openStore(directory);
  assert.deepEqual(await readAll(again.store, 1, 25), range(1, 25));
  await again.store.close();
  assert.equal(events.listenerCount('fault'), 0);
});

test('a truncation drops blocks above it, also inside committed chunks, and appends go on', async (context) => {
  const directory = await temporary(context);
  await fill(directory, 35);
  const { store, events } = await openStore(directory);
  store.committed(35);
  store.truncate(14);
  store.append(15, blockOf(99));
  const done = once(events, 'synced 15');
  store.kick();
  await done;
  await store.close();
  const again = await openStore(directory);
  assert.equal(again.store.lastHeight, 15);
  assert.deepEqual(await readAll(again.store, 14, 15), [blockOf(14), blockOf(99)]);
  again.store.truncate(0);
  await again.store.close();
  assert.deepEqual(await readdir(directory), []);
});

test('a truncation is answered after the syncs of what was appended before it', async (context) => {
  const { store, events, synced } = await openStore(await temporary(context));
  store.append(1, blockOf(1));
  store.append(2, blockOf(2));
  store.truncate(1);
  store.append(2, blockOf(77));
  store.kick();
  const order: string[] = [];
  events.on('synced 2', () => order.push('synced 2'));
  events.on('truncated', (after) => order.push(`truncated ${after}`));
  await store.close();
  assert.deepEqual(order, ['synced 2', 'truncated 1', 'synced 2']);
  assert.deepEqual(synced, [2, 2]);
});

test('an append out of order is refused', async (context) => {
  const directory = await temporary(context);
  await fill(directory, 3);
  const { store } = await openStore(directory);
  assert.throws(() => store.append(5, blockOf(5)), { code: 'OUT_OF_ORDER' });
  assert.throws(() => store.append(3, blockOf(3)), { code: 'OUT_OF_ORDER' });
  assert.throws(() => store.append(4, Buffer.alloc(0)), { code: 'OUT_OF_ORDER' });
  await store.close();
});

test('a torn tail is cut off wherever the crash fell, reported and kept', async (context) => {
  const directory = await temporary(context);
  await fill(directory, 15);
  const whole = await readFile(join(directory, 'ledger_11.chunk'));
  for (const cut of [whole.length - 1, whole.length - 100, whole.length - 103, 17, 16, 9, 0]) {
    await writeFile(join(directory, 'ledger_11.chunk'), whole.subarray(0, cut));
    const { store } = await openStore(directory);
    const kept = Math.max(0, Math.floor((cut - 16) / 104));
    assert.equal(store.lastHeight, 10 + kept, `cut at ${cut}`);
    assert.deepEqual(await readAll(store, 1, 99), range(1, 10 + kept));
    if (cut !== 16 && cut !== 0) assert.equal(store.recovery.torn[0]?.height, 11 + kept);
    store.append(11 + kept, blockOf(11 + kept));
    await store.close();
    const again = await openStore(directory);
    assert.equal(again.store.lastHeight, 11 + kept);
    await again.store.close();
    await unlink(join(directory, 'ledger_11.chunk'));
  }
  assert((await readdir(directory)).some((name) => name.startsWith('torn_11_')));
});

test('a tail of zero bytes counts as torn, a zero length before other bytes as damage', async (context) => {
  const directory = await temporary(context);
  await fill(directory, 5);
  const path = join(directory, 'ledger_1.chunk');
  await appendFile(path, Buffer.alloc(3_000_000));
  const { store } = await openStore(directory);
  assert.deepEqual([store.lastHeight, store.recovery.torn[0]?.bytes], [5, 3_000_000]);
  await store.close();
  await appendFile(path, Buffer.concat([Buffer.alloc(50), Buffer.from([1])]));
  await assert.rejects(openStore(directory), {
    code: 'LEDGER_DAMAGED',
    details: { height: 6, offset: 536 },
  });
});

test('a new chunk of zero bytes only, as a crash may leave it, holds no block', async (context) => {
  const directory = await temporary(context);
  await fill(directory, 10);
  const path = join(directory, 'ledger_11.chunk');
  await writeFile(path, Buffer.alloc(1_020));
  const { store } = await openStore(directory);
  assert.equal(store.lastHeight, 10);
  assert.equal(store.recovery.torn[0]?.bytes, 1_020);
  await store.close();
  await writeFile(path, Buffer.concat([Buffer.alloc(1_019), Buffer.from([1])]));
  await assert.rejects(openStore(directory), { code: 'LEDGER_DAMAGED' });
});

test('holes and overlaps between chunks are named and nothing is changed', async (context) => {
  const directory = await temporary(context);
  await fill(directory, 35);
  const path = (name: string): string => join(directory, name);
  await rename(path('ledger_21.chunk'), path('aside'));
  await assert.rejects(openStore(directory), { code: 'LEDGER_HOLE', details: { height: 21 } });
  await rename(path('aside'), path('ledger_21.chunk'));
  await truncate(path('ledger_11.chunk'), 700);
  await assert.rejects(openStore(directory), { code: 'LEDGER_HOLE', details: { height: 17 } });
  await rm(path('ledger_11.chunk'));
  await writeFile(path('ledger_11-25.committed.chunk'), '');
  await assert.rejects(openStore(directory), { code: 'LEDGER_OVERLAP' });
});

test('a chunk with a foreign header, another first height or an impossible length is refused', async (context) => {
  const directory = await temporary(context);
  await fill(directory, 5);
  const path = join(directory, 'ledger_1.chunk');
  const whole = await readFile(path);
  for (const at of [0, 7, 15, 16]) {
    const damaged = Buffer.from(whole);
    damaged[at]! ^= 0xff;
    await writeFile(path, damaged);
    await assert.rejects(openStore(directory), { code: 'LEDGER_DAMAGED' }, `byte ${at}`);
  }
});

test('a committed chunk that lost its end is found out when it is read', async (context) => {
  const directory = await temporary(context);
  await fill(directory, 15);
  const first = await openStore(directory);
  first.store.committed(15);
  await first.store.close();
  await truncate(join(directory, 'ledger_1-10.committed.chunk'), 600);
  const { store } = await openStore(directory);
  await assert.rejects(readAll(store, 1, 15), { code: 'CHUNK_DAMAGED' });
  await store.close();
});

test('old chunks may be archived away; reading them is a named refusal', async (context) => {
  const directory = await temporary(context);
  await fill(directory, 25);
  await rm(join(directory, 'ledger_1.chunk'));
  const { store } = await openStore(directory);
  assert.equal(store.firstHeight, 11);
  await assert.rejects(readAll(store, 1, 25), { code: 'NOT_STORED' });
  assert.deepEqual(await readAll(store, 11, 25), range(11, 25));
  await store.close();
});

test('a chunk that is archived away under a running store reads as not stored, and is no fault', async (context) => {
  const directory = await temporary(context);
  await fill(directory, 25);
  const { store, events } = await openStore(directory);
  let faults = 0;
  events.on('fault', () => faults++);
  store.committed(25);
  const oldest = 'ledger_1-10.committed.chunk';
  while (!(await readdir(directory)).includes(oldest)) await sleep(1);
  await rm(join(directory, oldest));
  await assert.rejects(readAll(store, 3, 25), { code: 'NOT_STORED' });
  assert.deepEqual(await readAll(store, 21, 25), range(21, 25));
  store.append(26, blockOf(26));
  await store.close();
  assert.equal(faults, 0);
});

test('a disk that fails is reported once and nothing is acknowledged any more', async (context) => {
  const directory = await temporary(context);
  const { store, events, synced } = await openStore(directory);
  await rm(directory, { recursive: true });
  store.append(1, blockOf(1));
  const fault = once(events, 'fault');
  store.kick();
  assert.equal((await fault)[0].code, 'DISK_ERROR');
  // What was sent before the sender could know of the fault: the second does not follow the first.
  for (const height of [2, 3, 4]) store.append(height, blockOf(height));
  store.kick();
  await store.close();
  assert.deepEqual(synced, []);
  await writeFile(directory, '');
});

test('what a short write left over is exactly the rest', () => {
  const parts = [Buffer.from('ab'), Buffer.from('cdef'), Buffer.from('g')];
  for (let bytes = 0; bytes <= 7; bytes++) {
    assert.equal(Buffer.concat(dropBytes(parts, bytes)).toString(), 'abcdefg'.slice(bytes));
  }
});
