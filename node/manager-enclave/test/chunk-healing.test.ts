import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type NodeId, toNodeId } from '@concordat/std';
import { Backfill } from '../backfill.ts';
import { ChunkHealing } from '../chunk-healing.ts';
import { ManagerError } from '../errors.ts';
import { HeldBlocks } from '../held-blocks.ts';
import { corrupt } from '../stored-blocks.ts';

const [one, other] = ['a', 'b'].map((digit) => toNodeId(digit.repeat(64))) as [NodeId, NodeId];
const blockAt = (height: number) => Buffer.from(`block ${height}`);
const sound = (from: number, to: number): Buffer[] =>
  Array.from({ length: Math.min(3, to - from + 1) }, (_, at) => blockAt(from + at));

/** A node with chunks of ten blocks, a snapshot at 25, and peers that give what a test says. */
function node() {
  const held = new HeldBlocks();
  const told: string[] = [];
  const refused: string[] = [];
  const stored: number[] = [];
  const asides: [number, number][] = [];
  const gives = new Map<NodeId, (from: number, to: number) => Buffer[]>();
  const set = {
    peers: [one, other],
    snapshotHeight: 25,
    chunk: (height: number) => {
      const from = height - ((height - 1) % 10);
      return { from, to: from + 9 };
    },
    nowMs: 0,
    /** What the host answers. */
    setAside: async () => {},
  };
  const archive = {
    peers: () => set.peers,
    blocksOf: async (peer: NodeId, { from, to }: { from: number; to: number }) => {
      const give = gives.get(peer);
      if (!give) throw new ManagerError('BLOCK_NOT_HELD', 'not here');
      return give(from, to);
    },
    refused: (peer: NodeId, { code }: ManagerError) =>
      void refused.push(`${peer.slice(0, 1)} ${code}`),
  };
  const prove = async (block: Uint8Array, height: number) => {
    if (!blockAt(height).equals(block)) throw corrupt(height, 'another one', 'WRONG_ROOT');
    return {} as never;
  };
  const common = {
    held,
    archive,
    tell: (event: string) => void told.push(event),
    pause: async () => {
      await nextTurn();
    },
    nowMs: () => set.nowMs,
  };
  const backfill: Backfill = new Backfill({
    ...common,
    stored: { prove },
    host: {
      appendEarlier: (height) => {
        stored.push(height);
        setImmediate(() => backfill.synced(height));
      },
    },
  });
  const healing = new ChunkHealing({
    ...common,
    prove,
    backfill,
    host: {
      chunkAt: async (height) => set.chunk(height),
      setAside: async ({ from, to }) => {
        await set.setAside();
        asides.push([from, to]);
      },
    },
    snapshotHeight: () => set.snapshotHeight,
  });
  const damage = (height: number): string =>
    healing.damaged(corrupt(height, 'changed', 'WRONG_ROOT')).code;
  return { held, healing, backfill, gives, set, told, refused, stored, asides, damage };
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 2_000 && !condition(); turn++) await nextTurn();
  assert(condition());
}

