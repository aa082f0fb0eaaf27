/** What is wrong about a snapshot is refused by name, and changes nothing. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type Install, type InstallResponse, maxChunkBytes, maxSnapshotChunks } from '../index.ts';
import {
  among,
  chunkOf,
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

test('what describes no snapshot is refused as malformed, and one told in two ways by its name', () => {
  const node = new TestNode('d', options('d', 'abc'));
  const position = snapshotAt({ height: 5, view: 1, chunks: 3 }, among('abc'));
  const good = install(position, 0);
  const bad: Install[] = [
    { ...good, position: { ...position, height: height(0) } },
    { ...good, position: { ...position, view: view(0) } },
    { ...good, position: { ...position, view: view(2) } },
    { ...good, position: { ...position, chunks: 0 } },
    { ...good, position: { ...position, chunks: maxSnapshotChunks + 1 } },
    { ...good, position: { ...position, chunks: 1.5 } },
    { ...good, position: { ...position, digest: 'ab' } },
    { ...good, position: { ...position, configurationHeight: height(6) } },
    { ...good, position: { ...position, configuration: among('') } },
    { ...good, position: { ...position, configuration: among('aa') } },
    { ...good, position: { ...position, configuration: among('abc', 1, 2) } },
    { ...good, index: 3 },
    { ...good, bytes: new Uint8Array(maxChunkBytes + 1) },
  ];
  for (const message of bad) assert.equal(node.step('a', message)?.code, 'MALFORMED');
  const receiving = () => node.status.receiving;
  assert.equal(receiving(), undefined);
  assert.equal(node.step('a', good), undefined);
  for (const change of [
    { chunks: 4 },
    { digest: 'f'.repeat(64) },
    { height: height(6) },
    { configuration: among('ab') },
  ]) {
    const refusal = node.step('a', { ...good, position: { ...position, ...change } });
    assert.equal(refusal?.code, 'SNAPSHOT_MISMATCH', JSON.stringify(change));
  }
  assert.equal(node.step('b', good)?.code, 'SECOND_LEADER');
  node.work();
  assert.equal(receiving()?.received, 1);
  assert.equal(node.step('b', install(position, 1, 2)), undefined, 'a later leader goes on');
  assert.equal(node.step('a', install(position, 2))?.code, 'STALE_VIEW');
});

test('an answer about a snapshot is judged before it counts', () => {
  const [network, a] = established('abc', 30);
  prune(a, 20);
  const position = snapshotAt({ height: 20, view: 1, chunks: 9 }, among('abc'));
  a.offer(position);
  network.add('d', 'abc').storesChunks = false;
  a.raft.addLearner(id('d'));
  network.settle();
  const good: InstallResponse = {
    type: 'install-response',
    view: view(1),
    digest: position.digest,
    next: 0,
    received: 1,
    height: height(0),
  };
  assert.equal(a.step('d', { ...good, received: 10 })?.code, 'MALFORMED');
  assert.equal(a.step('d', { ...good, next: 2 })?.code, 'MALFORMED');
  assert.equal(a.step('d', { ...good, height: height(31) })?.code, 'MALFORMED');
  assert.equal(a.step('d', { ...good, digest: 'f'.repeat(64) })?.code, 'UNEXPECTED');
  assert.equal(a.step('e', good)?.code, 'UNKNOWN_PEER');
  assert.equal(a.step('d', { ...good, view: view(0) })?.code, 'STALE_VIEW');
  assert.equal(network.node('b').step('d', good)?.code, 'STALE_VIEW');
  assert.equal(a.step('d', good), undefined);
});

test('a driver that speaks of chunks it never got, or twice of one, changes nothing', () => {
  const node = new TestNode('d', options('d', 'abc'));
  const position = snapshotAt({ height: 5, view: 1, chunks: 3 }, among('abc'));
  node.raft.chunkStored(position.digest, 0);
  node.raft.restoreFailed(position.digest);
  node.storesChunks = false;
  node.step('a', install(position, 0));
  node.step('a', install(position, 1));
  node.work();
  node.raft.chunkStored('f'.repeat(64), 0);
  node.raft.chunkStored(position.digest, 1);
  assert.equal(node.status.receiving?.stored, 0);
  node.raft.chunkStored(position.digest, 0);
  node.raft.chunkStored(position.digest, 0);
  assert.equal(node.status.receiving?.stored, 1);
  node.raft.provideChunk(id('a'), position.digest, 0, chunkOf(position, 0));
  assert.deepEqual(
    node.work().filter(({ message }) => message.type === 'install'),
    [],
  );
});
