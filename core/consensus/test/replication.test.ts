import assert from 'node:assert/strict';
import test from 'node:test';
import { height, id, options, payload, TestNetwork, TestNode, view } from './network.ts';

test('three nodes elect a leader, replicate its entries and all learn the commit', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  for (let at = 0; at < 10; at += 1) assert.equal(a.raft.propose(payload(`${at}`)).ok, true);
  network.settle();
  for (const node of network.nodes.values()) {
    assert.equal(node.committed, 11);
    assert.deepEqual(node.disk, a.disk);
    assert.equal(node.status.leader, id('a'));
  }
  assert.equal(a.committedByAll, 11);
});

test('a single node commits as soon as its entry is persisted', () => {
  const node = new TestNode('a', options('a', 'a'));
  node.persists = false;
  for (let tick = 0; tick < 20; tick += 1) node.raft.tick();
  assert.equal(node.status.role, 'leader');
  assert.deepEqual(node.raft.propose(payload('x')), { ok: true, view: 1, height: 1 });
  node.work();
  assert.equal(node.committed, 0);
  node.raft.persisted(height(1), view(1));
  node.work();
  assert.equal(node.committed, 1);
  assert.equal(node.committedByAll, 1);
});
