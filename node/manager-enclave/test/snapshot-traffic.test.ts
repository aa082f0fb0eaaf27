import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Consensus, Effects, SnapshotPosition } from '@concordat/consensus';
import { toHeight, toNodeId, toView } from '@concordat/std';
import { type ReceivedChunk, SnapshotTraffic } from '../snapshot-traffic.ts';

const position: SnapshotPosition = {
  height: toHeight(5),
  view: toView(1),
  configuration: { voters: [toNodeId('a'.repeat(64))] },
  configurationHeight: toHeight(0),
  chunks: 9,
  digest: '5'.repeat(64),
};

const received = (index: number): ReceivedChunk => ({
  position,
  index,
  bytes: Uint8Array.of(index),
});

const owing = (...chunkReceived: ReceivedChunk[]): Effects => ({
  append: [],
  messages: [],
  afterHardState: [],
  fetch: [],
  chunkFetch: [],
  receptionDropped: false,
  chunkReceived,
  reads: [],
  failedReads: [],
  changed: false,
});

test('what waits to be stored of a dropped snapshot is passed over, and nothing is said of the rest', async () => {
  const done: string[] = [];
  const disk = [Promise.withResolvers<boolean>(), Promise.withResolvers<boolean>()];
  const waiting = [...disk];
  const traffic = new SnapshotTraffic({
    consensus: {
      chunkStored: (_digest: string, index: number) => done.push(`told ${index}`),
    } as unknown as Consensus,
    duties: {
      chunk: async () => undefined,
      store: ({ index }) => {
        done.push(`store ${index}`);
        return (waiting.shift() as PromiseWithResolvers<boolean>).promise;
      },
      forget: () => done.push('forget'),
      restore: async () => [],
      onDamaged: () => assert.fail(),
      onRefused: () => assert.fail(),
    },
    turn: (answer) => answer(),
    broken: (error) => assert.fail(error),
  });
  traffic.carryOut(owing(received(0), received(1)));
  await nextTurn();
  traffic.dropReception();
  // The same one may begin anew: what is said of it is said of these chunks alone.
  traffic.carryOut(owing(received(0)));
  disk[0]?.resolve(true);
  await nextTurn();
  assert.deepEqual(done, ['store 0', 'forget', 'store 0']);
  disk[1]?.resolve(true);
  await nextTurn();
  assert.deepEqual(done.slice(3), ['told 0']);
});
