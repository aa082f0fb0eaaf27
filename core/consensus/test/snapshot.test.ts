/** Snapshots: a peer that lacks too much gets the state in chunks, and goes on where it stopped. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Install, InstallResponse, Message } from '../index.ts';
import {
  among,
  empty,
  entry,
  established,
  height,
  id,
  install,
  options,
  payload,
  prune,
  snapshotAt,
  TestNetwork,
  TestNode,
  view,
} from './network.ts';

const answers = (node: TestNode): InstallResponse[] =>
  node
    .work()
    .map(({ message }) => message)
    .filter((message) => message.type === 'install-response');

const chunksTo = (messages: { to: string; message: Message }[], name: string): number[] =>
  messages
    .filter(({ to, message }) => to === id(name) && message.type === 'install')
    .map(({ message }) => message as Install)
    .filter(({ bytes }) => bytes.length > 0)
    .map(({ index }) => index);

test('a learner that lacks entries nobody has any more gets the snapshot and what follows it', () => {
  const [network, a] = established('abc', 30);
  for (const name of 'abc') {
    network.node(name).offer(snapshotAt({ height: 20, view: 1, chunks: 9 }, among('abc')));
    prune(network.node(name), 20);
  }
  const d = network.add('d', 'abc');
  a.raft.addLearner(id('d'));
  network.run(4);
  assert.deepEqual([d.base, d.restored.length, d.status.lastHeight], [20, 1, 30]);
  assert.deepEqual(d.disk, a.disk);
  assert.equal(d.status.committed, 30);
  assert.deepEqual(d.status.configurations, [among('abc')]);
  assert.equal(a.status.progress.get(id('d'))?.match, 30);
  a.raft.propose(payload('goes on'));
  network.settle();
  assert.equal(d.status.lastHeight, 31);
});

test('a peer that lacks more than the gap gets the snapshot although the entries are there', () => {
  for (const [snapshotGap, restores] of [
    [9, 1],
    [20, 0],
  ] as const) {
    const [network, a] = established('abc', 30, { snapshotGap });
    a.offer(snapshotAt({ height: 20, view: 1, chunks: 3 }, among('abc')));
    const d = network.add('d', 'abc');
    a.raft.addLearner(id('d'));
    network.run(4);
    assert.deepEqual([d.restored.length, d.status.lastHeight], [restores, 30]);
  }
});

test('nothing is offered to a peer that has what the snapshot covers', () => {
  const [network, a] = established('abc', 30, { snapshotGap: 0 });
  network.isolate('c');
  a.raft.propose(payload('without c'));
  network.settle();
  prune(a, 25);
  a.offer(snapshotAt({ height: 25, view: 1, chunks: 3 }, among('abc')));
  network.heal();
  network.run(4);
  assert.equal(network.node('c').restored.length, 0);
  assert.equal(network.node('c').status.lastHeight, 31);
});

test('no more chunks are on their way than the peer has room for', () => {
  const [network, a] = established('abc', 30);
  prune(a, 20);
  const position = snapshotAt({ height: 20, view: 1, chunks: 50 }, among('abc'));
  a.offer(position);
  const d = network.add('d', 'abc');
  d.storesChunks = false;
  a.raft.addLearner(id('d'));
  network.run(20);
  const received = d.chunks.values().next().value?.length ?? 0;
  assert.ok(received > 0 && received <= 8, `${received} chunks wait to be stored`);
  for (let at = 0; at < received; at += 1) d.raft.chunkStored(position.digest, at);
  d.storesChunks = true;
  network.run(20);
  assert.equal(d.status.lastHeight, 30);
});

test('lost, doubled and reordered chunks arrive once and in order in the end', () => {
  const [network, a] = established('abc', 30);
  prune(a, 20);
  a.offer(snapshotAt({ height: 20, view: 1, chunks: 40 }, among('abc')));
  const d = network.add('d', 'abc');
  let count = 0;
  const late: Message[] = [];
  network.delivers = (from, to, message) => {
    if (to !== 'd' || message.type !== 'install') return true;
    count += 1;
    if (count % 3 === 0) return false;
    if (count % 5 === 0) late.push(message);
    if (count % 4 === 0) for (const one of late.splice(0)) d.step(from, one);
    return count % 5 !== 0;
  };
  a.raft.addLearner(id('d'));
  network.run(400);
  assert.equal(d.restored.length, 1);
  assert.equal(d.status.lastHeight, 30);
});

test('after a change of leader a snapshot goes on where it stopped', () => {
  const [network] = established('abc', 30);
  const position = snapshotAt({ height: 20, view: 1, chunks: 40 }, among('abc'));
  for (const name of 'abc') {
    network.node(name).offer(position);
    prune(network.node(name), 20);
  }
  const d = network.add('d', 'abc');
  for (const name of 'abc') network.node(name).raft.addLearner(id('d'));
  let arrived = 0;
  network.delivers = (_, to, message) => {
    if (to !== 'd' || message.type !== 'install' || message.bytes.length === 0) return true;
    arrived += 1;
    return arrived <= 10;
  };
  network.run(1);
  assert.equal(d.status.receiving?.stored, 10);
  const sent: number[] = [];
  network.delivers = (from, to, message) => {
    if (from === 'a' || to === 'a') return false;
    if (to === 'd') sent.push(...chunksTo([{ to: id('d'), message }], 'd'));
    return true;
  };
  for (let tick = 0; tick < 60 && !['b', 'c'].some(leads); tick += 1) network.run(1);
  const next = network.node(['b', 'c'].find(leads) as string);
  next.raft.propose(payload('of a later view'));
  network.run(6);
  assert.deepEqual(
    sent,
    Array.from({ length: 30 }, (_, at) => at + 10),
    'none is sent again',
  );
  assert.equal(d.restored.length, 1);
  assert.equal(d.status.lastHeight, 31);

  function leads(name: string): boolean {
    return network.node(name).status.role === 'leader';
  }
});

test('a newer snapshot replaces one that is not complete', () => {
  const node = new TestNode('d', options('d', 'abc'));
  const older = snapshotAt({ height: 10, view: 1, chunks: 3 }, among('abc'));
  const newer = snapshotAt({ height: 20, view: 1, chunks: 2 }, among('abc'));
  node.step('a', install(older, 0));
  node.work();
  assert.equal(node.status.receiving?.stored, 1);
  node.step('a', install(newer, 0));
  node.work();
  assert.deepEqual(node.status.receiving?.position, newer);
  const refusal = node.step('a', install(older, 1));
  assert.equal(refusal?.code, 'OLD_SNAPSHOT');
  assert.equal(answers(node)[0]?.refused, 'OLD_SNAPSHOT');
  node.step('a', install(newer, 1));
  node.work();
  assert.deepEqual(node.restored, [newer]);
  assert.equal(node.status.lastHeight, 20);
});

test('a new leader may begin an older snapshot: the one before it never ends', () => {
  const node = new TestNode('d', options('d', 'abc'));
  const newer = snapshotAt({ height: 20, view: 1, chunks: 2 }, among('abc'));
  const older = snapshotAt({ height: 10, view: 1, chunks: 2 }, among('abc'));
  node.step('a', install(newer, 0));
  node.work();
  assert.equal(node.step('b', install(older, 0, 2)), undefined);
  node.work();
  node.step('b', install(older, 1, 2));
  node.work();
  assert.deepEqual(node.restored, [older]);
});

test('a snapshot of less than is committed is refused by name, and the leader goes on from there', () => {
  const [network, a] = established('abc', 30);
  const b = network.node('b');
  const refusal = b.step(
    'a',
    install(snapshotAt({ height: 20, view: 1, chunks: 2 }, among('abc')), 0),
  );
  assert.equal(refusal?.code, 'OLD_SNAPSHOT');
  const [answer] = answers(b);
  assert.deepEqual([answer?.refused, answer?.height], ['OLD_SNAPSHOT', 30]);
  assert.equal(b.status.committed, 30);
  assert.equal(a.step('b', answer as Message)?.code, 'UNEXPECTED', 'it is sending none');
});

test('entries above the snapshot that agree with it are kept, and no chunk is asked for', () => {
  const node = new TestNode('b', options('b', 'abc'));
  const entries = [1, 2, 3, 4, 5, 6].map((at) => entry(1, at));
  node.step('a', {
    type: 'append',
    view: view(1),
    previous: { height: height(0), view: view(0) },
    committed: height(1),
    round: 0,
    retire: false,
    entries,
  });
  node.work();
  const position = snapshotAt({ height: 4, view: 1, chunks: 3 }, among('abc'));
  assert.equal(node.step('a', { ...install(position, 0), bytes: new Uint8Array(0) }), undefined);
  const [answer] = answers(node);
  assert.deepEqual([answer?.next, answer?.height, answer?.refused], [3, 4, undefined]);
  assert.equal(node.committed, 4);
  assert.deepEqual(node.disk, entries);
  assert.equal(node.status.receiving, undefined);
});

test('entries that do not agree with the snapshot are gone once it is restored', () => {
  const initial = {
    ...empty('abc'),
    view: view(2),
    lastView: view(2),
    lastHeight: height(8),
    committed: height(1),
    viewHistory: [{ view: view(2), fromHeight: height(1) }],
  };
  const node = new TestNode('b', { ...options('b', 'abc'), initial });
  for (let at = 1; at <= 8; at += 1) node.disk.push(entry(2, at));
  const position = snapshotAt({ height: 5, view: 3, chunks: 1 }, among('abc'));
  node.step('a', install(position, 0, 3));
  node.work();
  assert.deepEqual([node.status.lastHeight, node.status.lastView, node.committed], [5, 3, 5]);
  // The word that an entry of the old log is durable may come late: it means nothing now.
  node.raft.persisted(height(8), view(2));
  node.step('a', {
    type: 'append',
    view: view(3),
    previous: position,
    committed: height(5),
    round: 0,
    retire: false,
    entries: [entry(3, 6)],
  });
  node.work();
  assert.deepEqual(node.disk, [entry(3, 6)]);
  assert.equal(node.status.lastHeight, 6);
});

test('while it restores, a node neither takes entries, nor learns commits, nor campaigns', () => {
  const node = new TestNode('b', options('b', 'abc'));
  node.restores = false;
  const position = snapshotAt({ height: 5, view: 1, chunks: 1 }, among('abc'));
  node.step('a', install(position, 0));
  node.work();
  assert.equal(node.status.receiving?.restoring, true);
  node.step('a', {
    type: 'append',
    view: view(1),
    previous: { height: height(0), view: view(0) },
    committed: height(1),
    round: 3,
    retire: false,
    entries: [entry(1, 1)],
  });
  const [response] = node.work().map(({ message }) => message);
  assert.equal(response?.type, 'append-response');
  assert.deepEqual([node.status.lastHeight, node.status.committed], [0, 0]);
  assert.equal(node.step('a', { type: 'timeout-now', view: view(1) })?.code, 'UNEXPECTED');
  for (let tick = 0; tick < 100; tick += 1) node.raft.tick();
  node.work();
  assert.equal(node.status.role, 'follower');
  const other = snapshotAt({ height: 9, view: 1, chunks: 1 }, among('abc'));
  assert.equal(node.step('a', install(other, 0))?.code, 'RESTORING');
  node.work();
  node.restore(position);
  node.work();
  assert.equal(node.status.committed, 5);
  assert.equal(node.step('a', install(other, 0)), undefined);
});

test('a candidate decides nothing else: it restores when it follows again', () => {
  const node = new TestNode('b', options('b', 'abc'));
  const position = snapshotAt({ height: 5, view: 1, chunks: 1 }, among('abc'));
  node.storesChunks = false;
  node.step('a', install(position, 0));
  node.work();
  for (let tick = 0; tick < 30; tick += 1) node.raft.tick();
  assert.equal(node.status.role, 'pre-candidate');
  node.raft.chunkStored(position.digest, 0);
  node.work();
  assert.deepEqual(node.restored, []);
  node.step('a', { ...install(position, 0), bytes: new Uint8Array(0) });
  node.work();
  assert.deepEqual(node.restored, [position]);
});

test('a node that comes to lead has no use for a part of a snapshot', () => {
  const node = new TestNode('a', options('a', 'a'));
  node.step('b', { ...install(snapshotAt({ height: 5, view: 1, chunks: 2 }, among('a')), 0) });
  node.work();
  assert.ok(node.status.receiving);
  for (let tick = 0; tick < 30; tick += 1) node.raft.tick();
  assert.equal(node.status.role, 'leader');
  assert.equal(node.status.receiving, undefined);
});

test('a snapshot that does not hold is forgotten, told, and tried again after a while', () => {
  const [network, a] = established('abc', 30);
  prune(a, 20);
  const position = snapshotAt({ height: 20, view: 1, chunks: 5 }, among('abc'));
  a.offer(position);
  const d = network.add('d', 'abc');
  d.restores = false;
  a.raft.addLearner(id('d'));
  network.run(4);
  assert.equal(d.status.receiving?.restoring, true);
  d.chunks.clear();
  d.raft.restoreFailed(position.digest);
  network.settle();
  assert.equal(d.status.receiving, undefined);
  network.run(3);
  assert.equal(d.status.receiving, undefined, 'not at once');
  d.restores = true;
  network.run(30);
  assert.equal(d.status.lastHeight, 30);
});

test('a chunk that the driver does not have is asked for again, or the newer snapshot sent', () => {
  const [network, a] = established('abc', 30);
  prune(a, 20);
  const first = snapshotAt({ height: 20, view: 1, chunks: 5 }, among('abc'));
  a.raft.offerSnapshot(first);
  const d = network.add('d', 'abc');
  a.raft.addLearner(id('d'));
  network.run(10);
  const asked = a.seen.reduce((sum, { chunkFetch }) => sum + chunkFetch.length, 0);
  assert.ok(asked >= 4 && asked <= 30, `${asked} times`);
  assert.equal(d.status.receiving?.received, 0);
  prune(a, 25);
  a.offer(snapshotAt({ height: 25, view: 1, chunks: 3 }, among('abc')));
  network.run(10);
  assert.equal(d.base, 25);
  assert.equal(d.status.lastHeight, 30);
});

test('a peer gets entries while chunks of the offered snapshot are not to be had', () => {
  const [network, a] = established('abc', 30, { snapshotGap: 5 });
  a.raft.offerSnapshot(snapshotAt({ height: 20, view: 1, chunks: 5 }, among('abc')));
  const d = network.add('d', 'abc');
  a.raft.addLearner(id('d'));
  network.run(10);
  assert.deepEqual([d.restored.length, d.status.lastHeight], [0, 30]);
});

test('a snapshot is installed in the midst of a reconfiguration, and brings the voters with it', () => {
  const [network, a] = established('abc', 10);
  for (const name of 'de') network.add(name, 'abc');
  network.delivers = (from, to) => !'e'.includes(from) && !'e'.includes(to);
  a.raft.addLearner(id('d'));
  network.run(3);
  a.raft.propose(payload('to ade'), among('ade', 2, 2));
  network.run(3);
  assert.equal(a.committed, 11, 'a and d of the new, a, b and c of the old');
  const position = snapshotAt({ height: 11, view: 1, chunks: 4 }, among('ade', 2, 2), 11);
  a.offer(position);
  prune(a, 11);
  a.raft.propose(payload('to ae'), among('ae'));
  network.heal();
  network.run(6);
  const e = network.node('e');
  assert.equal(e.base, 11);
  assert.deepEqual(e.status.configurations, [among('ae')]);
  assert.equal(a.committed, 12);
  assert.equal(e.status.role, 'follower');
  network.run(4);
  assert.equal(network.node('d').status.retired, true);
});

test('a removed voter learns of its removal from a snapshot and is let go', () => {
  const [network, a] = established('abc', 10);
  network.isolate('c');
  a.raft.propose(payload('c goes'), among('ab'));
  network.run(3);
  a.offer(snapshotAt({ height: 11, view: 1, chunks: 2 }, among('ab'), 11));
  prune(a, 11);
  network.heal();
  network.run(30);
  const c = network.node('c');
  assert.equal(c.base, 11);
  assert.equal(c.status.retired, true);
});

test('a log that begins after a snapshot is resumed, elected and fed to others', () => {
  const initial = {
    ...empty('ab'),
    view: view(4),
    lastView: view(4),
    lastHeight: height(20),
    committed: height(20),
    configurationHeight: height(7),
    viewHistory: [{ view: view(4), fromHeight: height(20) }],
  };
  const network = new TestNetwork('');
  for (const name of 'ab') network.add(name, 'ab', { initial }).base = 20;
  const a = network.elect('a');
  assert.equal(a.committed, 21);
  const fresh = network.add('d', 'ab');
  a.offer(snapshotAt({ height: 20, view: 4, chunks: 2 }, among('ab'), 7));
  a.raft.addLearner(id('d'));
  network.run(4);
  assert.deepEqual([fresh.base, fresh.status.lastHeight], [20, 21]);
});

test('the view history a snapshot brings lets its receiver compare and feed logs before it', () => {
  const node = new TestNode('b', options('b', 'abc'));
  node.restores = false;
  const position = snapshotAt({ height: 9, view: 3, chunks: 1 }, among('abc'));
  node.step('a', install(position, 0, 3));
  node.work();
  const viewHistory = [
    { view: view(1), fromHeight: height(1) },
    { view: view(3), fromHeight: height(6) },
  ];
  node.base = 9;
  node.raft.restored(position.digest, { viewHistory });
  node.work();
  for (let tick = 0; tick < 30; tick += 1) node.raft.tick();
  const granted = (pre: boolean): Message => ({
    type: 'vote-response',
    view: view(4),
    pre,
    granted: true,
    committed: { height: height(0), view: view(0) },
  });
  node.step('c', granted(true));
  node.step('c', granted(false));
  assert.equal(node.status.role, 'leader');
  node.work();
  node.step('a', {
    type: 'append-response',
    view: view(4),
    round: 0,
    match: height(0),
    received: height(0),
    committed: height(0),
    rejected: { previousHeight: height(9), estimate: { height: height(7), view: view(2) } },
  });
  const probe = node.work().map(({ message }) => message);
  const fetched = node.seen.flatMap(({ fetch }) => fetch.map(({ from }) => from as number));
  assert.deepEqual(
    [probe.length > 0, fetched],
    [false, [6]],
    'both logs have view 1 up to height 5',
  );
});
