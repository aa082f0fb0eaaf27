import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProvenBlock } from '@concordat/ledger';
import { ManagerError } from '../errors.ts';
import type { NodeContext } from '../node-context.ts';
import { PastTurns } from '../past-turns.ts';

/** A node whose blocks take their time to open, and how many were being opened at most. */
function slowNode(openMs: number) {
  const seen = { open: 0, most: 0, order: [] as number[] };
  const stored = {
    proven: async (height: number): Promise<ProvenBlock> => {
      seen.open += 1;
      seen.most = Math.max(seen.most, seen.open);
      await sleep(openMs);
      seen.open -= 1;
      seen.order.push(height);
      if (height === 13) throw new ManagerError('SESSION_KEY_MISSING', 'no key');
      return { header: { height } } as unknown as ProvenBlock;
    },
  };
  const node = { stored, held: { has: () => true } } as unknown as NodeContext;
  return { node, seen };
}

test('however many ask for blocks of the past, they are opened one after another and in order', async () => {
  const { node, seen } = slowNode(2);
  const turns = new PastTurns();
  const heights = Array.from({ length: 20 }, (_, at) => at + 20);
  await Promise.all(heights.map((height) => turns.block(node, height)));
  assert.equal(seen.most, 1);
  assert.deepEqual(seen.order, heights);
});

test('a block that cannot be opened, or waits for others, holds nobody up', async () => {
  const { node, seen } = slowNode(1);
  const { node: waiting } = slowNode(60_000);
  const turns = new PastTurns();
  const ends = new AbortController();
  const forever = turns.block(
    { ...waiting, stored: { proven: () => sleep(60_000, undefined as never, ends) } as never },
    5,
  );
  forever.catch(() => undefined);
  await assert.rejects(turns.block(node, 13), { code: 'SESSION_KEY_MISSING' });
  await turns.block(node, 14);
  assert.deepEqual(seen.order, [13, 14]);
  ends.abort();
  await assert.rejects(forever);
});