test('a damaged chunk is set aside once every block of it was seen elsewhere, and comes back', async () => {
  const { held, healing, gives, told, stored, asides, damage } = node();
  gives.set(one, sound);
  assert.equal(damage(14), 'BLOCK_NOT_HELD');
  assert.equal(damage(3), 'BLOCK_NOT_HELD', 'one chunk at a time');
  await until(() => told.includes('backfill.completed'));
  assert.deepEqual(asides, [[11, 20]]);
  assert.deepEqual(stored, [11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
  assert.equal(held.missing, 0);
  assert.equal(healing.setAside, 1);
  assert.deepEqual(healing.kept, []);
  assert.deepEqual(told, [
    'healing.started',
    'healing.set-aside',
    'backfill.started',
    'backfill.completed',
  ]);
});

test('without anybody to ask, the file stays and the damage is named', async () => {
  const { healing, set, told, asides, damage } = node();
  set.peers = [];
  assert.equal(damage(14), 'LEDGER_CORRUPT');
  assert.equal(damage(14), 'LEDGER_CORRUPT');
  await nextTurn();
  assert.deepEqual(told, ['healing.kept'], 'told once');
  assert.deepEqual(asides, []);
  assert.equal(healing.kept.length, 1);
});

test('a chunk of which others lack one block stays; later, when they have it, it is healed', async () => {
  const { healing, gives, set, told, asides, damage } = node();
  gives.set(one, (from, to) => {
    if (from > 18) throw new ManagerError('BLOCK_NOT_HELD', 'not here');
    return sound(from, Math.min(to, 18));
  });
  assert.equal(damage(14), 'BLOCK_NOT_HELD');
  await until(() => told.includes('healing.kept'));
  assert.deepEqual(asides, []);
  assert.equal(damage(14), 'LEDGER_CORRUPT');
  assert.equal(damage(11), 'LEDGER_CORRUPT', 'another block of that chunk');
  assert.deepEqual(
    healing.kept.map(({ from, to }) => [from, to]),
    [[11, 20]],
  );
  set.nowMs += 60_000;
  gives.set(other, sound);
  assert.equal(damage(14), 'BLOCK_NOT_HELD');
  await until(() => told.includes('backfill.completed'));
  assert.deepEqual(asides, [[11, 20]]);
  assert.deepEqual(healing.kept, []);
});

test('false blocks of others are refused by name and prove nothing', async () => {
  const { gives, told, refused, asides, damage } = node();
  gives.set(one, (from, to) => sound(from, to).map((block) => Buffer.concat([block, block])));
  assert.equal(damage(14), 'BLOCK_NOT_HELD');
  await until(() => told.includes('healing.kept'));
  assert.deepEqual(asides, []);
  assert(refused.includes('a LEDGER_CORRUPT'));
});

test('what no snapshot of this node covers is never given up, however many others have it', async () => {
  for (const snapshotHeight of [0, 19]) {
    const { gives, set, told, asides, damage } = node();
    set.snapshotHeight = snapshotHeight;
    gives.set(one, sound);
    damage(14);
    await until(() => told.includes('healing.kept'));
    assert.deepEqual(asides, []);
  }
});

test('a host that names another chunk, or cannot set it aside, changes nothing', async () => {
  const { held, gives, set, told, asides, damage } = node();
  gives.set(one, sound);
  set.chunk = () => ({ from: 1, to: 10 });
  damage(14);
  await until(() => told.includes('healing.kept'));
  set.nowMs += 60_000;
  set.chunk = () => ({ from: 11, to: 20 });
  set.setAside = async () => {
    throw new ManagerError('HOST_FAULT', 'CHUNK_NEEDED: it cannot be set aside');
  };
  damage(14);
  await until(() => told.filter((event) => event === 'healing.kept').length === 2);
  assert.equal(held.missing, 0);
  assert.deepEqual(asides, []);
});

test('a disk that damages a chunk each time is given up by name', async () => {
  const { gives, set, told, asides, damage } = node();
  gives.set(one, sound);
  for (let time = 1; time <= 3; time++) {
    assert.equal(damage(14), 'BLOCK_NOT_HELD');
    await until(() => told.filter((event) => event === 'backfill.completed').length === time);
    assert.equal(damage(14), 'LEDGER_CORRUPT', 'it rests after each time');
    set.nowMs += 1_000_000;
  }
  assert.equal(damage(14), 'LEDGER_CORRUPT');
  await nextTurn();
  assert.equal(asides.length, 3);
  assert(told.includes('healing.given-up'));
});

test('a chunk below a gap that is being filled is set aside between two rounds', async () => {
  const { held, backfill, gives, told, stored, asides, damage } = node();
  gives.set(one, sound);
  held.lost({ from: 15, to: 40 });
  backfill.start();
  await until(() => stored.includes(21));
  damage(3);
  await until(() => told.includes('backfill.completed'));
  assert.deepEqual(asides, [[1, 10]]);
  assert.equal(held.missing, 0);
  assert.deepEqual(
    [...stored].sort((a, b) => a - b),
    [...sequence(1, 10), ...sequence(15, 40)],
  );
});

const sequence = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, at) => from + at);

test('gaps that touch are one gap', () => {
  const held = new HeldBlocks([{ from: 11, to: 20 }]);
  held.lost({ from: 31, to: 40 });
  held.lost({ from: 21, to: 25 });
  held.lost({ from: 1, to: 10 });
  assert.deepEqual(held.next, { from: 1, to: 25 });
  assert.equal(held.missing, 35);
  held.lost({ from: 26, to: 30 });
  assert.deepEqual(held.next, { from: 1, to: 40 });
});
