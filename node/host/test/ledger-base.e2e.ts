import { strict as assert } from 'node:assert';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { LedgerStore, type LedgerStoreOptions } from '../ledger-store.ts';
import { blockOf, range, temporary } from './ledger-fixture.ts';
import { cutEverywhere } from './power-cut.ts';

interface Opened {
  readonly store: LedgerStore;
  readonly synced: number[];
  readonly earlier: number[];
  readonly faults: string[];
}

async function open(directory: string, options: Partial<LedgerStoreOptions> = {}): Promise<Opened> {
  const [synced, earlier, faults]: [number[], number[], string[]] = [[], [], []];
  const store = await LedgerStore.open({
    directory,
    chunkBytes: 1000,
    onSynced: (height) => synced.push(height),
    onEarlierSynced: (height) => earlier.push(height),
    onTruncated: () => {},
    onFault: ({ code }) => faults.push(code),
    ...options,
  });
  return { store, synced, earlier, faults };
}

/** Opens, acts, closes: closing waits for everything asked for. */
async function use(directory: string, act: (store: LedgerStore) => void): Promise<Opened> {
  const opened = await open(directory);
  act(opened.store);
  await opened.store.close();
  return opened;
}

function append(store: LedgerStore, from: number, to: number): void {
  for (let height = from; height <= to; height++) store.append(height, blockOf(height));
  store.kick();
}

function appendEarlier(store: LedgerStore, from: number, to: number): void {
  for (let height = from; height <= to; height++) store.appendEarlier(height, blockOf(height));
  store.kick();
}

const base = (store: LedgerStore, height: number): void => void store.base(height).catch(() => {});

async function readAll(store: LedgerStore, from: number, to: number): Promise<Uint8Array[]> {
  const blocks: Uint8Array[] = [];
  for await (const step of store.read(from, to, 1e9)) blocks.push(...step);
  return blocks;
}

/** What a ledger says of itself, opened anew. */
async function layoutOf(directory: string) {
  const { store } = await open(directory);
  const { firstHeight, lastHeight, missing } = store;
  await store.close();
  return { firstHeight, lastHeight, missing };
}

test('a ledger goes on after a base, says what is missing, and is one again when that has come', async (context) => {
  const directory = await temporary(context);
  await use(directory, (store) => append(store, 1, 25));
  const { store } = await open(directory);
  await store.base(60);
  assert.deepEqual(store.missing, [{ from: 26, to: 60 }]);
  assert.throws(() => store.append(26, blockOf(26)), { code: 'OUT_OF_ORDER' });
  append(store, 61, 75);
  await store.close();
  assert.deepEqual(await layoutOf(directory), {
    firstHeight: 61,
    lastHeight: 75,
    missing: [{ from: 26, to: 60 }],
  });
  const { earlier } = await use(directory, (again) => appendEarlier(again, 26, 60));
  assert.equal(earlier.at(-1), 60);
  assert.deepEqual(await layoutOf(directory), { firstHeight: 1, lastHeight: 75, missing: [] });
  const whole = await open(directory);
  assert.deepEqual(await readAll(whole.store, 1, 75), range(1, 75));
  await whole.store.close();
  assert((await readdir(directory)).every((name) => name.endsWith('.chunk')));
});

test('a base that nothing follows yet is remembered, also in an empty directory', async (context) => {
  const directory = await temporary(context);
  await use(directory, (store) => base(store, 40));
  const missing = [{ from: 1, to: 40 }];
  assert.deepEqual(await layoutOf(directory), { firstHeight: 41, lastHeight: 40, missing });
  await use(directory, (store) => append(store, 41, 45));
  assert.deepEqual(await layoutOf(directory), { firstHeight: 41, lastHeight: 45, missing });
});

test('earlier and newer blocks go on together, and the next append joins an unfinished chunk', async (context) => {
  const directory = await temporary(context);
  await use(directory, (store) => {
    append(store, 1, 3);
    base(store, 20);
    append(store, 21, 22);
  });
  const { store, synced, earlier } = await open(directory);
  for (let height = 4; height <= 20; height++) {
    store.appendEarlier(height, blockOf(height));
    store.append(height + 19, blockOf(height + 19));
  }
  store.kick();
  assert.deepEqual(await readAll(store, 1, 39), range(1, 39), 'read before it was written');
  await store.close();
  assert.deepEqual([synced.at(-1), earlier.at(-1)], [39, 20]);
  const joined = await use(directory, (again) => append(again, 40, 60));
  assert.equal(joined.store.lastHeight, 60);
  const again = await open(directory);
  assert.deepEqual(await readAll(again.store, 1, 60), range(1, 60));
  again.store.committed(60);
  await again.store.close();
});

