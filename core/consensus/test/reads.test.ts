import assert from 'node:assert/strict';
import test from 'node:test';
import type { Message } from '../index.ts';
import { options, payload, TestNetwork, TestNode } from './network.ts';

test('a read is answered at the commit height once a quorum confirms the leader after it', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  a.raft.propose(payload('x'));
  network.settle();
  network.isolate('a');
  a.raft.readIndex('r1');
  network.settle();
  assert.deepEqual(a.reads, [], 'nobody confirmed');
  network.heal();
  network.run(3);
  assert.deepEqual(a.reads, ['r1@2']);
});

test('a leader cut off from the quorum answers no read, and fails it when it steps down', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  network.isolate('a');
  a.raft.readIndex('r1');
  network.run(40);
  assert.deepEqual([a.reads, a.failedReads], [[], ['r1']]);
});

test('a read waits until an entry of the own view is committed', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  a.raft.transferLeadership();
  network.settle();
  const next = [...network.nodes.values()].find(
    (node) => node.status.role === 'leader',
  ) as TestNode;
  next.raft.readIndex('r1');
  network.run(5);
  assert.deepEqual(next.reads, []);
  next.raft.propose(payload('no-op'));
  network.run(2);
  assert.deepEqual(next.reads, ['r1@2']);
});

test('an answer to what was sent before the read does not confirm it', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  a.raft.readIndex('r0');
  network.settle();
  const late: [from: string, message: Message][] = [];
  network.delivers = (from, to, message) => {
    if (to === 'a') late.push([from, message]);
    return to !== 'a';
  };
  network.run(2);
  assert.deepEqual([...new Set(late.map(([from]) => from))].sort(), ['b', 'c']);
  network.isolate('a');
  a.raft.readIndex('r1');
  network.settle();
  for (const [from, message] of late) a.step(from, message);
  network.settle();
  assert.deepEqual(a.reads, ['r0@1']);
  network.heal();
  network.run(3);
  assert.deepEqual(a.reads, ['r0@1', 'r1@1']);
});

test('a follower fails a read at once', () => {
  const network = new TestNetwork('abc');
  network.elect('a');
  network.node('b').raft.readIndex('r1');
  network.settle();
  assert.deepEqual(network.node('b').failedReads, ['r1']);
});

test('a single node answers a read alone', () => {
  const node = new TestNode('a', options('a', 'a'));
  for (let tick = 0; tick < 20; tick += 1) node.raft.tick();
  node.raft.readIndex('early');
  node.raft.propose(payload('x'));
  node.work();
  node.raft.readIndex('late');
  node.work();
  assert.deepEqual(node.reads, ['early@1', 'late@1']);
});

test('an id is not used again while its read waits, and free once that is answered or failed', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  network.isolate('a');
  assert.equal(a.raft.readIndex('r1'), true);
  assert.equal(a.raft.readIndex('r1'), false);
  network.settle();
  network.heal();
  network.run(3);
  assert.deepEqual([a.reads, a.failedReads], [['r1@1'], []], 'one question, one answer');
  assert.equal(a.raft.readIndex('r1'), true);
  network.isolate('a');
  network.run(40);
  assert.deepEqual(a.failedReads, ['r1']);
  assert.equal(a.raft.readIndex('r1'), true);
  network.settle();
  assert.deepEqual(a.failedReads, ['r1', 'r1']);
});
