import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createKeyvalueAdapter, encodeRequest, operations } from '@concordat/keyvalue';
import { utf8 } from '@concordat/std';
import type { LedgerAdapter } from '@concordat/worker-enclave';
import WebSocket from 'ws';
import {
  createFakeNode,
  type FakeNode,
  type FakeNodeOptions,
  type FakeSnapshot,
} from '../index.ts';
import { createToyAdapter } from './toy-adapter.ts';

async function start(
  t: TestContext,
  options: FakeNodeOptions = {},
  adapters: LedgerAdapter | readonly LedgerAdapter[] = createToyAdapter(),
): Promise<FakeNode> {
  const node = await createFakeNode(adapters, options);
  t.after(() => node.close());
  return node;
}

const set = (node: FakeNode, text: string) => node.submit(utf8(text), { adapterId: 'toy' });

/** A node with some words, and its snapshot. */
async function snapshotted(t: TestContext, options: FakeNodeOptions = {}) {
  const node = await start(t, options);
  for (const word of ['a', 'b', 'c']) await set(node, `set ${word} 1`);
  return { node, snapshot: await node.ledger.takeSnapshot() };
}

const statusOf = async (node: FakeNode, path: string): Promise<number> =>
  (await fetch(node.url + path, { headers: { connection: 'close' } })).status;

const chunkFrame = ({ chunks }: FakeSnapshot, index: number) =>
  ({ kind: 'restore', index, chunks: chunks.length, bytes: chunks[index] as Uint8Array }) as const;

describe('snapshots of a worker that goes on', () => {
  it('hold exactly the state of their height, however much is written meanwhile', async (t) => {
    const adapters = () => [createToyAdapter(), createKeyvalueAdapter()];
    const leader = await start(t, { policies: { maxBatchTransactions: 20 } }, adapters());
    let over = false;
    const write = async (seed: number): Promise<void> => {
      for (let at = seed; !over; at += 7) {
        const key = `k${(at * 7919) % 3_000}`;
        const request = encodeRequest(operations.put, key, Buffer.alloc(900, at));
        const raw = at % 5 === 0 ? utf8(`set ${key} ${at}`) : request;
        await leader.submit(raw, { adapterId: at % 5 === 0 ? 'toy' : 'keyvalue' });
      }
    };
    const writers = Array.from({ length: 40 }, (_, seed) => write(seed));
    const snapshots: FakeSnapshot[] = [];
    while (snapshots.length < 3) {
      await sleep(150);
      const before = leader.ledger.committedHeight;
      const snapshot = await leader.ledger.takeSnapshot();
      assert.equal(snapshot.height, before);
      assert(leader.ledger.committedHeight > before, 'writes went on');
      snapshots.push(snapshot);
    }
    over = true;
    await Promise.all(writers);
    for (const snapshot of snapshots) {
      const blocks = leader.ledger.committedBlocks.slice(0, snapshot.height);
      const follower = await start(t, { blocks }, adapters());
      assert.deepEqual(await follower.ledger.takeSnapshot(), snapshot);
      const fresh = await start(t, { blocks, snapshot }, adapters());
      assert.deepEqual(fresh.dump(), follower.dump());
      fresh.ledger.replay(leader.ledger.committedBlocks.slice(snapshot.height));
      assert.deepEqual(fresh.dump(), leader.dump());
    }
  });

  it('are given up when the state is replaced', async (t) => {
    const { node, snapshot } = await snapshotted(t);
    node.ledger.role(false);
    const given = node.ledger.takeSnapshot();
    node.ledger.restore(snapshot, node.ledger.committedBlocks);
    await assert.rejects(given, { message: 'SNAPSHOT_ABANDONED' });
  });

  it('are the same however the adapters of the worker are listed', async (t) => {
    const [toy, keyvalue] = [createToyAdapter(), createKeyvalueAdapter()];
    const one = await start(t, {}, [toy, keyvalue]);
    await set(one, 'set a 1');
    const { committedBlocks: blocks } = one.ledger;
    const other = await start(t, { blocks }, [createKeyvalueAdapter(), createToyAdapter()]);
    const snapshot = await one.ledger.takeSnapshot();
    assert.deepEqual(await other.ledger.takeSnapshot(), snapshot);
    await start(t, { blocks, snapshot }, [createKeyvalueAdapter(), createToyAdapter()]);
  });
});