test('when the gap closes before anything follows the base, the ledger just goes on', async (context) => {
  const directory = await temporary(context);
  await use(directory, (store) => {
    append(store, 1, 3);
    base(store, 8);
  });
  const { store } = await open(directory);
  appendEarlier(store, 4, 8);
  append(store, 9, 30);
  await store.close();
  const again = await open(directory);
  assert.deepEqual(await readAll(again.store, 1, 30), range(1, 30));
  assert.deepEqual(again.store.missing, []);
  await again.store.close();
});

test('a second base leaves a second gap; both are filled from below', async (context) => {
  const directory = await temporary(context);
  await use(directory, (store) => {
    append(store, 1, 5);
    base(store, 20);
    append(store, 21, 25);
    base(store, 40);
    append(store, 41, 45);
  });
  const missing = [
    { from: 6, to: 20 },
    { from: 26, to: 40 },
  ];
  assert.deepEqual(await layoutOf(directory), { firstHeight: 41, lastHeight: 45, missing });
  const { store } = await open(directory);
  assert.throws(() => store.appendEarlier(26, blockOf(26)), { code: 'OUT_OF_ORDER' });
  appendEarlier(store, 6, 20);
  appendEarlier(store, 26, 40);
  assert.throws(() => store.appendEarlier(41, blockOf(41)), { code: 'OUT_OF_ORDER' });
  await store.close();
  const again = await open(directory);
  assert.deepEqual(await readAll(again.store, 1, 45), range(1, 45));
  await again.store.close();
});

test('a base above one that nothing followed replaces it', async (context) => {
  const directory = await temporary(context);
  await use(directory, (store) => {
    append(store, 1, 5);
    base(store, 20);
    base(store, 40);
  });
  const missing = [{ from: 6, to: 40 }];
  assert.deepEqual(await layoutOf(directory), { firstHeight: 41, lastHeight: 40, missing });
});

test('a base within the ledger cuts it there and leaves no gap', async (context) => {
  const directory = await temporary(context);
  const { store } = await open(directory);
  append(store, 1, 25);
  await store.base(14);
  assert.equal(store.lastHeight, 14);
  append(store, 15, 16);
  await store.close();
  assert.deepEqual(await layoutOf(directory), { firstHeight: 1, lastHeight: 16, missing: [] });
});

test('a truncation takes bases above it along, wherever it cuts', async (context) => {
  const fill = (store: LedgerStore): void => {
    append(store, 1, 12);
    base(store, 30);
    append(store, 31, 45);
  };
  for (const [after, expected] of [
    [0, { firstHeight: 1, lastHeight: 0, missing: [] }],
    [5, { firstHeight: 1, lastHeight: 5, missing: [] }],
    [12, { firstHeight: 1, lastHeight: 12, missing: [] }],
    [20, { firstHeight: 21, lastHeight: 20, missing: [{ from: 13, to: 20 }] }],
    [30, { firstHeight: 31, lastHeight: 30, missing: [{ from: 13, to: 30 }] }],
    [33, { firstHeight: 31, lastHeight: 33, missing: [{ from: 13, to: 30 }] }],
  ] as const) {
    const directory = await temporary(context);
    await use(directory, (store) => {
      fill(store);
      store.truncate(after);
      append(store, after + 1, after + 2);
    });
    const lastHeight = after + 2;
    assert.deepEqual(await layoutOf(directory), { ...expected, lastHeight }, `after ${after}`);
  }
});

test('earlier blocks still waiting above a truncation are forgotten', async (context) => {
  const directory = await temporary(context);
  await use(directory, (store) => base(store, 30));
  const { store } = await open(directory);
  appendEarlier(store, 1, 20);
  store.truncate(5);
  await store.close();
  const layout = await layoutOf(directory);
  assert.equal(layout.lastHeight, 5);
  assert.deepEqual(layout.missing, [], 'what was written before the cut stays');
});

test('a read that begins below a gap ends there, one that begins in it is refused by name', async (context) => {
  const directory = await temporary(context);
  await use(directory, (store) => {
    append(store, 1, 5);
    base(store, 20);
    append(store, 21, 25);
  });
  const { store } = await open(directory);
  assert.deepEqual(await readAll(store, 3, 25), range(3, 5));
  assert.deepEqual(await readAll(store, 21, 25), range(21, 25));
  await assert.rejects(readAll(store, 6, 25), { code: 'NOT_STORED' });
  await store.close();
});

