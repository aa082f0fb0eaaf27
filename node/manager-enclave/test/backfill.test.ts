import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type NodeId, toNodeId } from '@concordat/std';
import { Backfill } from '../backfill.ts';
import { ManagerError } from '../errors.ts';
import { HeldBlocks } from '../held-blocks.ts';
import { corrupt } from '../stored-blocks.ts';

const peers = ['a', 'b'].map((digit) => toNodeId(digit.repeat(64)));
const [one, other] = peers as [NodeId, NodeId];
const blockAt = (height: number) => Buffer.from(`block ${height}`);

/** A node that lacks blocks, its host and its peers. */
function lacking(missing: { from: number; to: number }[]) {
  const held = new HeldBlocks(missing);
  const seen = {
    stored: [] as number[],
    asked: [] as [NodeId, number][],
    refused: [] as string[],
    told: [] as string[],
    rests: [] as number[],
  };
  const gives = new Map<NodeId, (from: number, to: number) => Buffer[]>();
  let nowMs = 0;
  const backfill: Backfill = new Backfill({
    held,
    archive: {
      peers: () => peers,
      blocksOf: async (peer, { from, to }) => {
        seen.asked.push([peer, from]);
        nowMs += 10;
        const give = gives.get(peer);
        if (!give) throw new ManagerError('BLOCK_NOT_HELD', 'not here');
        return give(from, to);
      },
      refused: (peer, { code }) => seen.refused.push(`${peer.slice(0, 1)} ${code}`),
    },
    stored: {
      prove: async (block, height) => {
        if (!blockAt(height).equals(block)) throw corrupt(height, 'another one', 'WRONG_ROOT');
        return {} as never;
      },
    },
    host: {
      appendEarlier: (height) => {
        seen.stored.push(height);
        setImmediate(() => backfill.synced(height));
      },
    },
    tell: (event) => seen.told.push(event),
    pause: async (ms) => {
      seen.rests.push(ms);
      nowMs += ms;
      await nextTurn();
    },
    nowMs: () => nowMs,
  });
  return { held, backfill, gives, seen };
}

const sound = (from: number, to: number): Buffer[] =>
  Array.from({ length: Math.min(3, to - from + 1) }, (_, at) => blockAt(from + at));

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1_000 && !condition(); turn++) await nextTurn();
  assert(condition());
}

test('what is missing comes lowest first, in every gap, and then nothing is missing', async () => {
  const { held, backfill, gives, seen } = lacking([
    { from: 1, to: 7 },
    { from: 20, to: 21 },
  ]);
  gives.set(one, sound);
  backfill.start();
  backfill.start();
  await until(() => seen.told.includes('backfill.completed'));
  assert.equal(held.next, undefined);
  assert.deepEqual(seen.stored, [1, 2, 3, 4, 5, 6, 7, 20, 21]);
  assert.equal(held.missing, 0);
  assert(held.has(20));
  assert.deepEqual(seen.told, ['backfill.started', 'backfill.completed']);
  assert(
    seen.rests.every((ms) => ms >= 30),
    'each round is followed by a longer rest',
  );
});

test('a peer that does not have the blocks, or gives others, is passed over', async () => {
  const { held, backfill, gives, seen } = lacking([{ from: 1, to: 6 }]);
  gives.set(one, (from, to) => sound(from, to).map((block) => Buffer.concat([block, block])));
  gives.set(other, sound);
  backfill.start();
  await until(() => held.next === undefined);
  assert.deepEqual(seen.stored, [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(seen.refused, ['a LEDGER_CORRUPT', 'a LEDGER_CORRUPT']);
});

test('nothing of an answer with one false block is kept', async () => {
  const { held, backfill, gives, seen } = lacking([{ from: 1, to: 6 }]);
  gives.set(one, (from, to) => sound(from, to).with(2, Buffer.from('forged')));
  backfill.start();
  await until(() => seen.rests.length > 2);
  backfill.stop();
  assert.deepEqual(seen.stored, []);
  assert.equal(held.missing, 6);
  assert.equal(seen.told.filter((event) => event === 'backfill.waiting').length, 2);
});

test('while no peer has the blocks it waits, and tells why once', async () => {
  const { held, backfill, gives, seen } = lacking([{ from: 1, to: 2 }]);
  backfill.start();
  await until(() => seen.rests.length > 3);
  assert.deepEqual(seen.told, ['backfill.started', 'backfill.waiting']);
  assert(seen.rests.every((ms) => ms >= 1_000));
  gives.set(other, sound);
  await until(() => held.next === undefined);
});

test('blocks that were moved elsewhere are not held, and not asked for', () => {
  const held = new HeldBlocks([], 100);
  assert.deepEqual([held.has(99), held.has(100)], [false, true]);
  assert.equal(held.wholeFrom(50), 0);
  assert.equal(held.wholeFrom(100), Number.POSITIVE_INFINITY);
  assert.equal(held.next, undefined);
});

test('blocks are held or not, and what is whole from a height ends before the next gap', () => {
  const held = new HeldBlocks([
    { from: 5, to: 9 },
    { from: 20, to: 30 },
  ]);
  assert.deepEqual(
    [4, 5, 9, 10, 19, 25, 31].map((height) => held.has(height)),
    [true, false, false, true, true, false, true],
  );
  assert.deepEqual(
    [1, 5, 10, 31].map((height) => held.wholeFrom(height)),
    [4, 4, 19, Number.POSITIVE_INFINITY],
  );
  held.goesOnAfter(50, 40);
  held.goesOnAfter(60, 60);
  assert.equal(held.missing, 5 + 11 + 10);
  held.cutAfter(25);
  assert.equal(held.missing, 5 + 6);
  assert.throws(() => held.got(6), { name: 'AssertionError' });
});

test('while a snapshot is taken up, what it passes over is neither held nor fetched', () => {
  const held = new HeldBlocks();
  held.willGoOnAfter(220, 160);
  assert.deepEqual(
    [160, 161, 220, 221].map((height) => held.has(height)),
    [true, false, false, true],
  );
  assert.equal(held.wholeFrom(100), 160);
  assert.equal(held.next, undefined);
  held.goesOnAfter(220, 160);
  assert.deepEqual(held.next, { from: 161, to: 220 });
});
