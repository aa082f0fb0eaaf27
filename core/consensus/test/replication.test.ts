import assert from 'node:assert/strict';
import test from 'node:test';
import type { Append, Message } from '../index.ts';
import {
  among,
  empty,
  entry,
  height,
  id,
  options,
  payload,
  TestNetwork,
  TestNode,
  view,
} from './network.ts';

const appendsTo = (name: string, out: { to: string; message: Message }[]): Append[] =>
  out
    .filter((one) => one.to === id(name))
    .map((one) => one.message)
    .filter((message) => message.type === 'append');

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

test('proposals of one turn travel in one append, cut at the byte limit', () => {
  const network = new TestNetwork('abc', { maxAppendBytes: 30 });
  const a = network.elect('a');
  for (let at = 0; at < 7; at += 1) a.raft.propose(Buffer.alloc(10));
  assert.deepEqual(
    appendsTo('b', a.work()).map((append) => append.entries.length),
    [3, 3, 1],
  );
});

test('a leader sends no more appends than may be in flight, and goes on when acknowledged', () => {
  const network = new TestNetwork('abc', { maxAppendBytes: 1, maxInflightAppends: 4 });
  const a = network.elect('a');
  network.delivers = () => false;
  for (let at = 0; at < 10; at += 1) a.raft.propose(payload('x'));
  assert.equal(appendsTo('b', a.work()).length, 4);
  a.raft.propose(payload('x'));
  assert.equal(appendsTo('b', a.work()).length, 0);
  const response = { type: 'append-response', view: view(1), round: 0 } as const;
  const upTo = { match: height(3), received: height(3), committed: height(1) };
  a.step('b', { ...response, ...upTo });
  assert.deepEqual(
    appendsTo('b', a.work()).flatMap((append) => append.entries.map((one) => one.height)),
    [6, 7],
  );
});

test('lost appends are noticed by the next heartbeat and sent again', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  network.delivers = () => false;
  for (let at = 0; at < 5; at += 1) {
    a.raft.propose(payload('lost'));
    network.settle();
  }
  network.heal();
  network.run(2);
  assert.equal(a.committed, 6);
  assert.equal(network.node('c').status.lastHeight, 6);
});

test('a long divergence is bridged in a round trip a view, not an entry', () => {
  const initial = {
    ...empty('abc'),
    view: view(2),
    lastView: view(2),
    lastHeight: height(5000),
    viewHistory: [
      { view: view(1), fromHeight: height(1) },
      { view: view(2), fromHeight: height(1001) },
    ],
  };
  const network = new TestNetwork('');
  const a = network.add('a', 'abc', {
    initial: {
      ...initial,
      view: view(3),
      lastView: view(3),
      lastHeight: height(4000),
      viewHistory: [initial.viewHistory[0]!, { view: view(3), fromHeight: height(1001) }],
    },
  });
  for (let at = 1; at <= 4000; at += 1) a.disk.push(entry(at <= 1000 ? 1 : 3, at));
  const b = network.add('b', 'abc', { initial });
  for (let at = 1; at <= 5000; at += 1) b.disk.push(entry(at <= 1000 ? 1 : 2, at));
  network.elect('a');
  network.settle();
  assert.equal(b.committed, 4001);
  assert.deepEqual(b.disk, a.disk);
  assert.ok(network.delivered < 60, `${network.delivered} messages`);
});

test('logs that differ in many views agree after at most a round trip a view', () => {
  // Both share height 1; then a has entries of the odd views, b of the even ones, three each.
  const runs = (first: number) =>
    Array.from({ length: 20 }, (_, at) => ({
      view: view(at === 0 ? 1 : first + 2 * at),
      fromHeight: height(at === 0 ? 1 : 3 * at - 1),
    }));
  const started = (name: string, first: number) => {
    const viewHistory = runs(first);
    const lastView = viewHistory[viewHistory.length - 1]?.view ?? view(0);
    const initial = {
      ...empty('ab'),
      view: lastView,
      lastView,
      lastHeight: height(58),
      viewHistory,
    };
    const node = network.add(name, 'ab', { initial });
    for (let at = 1; at <= 58; at += 1) {
      const of = viewHistory.findLast(({ fromHeight }) => fromHeight <= at)?.view ?? 0;
      node.disk.push(entry(of, at));
    }
    return node;
  };
  const network = new TestNetwork('');
  const a = started('a', 3);
  const b = started('b', 2);
  let refused = 0;
  network.delivers = (_, __, message) => {
    if (message.type === 'append-response' && message.rejected) refused += 1;
    return true;
  };
  network.elect('a');
  network.settle();
  assert.deepEqual(b.disk, a.disk);
  assert.equal(b.committed, 59);
  assert.ok(refused <= 20, `${refused} refusals`);
});