test('blocks are taken below a base in order only, and not without one', async (context) => {
  const directory = await temporary(context);
  const { store } = await open(directory);
  assert.throws(() => store.appendEarlier(1, blockOf(1)), { code: 'OUT_OF_ORDER' });
  await store.base(10);
  assert.throws(() => store.appendEarlier(2, blockOf(2)), { code: 'OUT_OF_ORDER' });
  assert.throws(() => store.appendEarlier(1, Buffer.alloc(0)), { code: 'OUT_OF_ORDER' });
  appendEarlier(store, 1, 10);
  assert.throws(() => store.appendEarlier(11, blockOf(11)), { code: 'OUT_OF_ORDER' });
  await store.close();
});

test('a gap that no base explains is still a named fault', async (context) => {
  const directory = await temporary(context);
  await use(directory, (store) => append(store, 1, 35));
  await rm(join(directory, 'ledger_11.chunk'));
  await writeFile(join(directory, 'ledger_15.base'), '');
  await assert.rejects(open(directory), { code: 'LEDGER_HOLE', details: { height: 11 } });
});

test('files that are no part of a ledger are left alone and named', async (context) => {
  const directory = await temporary(context);
  await use(directory, (store) => append(store, 1, 5));
  for (const name of ['notes.txt', 'ledger_0.base', 'ledger_x.chunk', 'ledger_7.base.tmp']) {
    await writeFile(join(directory, name), 'x');
  }
  const { store } = await open(directory);
  assert.equal(store.recovery.unknown.length, 4);
  assert.equal(store.lastHeight, 5);
  await store.close();
});

test('stale bases are removed at the next start', async (context) => {
  const directory = await temporary(context);
  await use(directory, (store) => append(store, 1, 25));
  for (const height of [5, 10, 25]) await writeFile(join(directory, `ledger_${height}.base`), '');
  assert.deepEqual(await layoutOf(directory), { firstHeight: 1, lastHeight: 25, missing: [] });
  assert((await readdir(directory)).every((name) => name.endsWith('.chunk')));
});

/** Opens after a cut: whatever is there must be whole, or said to be missing. */
async function checkWhole(directory: string, cut: string): Promise<LedgerStore> {
  const { store } = await open(directory);
  const { firstHeight, lastHeight, missing } = store;
  let from = 1;
  for (const gap of missing) {
    assert.deepEqual(await readAll(store, from, gap.from - 1), range(from, gap.from - 1), cut);
    from = gap.to + 1;
  }
  assert.equal(from, firstHeight, cut);
  assert.deepEqual(await readAll(store, from, lastHeight), range(from, lastHeight), cut);
  return store;
}

test('whenever the power fails, setting a base leaves the old ledger or the new one', async () => {
  let durable = false;
  const changes = await cutEverywhere({
    prepare: (directory) => use(directory, (store) => append(store, 1, 25)).then(() => {}),
    act: async (directory) => {
      durable = false;
      await use(directory, (store) => {
        const done = store.base(40).then(() => {
          durable = true;
        });
        done.catch(() => {});
      });
    },
    check: async (directory, cut) => {
      const store = await checkWhole(directory, cut);
      assert((durable ? [40] : [25, 40]).includes(store.lastHeight), cut);
      await store.close();
    },
  });
  assert(changes >= 1);
});

for (const [upTo, reached] of [
  [24, 'part of the gap'],
  [30, 'the whole gap'],
] as const) {
  test(`whenever the power fails while ${reached} is filled, what was told to be durable is there`, async () => {
    let durable = 0;
    const changes = await cutEverywhere({
      prepare: async (directory) => {
        await use(directory, (store) => {
          append(store, 1, 5);
          base(store, 30);
          append(store, 31, 35);
        });
      },
      act: async (directory) => {
        const { earlier } = await use(directory, (store) => appendEarlier(store, 6, upTo));
        durable = earlier.at(-1) ?? 5;
      },
      check: async (directory, cut) => {
        const store = await checkWhole(directory, cut);
        const next = store.missing[0]?.from ?? 31;
        assert(next > durable, `${cut}: ${next} is missing, ${durable} was durable`);
        appendEarlier(store, next, 30);
        append(store, 36, 40);
        await store.close();
        const whole = await checkWhole(directory, cut);
        assert.deepEqual([whole.firstHeight, whole.lastHeight], [1, 40], cut);
        await whole.close();
      },
    });
    assert(changes >= 8, `${changes} changes`);
  });
}

