import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeId } from '@concordat/std';
import { type BarrierCallback, ReadBarriers } from '../read-barriers.ts';
import { ReadIndex } from '../read-index.ts';

const self = 'a'.repeat(64) as NodeId;
const other = 'b'.repeat(64) as NodeId;
const third = 'c'.repeat(64) as NodeId;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function height(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/** Barriers of one node whose leader, channel and consensus the test plays. */
function setUp(leader: NodeId = other) {
  const node = { leader: leader as NodeId | undefined, committed: 0, nowMs: 0, connected: true };
  const asked: { readonly to: NodeId; readonly reply: (bytes: Buffer | Error) => void }[] = [];
  const indexed: string[] = [];
  const readIndex = new ReadIndex((id) => indexed.push(id));
  const barriers = new ReadBarriers({
    self,
    leader: () => node.leader,
    readIndex: () => readIndex,
    channel: {
      connected: () => node.connected,
      request: (to, kind, body) => {
        assert.deepEqual([kind, body.length], ['read-index', 0]);
        return new Promise((resolve, reject) => {
          const reply = (bytes: Buffer | Error) =>
            bytes instanceof Error ? reject(bytes) : resolve(bytes);
          asked.push({ to, reply });
        });
      },
    },
    committedHeight: () => node.committed,
    nowMs: () => node.nowMs,
  });
  const outcomes: string[] = [];
  const ask = (name: string): void => {
    const told: BarrierCallback = (refusal) => outcomes.push(`${name} ${refusal ?? 'passed'}`);
    barriers.ask(told);
  };
  const commit = (to: number): void => {
    node.committed = to;
    barriers.committed(to);
  };
  return { node, asked, indexed, readIndex, barriers, outcomes, ask, commit };
}

describe('barriers of a follower', () => {
  test('wait until the height the leader names is committed here', async () => {
    const { asked, outcomes, ask, commit } = setUp();
    ask('r');
    await turn();
    commit(4);
    asked[0]?.reply(height(5));
    await turn();
    assert.deepEqual(outcomes, []);
    commit(5);
    assert.deepEqual(outcomes, ['r passed']);
  });

  test('share one question a turn, and none with an earlier one', async () => {
    const { asked, outcomes, ask } = setUp();
    ask('a');
    ask('b');
    await turn();
    ask('c');
    await turn();
    assert.deepEqual(
      asked.map(({ to }) => to),
      [other, other],
    );
    asked[0]?.reply(height(0));
    await turn();
    assert.deepEqual(outcomes, ['a passed', 'b passed']);
  });

  test('are asked of the next leader, and what the former one says later is not heard', async () => {
    const { node, asked, barriers, outcomes, ask } = setUp();
    ask('r');
    await turn();
    node.leader = third;
    barriers.standingChanged();
    asked[0]?.reply(height(0));
    await turn();
    assert.deepEqual(outcomes, []);
    assert.deepEqual(
      asked.map(({ to }) => to),
      [other, third],
    );
    asked[1]?.reply(height(0));
    await turn();
    assert.deepEqual(outcomes, ['r passed']);
  });

  test('are asked again after a refusal, and after an answer without the form of one', async () => {
    const { asked, outcomes, ask } = setUp();
    ask('r');
    await turn();
    const wrong = [new Error('NOT_LEADER'), Buffer.alloc(7), Buffer.alloc(9), Buffer.alloc(8, 255)];
    for (const [at, reply] of wrong.entries()) {
      asked[at]?.reply(reply);
      await sleep(40);
      assert.equal(asked.length, at + 2);
    }
    asked.at(-1)?.reply(height(0));
    await turn();
    assert.deepEqual(outcomes, ['r passed']);
  });

  test('are refused after five seconds: without a leader, unconfirmed, or not caught up', async () => {
    const { node, asked, barriers, outcomes, ask } = setUp();
    node.leader = undefined;
    const refusedIn = async (name: string): Promise<void> => {
      const sinceMs = node.nowMs;
      ask(name);
      await turn();
      asked.at(-1)?.reply(height(9));
      await turn();
      node.nowMs = sinceMs + 4_999;
      barriers.expire();
      assert.equal(outcomes.length, 0);
      node.nowMs = sinceMs + 5_000;
      barriers.expire();
    };
    await refusedIn('leaderless');
    assert.deepEqual(outcomes.splice(0), ['leaderless LEADER_UNKNOWN']);
    node.leader = other;
    await refusedIn('behind');
    assert.deepEqual(outcomes.splice(0), ['behind READ_NOT_CONFIRMED']);
    node.connected = false;
    await refusedIn('apart');
    assert.deepEqual(outcomes.splice(0), ['apart LEADER_UNKNOWN']);
    assert.deepEqual(barriers.counts, { passed: 0, refused: 3 });
    barriers.stop();
  });

  test('have a limit, and those that wait when the node stops are refused', async () => {
    const { barriers, outcomes, ask } = setUp();
    for (let n = 0; n < 1_025; n++) ask(`${n}`);
    await turn();
    assert.deepEqual(outcomes, ['1024 OVERLOADED']);
    barriers.stop();
    assert.equal(outcomes.length, 1_025);
    assert.equal(outcomes[1], '0 READ_NOT_CONFIRMED');
  });
});

describe('barriers of the leader', () => {
  test('ask its own consensus, under ids never used twice', async () => {
    const { indexed, readIndex, outcomes, ask } = setUp(self);
    ask('a');
    await turn();
    ask('b');
    await turn();
    assert.deepEqual(indexed, ['1', '2']);
    readIndex.confirmed('1', 0);
    readIndex.failed('2');
    assert.deepEqual(outcomes, ['a passed']);
    await sleep(40);
    assert.equal(indexed.length, 3);
    readIndex.confirmed('3', 0);
    readIndex.confirmed('3', 0);
    assert.deepEqual(outcomes, ['a passed', 'b passed']);
  });

  test('and the questions of its followers share one', async () => {
    const { indexed, readIndex, barriers } = setUp(self);
    const replies = [barriers.answerPeer(), barriers.answerPeer()];
    await turn();
    assert.equal(indexed.length, 1);
    readIndex.confirmed('1', 77);
    for (const reply of await Promise.all(replies))
      assert.deepEqual(Buffer.from(reply), height(77));
    const late = barriers.answerPeer();
    await turn();
    readIndex.failed('2');
    await assert.rejects(late, { code: 'NOT_LEADER' });
  });
});