describe('a worker that takes up a snapshot', () => {
  it('serves nobody from the first chunk until it is started again', async (t) => {
    const { node, snapshot } = await snapshotted(t);
    const follower = await start(t, { blocks: node.ledger.committedBlocks });
    const socket = new WebSocket(`${follower.url.replace('http', 'ws')}/socket`);
    const closed = new Promise((resolve) => socket.on('close', resolve).on('error', () => {}));
    await new Promise((resolve) => socket.on('open', resolve));
    assert.equal(await statusOf(follower, '/words'), 200);
    follower.worker.receive(chunkFrame(snapshot, 0));
    await closed;
    assert.equal(await statusOf(follower, '/words'), 503);
    follower.ledger.restore(snapshot, node.ledger.committedBlocks);
    assert.equal(await statusOf(follower, '/words'), 503);
    assert.equal(await statusOf(follower, '/app/health'), 503);
    follower.worker.receive({ kind: 'start' });
    assert.equal(await statusOf(follower, '/words'), 200);
    assert.deepEqual(follower.worker.health().committedHeight, snapshot.height);
  });

  it('starts its adapters once, whatever follows', async (t) => {
    const { node, snapshot } = await snapshotted(t);
    let starts = 0;
    const adapter = { ...createToyAdapter(), start: () => void starts++ };
    const follower = await start(t, { blocks: node.ledger.committedBlocks, snapshot }, adapter);
    follower.ledger.restore(snapshot, node.ledger.committedBlocks);
    follower.worker.receive({ kind: 'start' });
    assert.equal(starts, 1);
  });

  it('goes on from its time, also with a clock that is behind', async (t) => {
    const { node, snapshot } = await snapshotted(t, { timeMs: () => 5_000_000 });
    const adapter = createToyAdapter();
    const times: number[] = [];
    const execute = adapter.execute.bind(adapter);
    adapter.execute = (batch, transactions, env) => {
      times.push(env.timeMs);
      return execute(batch, transactions, env);
    };
    const blocks = node.ledger.committedBlocks;
    const behind = await start(t, { blocks, snapshot, timeMs: () => 1_000 }, adapter);
    behind.ledger.role(true);
    await set(behind, 'set d 1');
    assert.deepEqual(times, [5_000_000]);
  });

  it('may be given another one before the first is complete', async (t) => {
    const { node, snapshot } = await snapshotted(t);
    const follower = await start(t, { blocks: [] });
    follower.worker.receive(chunkFrame(snapshot, 0));
    assert.equal(follower.ledger.restore(snapshot, node.ledger.committedBlocks), undefined);
    assert.deepEqual(follower.dump(), node.dump());
  });

  it('ends when chunks come out of order: the manager does not do that', async (t) => {
    const { snapshot } = await snapshotted(t);
    const [head, section] = [chunkFrame(snapshot, 0), chunkFrame(snapshot, 1)];
    for (const frames of [
      [section],
      [head, head, { ...section, index: 2 }],
      [head, { ...section, index: 2 }],
      [head, { ...section, chunks: head.chunks + 1 }],
      [{ ...head, chunks: head.chunks + 1 }, section],
    ]) {
      const follower = await start(t, { blocks: [] });
      assert.throws(
        () => {
          for (const frame of frames) follower.worker.receive(frame);
        },
        { code: 'PROTOCOL' },
      );
    }
  });

  it('ends when it leads: a leader has the newest state there is', async (t) => {
    const { node, snapshot } = await snapshotted(t);
    assert.throws(() => node.worker.receive(chunkFrame(snapshot, 0)), { code: 'PROTOCOL' });
  });

  it('takes up a state to which an adapter of its own has not contributed', async (t) => {
    const { node, snapshot } = await snapshotted(t);
    const adapters = [createToyAdapter(), createKeyvalueAdapter()];
    const more = await start(t, { blocks: node.ledger.committedBlocks, snapshot }, adapters);
    assert.deepEqual(more.dump()['toy/words'], node.dump()['toy/words']);
    assert.deepEqual(await more.ledger.takeSnapshot(), snapshot);
  });

  it('refuses a state to which an adapter has contributed that it does not have', async (t) => {
    const both = await start(t, {}, [createToyAdapter(), createKeyvalueAdapter()]);
    await set(both, 'set a 1');
    const past = both.ledger.committedBlocks;
    const remembered = await both.ledger.takeSnapshot();
    const keyvalue = await start(t, { blocks: [] }, createKeyvalueAdapter());
    assert.equal(keyvalue.ledger.restore(remembered, past), 'INVALID');
    const raw = encodeRequest(operations.put, 'k', utf8('v'));
    await both.submit(raw, { adapterId: 'keyvalue' });
    const stored = await both.ledger.takeSnapshot();
    const toy = await start(t, { blocks: [] });
    assert.equal(toy.ledger.restore(stored, both.ledger.committedBlocks), 'UNKNOWN_TABLE');
  });

  it('refuses what an adapter does not know as its memory', async (t) => {
    const { node, snapshot } = await snapshotted(t);
    const chunks = snapshot.chunks.with(1, Buffer.alloc(snapshot.chunks[1]?.length ?? 0, 0x78));
    assert.notEqual(snapshot.chunks.length, 2, 'the toy remembers something');
    const follower = await start(t, { blocks: [] });
    const past = node.ledger.committedBlocks;
    assert.equal(follower.ledger.restore({ ...snapshot, chunks }, past), 'INVALID_MEMORY');
    assert.equal(follower.ledger.restore(snapshot, past), undefined);
  });
});