test('whenever the power fails, a truncation below bases leaves a ledger that opens and goes on', async () => {
  for (const after of [0, 7, 20, 30, 42]) {
    await cutEverywhere({
      prepare: async (directory) => {
        await use(directory, (store) => {
          append(store, 1, 12);
          base(store, 30);
          append(store, 31, 45);
          base(store, 60);
          append(store, 61, 75);
        });
      },
      act: (directory) => use(directory, (store) => store.truncate(after)).then(() => {}),
      check: async (directory, cut) => {
        const store = await checkWhole(directory, cut);
        assert(store.lastHeight >= after, cut);
        store.truncate(after);
        append(store, after + 1, after + 3);
        await store.close();
        const again = await checkWhole(directory, cut);
        assert.equal(again.lastHeight, after + 3, cut);
        await again.close();
      },
    });
  }
});

test('whenever the power fails, two bases at once leave a ledger that opens', async () => {
  await cutEverywhere({
    prepare: (directory) => use(directory, (store) => append(store, 1, 5)).then(() => {}),
    act: async (directory) => {
      await use(directory, (store) => {
        base(store, 20);
        base(store, 40);
        append(store, 41, 55);
      });
    },
    check: async (directory, cut) => {
      const store = await checkWhole(directory, cut);
      await store.close();
    },
  });
});

/** A ledger as it should be: which block is at which height, and how far it goes. */
class Model {
  readonly blocks = new Map<number, Buffer>();
  last = 0;

  cut(after: number): void {
    for (const height of [...this.blocks.keys()]) if (height > after) this.blocks.delete(height);
    this.last = Math.min(this.last, after);
  }

  get missing(): { from: number; to: number }[] {
    const gaps: { from: number; to: number }[] = [];
    for (let height = 1; height <= this.last; height++) {
      if (this.blocks.has(height)) continue;
      const gap = gaps.at(-1);
      if (gap?.to === height - 1) gap.to = height;
      else gaps.push({ from: height, to: height });
    }
    return gaps;
  }
}

for (const seed of [1, 2, 3]) {
  test(`any sequence of operations leaves what a plain map would hold (${seed})`, async (context) => {
    const directory = await temporary(context);
    const random = generator(seed);
    const model = new Model();
    let opened = await open(directory);
    let version = 0;
    const reopen = async (): Promise<void> => {
      await opened.store.close();
      assert.deepEqual(opened.faults, []);
      opened = await open(directory);
    };
    for (let step = 0; step < 100; step++) {
      const { store } = opened;
      const kind = random() % 12;
      if (kind < 4) {
        for (let left = random() % 30; left > 0; left--) {
          const block = Buffer.alloc(50 + (random() % 100), ++version);
          store.append(++model.last, block);
          model.blocks.set(model.last, block);
        }
        store.kick();
      } else if (kind < 7) {
        const gap = store.missing[0];
        for (let height = gap?.from ?? 1; height <= (gap?.to ?? 0) && random() % 20 > 0; height++) {
          const block = Buffer.alloc(50 + (random() % 100), ++version);
          store.appendEarlier(height, block);
          model.blocks.set(height, block);
        }
        store.kick();
        // Waits for them: what is missing is what is on the disk.
        await reopen();
      } else if (kind === 7) {
        const after = Math.max(0, model.last - (random() % 40));
        store.truncate(after);
        model.cut(after);
      } else if (kind === 8) {
        const height = Math.max(1, model.last - 20 + (random() % 60));
        await store.base(height);
        model.cut(height);
        model.last = height;
      } else if (kind === 9) {
        store.committed(random() % (model.last + 1));
      } else {
        await reopen();
        const { firstHeight, lastHeight, missing } = opened.store;
        assert.deepEqual(missing, model.missing, `step ${step}`);
        assert.equal(lastHeight, model.last);
        assert.equal(firstHeight, (model.missing.at(-1)?.to ?? 0) + 1);
        const from = 1 + (random() % (model.last + 1));
        if (!model.blocks.has(from)) continue;
        const expected: Buffer[] = [];
        for (let height = from; model.blocks.has(height); height++) {
          expected.push(model.blocks.get(height)!);
        }
        assert.deepEqual(await readAll(opened.store, from, model.last), expected, `step ${step}`);
      }
    }
    await opened.store.close();
  });
}

/** xorshift32. */
function generator(seed: number): () => number {
  let state = seed * 0x9e3779b9;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
