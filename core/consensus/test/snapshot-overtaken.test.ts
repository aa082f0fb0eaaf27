/** A snapshot that the log has caught up with while it came must not take entries back. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Append } from '../index.ts';
import { among, entry, height, install, options, snapshotAt, TestNode, view } from './network.ts';

const append = (change: Partial<Append>): Append => ({
  type: 'append',
  view: view(1),
  previous: { height: height(0), view: view(0) },
  committed: height(0),
  round: 1,
  retire: false,
  entries: [],
  ...change,
});

test('what was acknowledged durably is kept when a snapshot before it is complete only then', () => {
  const node = new TestNode('c', options('c', 'abc'));
  const position = snapshotAt({ height: 5, view: 1, chunks: 2 }, among('abc'));
  node.storesChunks = false;
  node.step('a', install(position, 0));
  node.step('a', install(position, 1));
  node.work();
  node.raft.chunkStored(position.digest, 0);
  // The leader is gone. The next one has every entry, and has heard of no commit.
  const entries = [1, 2, 3, 4, 5, 6].map((at) => entry(1, at));
  node.step('b', append({ view: view(2), entries: [...entries, entry(2, 7)] }));
  const answers = node.work().map(({ message }) => message);
  assert.ok(answers.some((m) => m.type === 'append-response' && m.match === 7));
  node.raft.chunkStored(position.digest, 1);
  node.work();
  assert.deepEqual(node.restored, []);
  assert.equal(node.status.receiving, undefined);
  assert.equal(node.status.lastHeight, 7);
  assert.equal(node.disk.length, 7);
  assert.equal(node.status.committed, 5, 'the snapshot says that much is final');
});

test('a chunk that is stored after its snapshot was described otherwise is of no use', () => {
  const node = new TestNode('c', options('c', 'abc'));
  const position = snapshotAt({ height: 5, view: 1, chunks: 2 }, among('abc'));
  node.storesChunks = false;
  node.step('a', install(position, 0));
  node.work();
  const other = { ...position, configurationHeight: height(1) };
  const question = { ...install(other, 0, 2), bytes: new Uint8Array(0) };
  assert.equal(node.step('b', question), undefined);
  node.raft.chunkStored(position.digest, 0);
  assert.equal(node.status.receiving?.stored, 0);
});
