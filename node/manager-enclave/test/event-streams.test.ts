import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { afterEach, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Store } from '@concordat/kv';
import type { ProvenBlock } from '@concordat/ledger';
import { type ActorId, utf8 } from '@concordat/std';
import type { Announcement } from '../announcement.ts';
import { EventStreams } from '../event-streams.ts';
import type { NodeContext } from '../node-context.ts';
import type { PastTurns } from '../past-turns.ts';

const openings = 'public:concordat.openings';
const policies = 'public:concordat.policies';
const alice = 'a'.repeat(64) as ActorId;

/** What a governance transaction writes: a policy, and where the one before it is. */
function writes(previous: number): Uint8Array {
  const store = new Store([openings, policies].map((name) => ({ name, kind: 'hash' as const })));
  const set = store.begin(1);
  set.table(openings).set('previous', utf8(`${previous}`));
  set.table(policies).set('maxBatchDelayMs', utf8('5'));
  return set.takeWriteSet().publicWrites;
}

const announced = (seqno: number): Announcement => ({
  transactionId: `2.${seqno}`,
  timeMs: 1,
  publicWrites: [writes(seqno - 1)],
});

const open: EventStreams[] = [];
afterEach(() => {
  for (const streams of open.splice(0)) streams.stop();
});

/** Streams of a node whose every block is administrative, one transaction each; heights are seqnos. */
function node(committed: number) {
  const world = { committed, read: [] as number[], opened: () => Promise.resolve() };
  const view = { table: () => ({ get: () => utf8(`${world.committed}`) }) };
  const context = {
    log: {
      get committedSeqno() {
        return world.committed;
      },
    },
    administration: { committedState: view },
  } as unknown as NodeContext;
  const turns = {
    block: async (_: unknown, height: number) => {
      await world.opened();
      world.read.push(height);
      const header = { view: 2, firstSeqno: height, timeMs: 1 };
      const transactions = [{ publicWrites: writes(height - 1) }];
      return { header, transactions } as unknown as ProvenBlock;
    },
  } as unknown as PastTurns;
  const streams = new EventStreams(context, turns);
  open.push(streams);
  return { world, streams };
}

async function until(check: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !check(); turn++) await nextTurn();
  assert.ok(check());
}

/** A reader, with the seqnos it was told. */
function reader() {
  const response = new PassThrough({ highWaterMark: 1024 * 1024 }) as unknown as ServerResponse;
  let text = '';
  response.on('data', (part) => {
    text += String(part);
  });
  Object.assign(response, { writeHead: () => response, flushHeaders: () => undefined });
  const told = () => [...text.matchAll(/^id: 2\.(\d+)$/gm)].map(([, seqno]) => Number(seqno));
  return { response, told };
}

test('the past and the present meet without a gap and without a repetition', async () => {
  const { world, streams } = node(5);
  const { response, told } = reader();
  let isFirst = true;
  world.opened = async () => {
    // While it is told of the past, more is committed and announced.
    if (isFirst) {
      isFirst = false;
      for (const seqno of [6, 7]) {
        world.committed = seqno;
        streams.notify(announced(seqno));
      }
    }
    await nextTurn();
  };
  await streams.open(response, alice, 2);
  // What is committed already may be announced only now.
  streams.notify(announced(7));
  world.committed = 8;
  streams.notify(announced(8));
  await nextTurn();
  assert.deepEqual(told(), [3, 4, 5, 6, 7, 8]);
});

test('who heard of the present is cut off when a snapshot passes some of it over', async () => {
  const { world, streams } = node(5);
  const [now, past] = [reader(), reader()];
  await streams.open(now.response, alice, undefined);
  const gate = Promise.withResolvers<void>();
  world.opened = () => gate.promise;
  const replay = streams.open(past.response, alice, 3);
  world.committed = 9;
  streams.passedOver();
  assert.ok(now.response.destroyed, 'it comes again, and hears the past');
  assert.ok(!past.response.destroyed, 'it will hear of it anyway');
  gate.resolve();
  await replay;
  await nextTurn();
  assert.deepEqual(past.told(), [4, 5, 6, 7, 8, 9]);
  const again = reader();
  await streams.open(again.response, alice, 5);
  await nextTurn();
  assert.deepEqual(again.told(), [6, 7, 8, 9]);
});

test('readers of the past that take nothing keep nobody else from it', async () => {
  const { streams } = node(100);
  const replays: Promise<void>[] = [];
  const stuck: ServerResponse[] = [];
  for (const actor of 'bcdef'.split('').map((one) => one.repeat(64) as ActorId)) {
    for (let count = 0; count < 2; count++) {
      const response = new PassThrough({ highWaterMark: 16 }) as unknown as ServerResponse;
      Object.assign(response, { writeHead: () => response, flushHeaders: () => undefined });
      stuck.push(response);
      replays.push(streams.open(response, actor, 0));
      await nextTurn();
      await until(() => (response as unknown as PassThrough).writableNeedDrain);
    }
    const third = streams.open(reader().response, actor, 0);
    await assert.rejects(third, { code: 'OVERLOADED' }, 'two of one actor');
  }
  const { response, told } = reader();
  await streams.open(response, alice, 90);
  await nextTurn();
  assert.equal(told().length, 10);
  for (const one of stuck) one.destroy();
  await Promise.all(replays);
});

test('a reader that leaves reads no more of the past, and its place is free', async () => {
  const { world, streams } = node(1_000);
  for (let count = 0; count < 5; count++) {
    const { response } = reader();
    world.read.length = 0;
    world.opened = async () => {
      if (world.read.length === 3) response.destroy();
      await nextTurn();
    };
    await streams.open(response, alice, 0);
    assert.ok(world.read.length < 10, `${world.read.length} blocks were read`);
  }
});
