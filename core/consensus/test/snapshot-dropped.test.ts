/** A snapshot that is wanted no longer: its receiver is told to forget it, its sender sends no more. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  among,
  entry,
  established,
  height,
  id,
  install,
  options,
  prune,
  snapshotAt,
  TestNode,
  view,
} from './network.ts';

const dropped = (node: TestNode): number =>
  node.seen.filter(({ receptionDropped }) => receptionDropped).length;

/** A node that has one chunk of three of a snapshot of height 5. */
function receiver(voters = 'abc'): TestNode {
  const node = new TestNode('c', options('c', voters));
  node.step('a', install(snapshotAt({ height: 5, view: 1, chunks: 3 }, among(voters)), 0));
  node.work();
  assert.equal(node.status.receiving?.stored, 1);
  assert.equal(dropped(node), 0);
  return node;
}

test('who has by blocks what a snapshot covers is told to forget it before they are final', () => {
  const node = receiver();
  node.step('b', {
    type: 'append',
    view: view(2),
    previous: { height: height(0), view: view(0) },
    committed: height(5),
    round: 1,
    retire: false,
    entries: [1, 2, 3, 4, 5].map((at) => entry(1, at)),
  });
  node.work();
  const effects = node.seen.find(({ receptionDropped }) => receptionDropped);
  assert.equal(effects?.committed, 5, 'in the same effects, and before');
  assert.equal(node.chunks.size, 0);
});

test('another snapshot, another leader’s account of it, and a chunk that does not hold drop it', () => {
  const position = snapshotAt({ height: 5, view: 1, chunks: 3 }, among('abc'));
  const newer = snapshotAt({ height: 7, view: 1, chunks: 3 }, among('abc'));
  const cases: ((node: TestNode) => void)[] = [
    (node) => node.step('a', install(newer, 0)),
    (node) => node.step('b', install({ ...position, configurationHeight: height(1) }, 0, 2)),
    (node) => node.raft.restoreFailed(position.digest),
  ];
  for (const happens of cases) {
    const node = receiver();
    happens(node);
    node.work();
    assert.equal(dropped(node), 1, happens.toString());
    assert.equal(node.chunks.size, node.status.receiving ? 1 : 0);
  }
});

test('a change of view, and the next leader’s part of the same snapshot, drop nothing', () => {
  const node = receiver();
  const position = snapshotAt({ height: 5, view: 1, chunks: 3 }, among('abc'));
  for (let tick = 0; tick < 40; tick += 1) node.raft.tick();
  node.work();
  for (const index of [1, 2]) node.step('b', install(position, index, 3));
  node.work();
  assert.equal(dropped(node), 0);
  assert.deepEqual(node.restored, [position]);
});

test('a node that comes to lead forgets what it has of a snapshot', () => {
  const node = receiver('c');
  for (let tick = 0; tick < 30; tick += 1) node.raft.tick();
  node.work();
  assert.equal(node.status.role, 'leader');
  assert.equal(dropped(node), 1);
  assert.equal(node.chunks.size, 0);
});

test('chunks that the driver has not taken yet go with the snapshot they are of', () => {
  const node = new TestNode('c', options('c', 'abc'));
  const older = snapshotAt({ height: 5, view: 1, chunks: 3 }, among('abc'));
  const newer = snapshotAt({ height: 7, view: 1, chunks: 3 }, among('abc'));
  for (const index of [0, 1]) node.step('a', install(older, index));
  node.step('a', install(newer, 0));
  const effects = node.raft.takeEffects();
  assert.equal(effects?.receptionDropped, true);
  assert.deepEqual(
    effects?.chunkReceived.map(({ position, index }) => [position.height, index]),
    [[7, 0]],
  );
});

test('a snapshot that is withdrawn is offered to nobody, and who was sent it gets the entries', () => {
  const [network, a] = established('abc', 30, { snapshotGap: 5 });
  const position = snapshotAt({ height: 20, view: 1, chunks: 40 }, among('abc'));
  a.offer(position);
  const d = network.add('d', 'abc');
  let chunks = 0;
  network.delivers = (_, to, { type }) => to !== 'd' || type !== 'install' || ++chunks < 9;
  a.raft.addLearner(id('d'));
  network.settle();
  assert.ok((d.status.receiving?.stored ?? 0) > 3);
  a.raft.withdrawSnapshot('f'.repeat(64));
  assert.equal(a.status.offered, position, 'another one');
  a.raft.withdrawSnapshot(position.digest);
  assert.equal(a.status.offered, undefined);
  const asked = a.seen.length;
  network.heal();
  network.run(4);
  assert.deepEqual(
    a.seen.slice(asked).flatMap(({ chunkFetch }) => chunkFetch),
    [],
  );
  assert.deepEqual([d.restored.length, d.status.lastHeight, dropped(d)], [0, 30, 1]);
  assert.equal(d.status.receiving, undefined);
});

test('after a withdrawal an older snapshot may be offered again', () => {
  const [network, a] = established('abc', 30);
  const older = snapshotAt({ height: 10, view: 1, chunks: 3 }, among('abc'));
  const newer = snapshotAt({ height: 20, view: 1, chunks: 3 }, among('abc'));
  a.offer(older);
  a.offer(newer);
  prune(a, 10);
  a.raft.withdrawSnapshot(newer.digest);
  a.offer(older);
  const d = network.add('d', 'abc');
  a.raft.addLearner(id('d'));
  network.run(4);
  assert.deepEqual(d.restored, [older]);
  assert.equal(d.status.lastHeight, 30);
});