test('entries that are no longer in memory are fetched from the driver', () => {
  const network = new TestNetwork('ab', { maxMemoryBytes: 2000, maxAppendBytes: 400 });
  const a = network.elect('a');
  for (let at = 0; at < 100; at += 1) {
    a.raft.propose(Buffer.alloc(100, at));
    network.settle();
  }
  const d = network.add('d', 'ab');
  a.raft.addLearner(id('d'));
  network.run(3);
  assert.equal(d.status.lastHeight, 101);
  assert.deepEqual(d.disk, a.disk);
  assert.ok(a.seen.some((effects) => effects.fetch.length > 0));
});

test('a driver that has nothing to provide is asked again later, not at once', () => {
  const network = new TestNetwork('ab', { maxMemoryBytes: 1 });
  const a = network.elect('a');
  const disk = a.disk.splice(0);
  network.add('d', 'ab');
  a.raft.addLearner(id('d'));
  network.settle();
  const asked = () => a.seen.reduce((sum, effects) => sum + effects.fetch.length, 0);
  assert.equal(asked(), 1);
  a.disk.push(...disk);
  network.run(5);
  assert.equal(network.node('d').status.lastHeight, 1);
});

test('a leader whose memory is full of uncommitted entries is busy until they commit', () => {
  const network = new TestNetwork('abc', { maxMemoryBytes: 1000 });
  const a = network.elect('a');
  network.isolate('a');
  let taken = 0;
  while (a.raft.propose(Buffer.alloc(200)).ok) taken += 1;
  assert.equal(taken, 4);
  assert.deepEqual(a.raft.propose(Buffer.alloc(200)), { ok: false, code: 'BUSY' });
  network.heal();
  network.run(3);
  assert.equal(a.raft.propose(Buffer.alloc(200)).ok, true);
});

test('a new leader with a full memory still takes the entry that lets the rest commit', () => {
  const node = new TestNode('b', { ...options('b', 'b'), maxMemoryBytes: 1 });
  node.step('a', {
    type: 'append',
    view: view(1),
    previous: { height: height(0), view: view(0) },
    committed: height(0),
    round: 0,
    retire: false,
    entries: [entry(1, 1), entry(1, 2)],
  });
  node.work();
  for (let tick = 0; tick < 20; tick += 1) node.raft.tick();
  assert.equal(node.raft.propose(payload('no-op')).ok, true);
  node.work();
  assert.equal(node.committed, 3);
});

test('a log on disk is resumed: the node leads a later view and commits what was left', () => {
  const initial = {
    ...empty('a'),
    view: view(4),
    votedFor: id('a'),
    lastView: view(3),
    lastHeight: height(8),
    committed: height(6),
    configurationHeight: height(5),
    viewHistory: [
      { view: view(1), fromHeight: height(1) },
      { view: view(3), fromHeight: height(4) },
    ],
  };
  const node = new TestNode('a', { ...options('a', 'a'), initial });
  for (let at = 1; at <= 8; at += 1) node.disk.push(entry(at < 4 ? 1 : 3, at));
  for (let tick = 0; tick < 20; tick += 1) node.raft.tick();
  assert.deepEqual(node.raft.propose(payload('no-op')), { ok: true, view: 5, height: 9 });
  node.work();
  assert.equal(node.committed, 9);
  assert.deepEqual(node.status.configurations, [among('a')]);
});

test('no malformed message has an effect', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  const c = network.node('c');
  const append: Append = {
    type: 'append',
    view: view(1),
    previous: { height: height(1), view: view(1) },
    committed: height(1),
    round: 0,
    retire: false,
    entries: [],
  };
  const bad: Append[] = [
    { ...append, entries: [entry(1, 3)] },
    { ...append, entries: [entry(2, 2)] },
    { ...append, entries: [entry(0, 2)] },
    { ...append, entries: [entry(1, 2, 'aa')] },
    { ...append, entries: [entry(1, 2, '')] },
    { ...append, previous: { height: height(1), view: view(2) } },
  ];
  for (const one of bad) assert.equal(c.step('a', one)?.code, 'MALFORMED');
  const response = {
    type: 'append-response',
    view: view(1),
    round: 0,
    committed: height(0),
  } as const;
  const beyond = { match: height(9), received: height(9) };
  assert.equal(a.step('b', { ...response, ...beyond })?.code, 'MALFORMED');
  assert.equal(a.step('d', { ...response, ...beyond })?.code, 'UNKNOWN_PEER');
  assert.equal(a.step('a', append)?.code, 'UNEXPECTED');
  assert.equal(c.status.lastHeight, 1);
  assert.equal(a.committed, 1);
});

test('a silent peer gets heartbeats, not the same entries again and again', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  let bytes = 0;
  network.delivers = (_, to, message) => {
    if (to !== 'c') return true;
    if (message.type === 'append') for (const one of message.entries) bytes += one.payload.length;
    return false;
  };
  a.raft.propose(Buffer.alloc(1000));
  network.run(50);
  assert.equal(a.committed, 2);
  assert.equal(bytes, 1000);
});
