/** Appends go to each peer directly, or down a tree of peers. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  type Append,
  directDistribution,
  type Message,
  type Relay,
  treeDistribution,
} from '../index.ts';
import {
  entry,
  height,
  id,
  ids,
  options,
  payload,
  TestNetwork,
  TestNode,
  view,
} from './network.ts';

const thirteen = '0123456789abc';

/** Thirteen nodes whose leader, node 0, sends down a tree, all of them agreed. */
function wide(fanOut = 3): [TestNetwork, TestNode] {
  const network = new TestNetwork(thirteen, { distribution: treeDistribution(fanOut) });
  const leader = network.elect('0');
  network.run(3);
  return [network, leader];
}

const agreed = (network: TestNetwork, except = ''): boolean =>
  [...network.nodes.values()]
    .filter(({ name }) => !except.includes(name))
    .every((node) => node.committed === network.node('0').status.lastHeight);

/** Ticks until everyone knows everything as committed. */
function ticksUntilAgreed(network: TestNetwork, except = ''): number {
  for (let tick = 0; tick < 200; tick += 1) {
    if (agreed(network, except)) return tick;
    network.run(1);
  }
  return assert.fail('never');
}

test('a tree names every peer once, and nobody more often than its fan-out', () => {
  for (const fanOut of [2, 3, 16]) {
    for (let count = 0; count <= 16; count += 1) {
      const peers = ids([...'0123456789abcdef'].slice(0, count).join(''));
      const plan = treeDistribution(fanOut).plan(peers);
      assert.ok(plan.length <= fanOut);
      const named = plan.flatMap(({ to, relayTo }) => [to, ...relayTo]);
      assert.deepEqual(named.toSorted(), peers.toSorted());
      const shares = plan.map(({ relayTo }) => relayTo.length);
      assert.ok(Math.max(0, ...shares) - Math.min(...shares, 99) <= 1, 'the shares are even');
    }
  }
  assert.deepEqual(directDistribution.plan(ids('ab')), [
    { to: id('a'), relayTo: [] },
    { to: id('b'), relayTo: [] },
  ]);
  assert.throws(() => treeDistribution(1));
});

test('every entry reaches everyone down a tree, and the leader sends a fraction of the messages', () => {
  const sent = { direct: 0, tree: 0 };
  for (const [kind, distribution] of [
    ['direct', directDistribution],
    ['tree', treeDistribution(3)],
  ] as const) {
    const network = new TestNetwork(thirteen, { distribution });
    const leader = network.elect('0');
    network.run(3);
    network.delivers = (from, _, { type }) => {
      if (from === '0' && (type === 'append' || type === 'relay')) sent[kind] += 1;
      return true;
    };
    for (let at = 0; at < 50; at += 1) {
      leader.raft.propose(payload(`${at}`));
      network.settle();
      assert.ok(agreed(network), 'without waiting for a tick');
    }
    for (const node of network.nodes.values()) assert.deepEqual(node.disk, leader.disk);
  }
  assert.ok(sent.tree * 3 <= sent.direct, `${sent.tree} of ${sent.direct}`);
});

test('who gets an append by way of others acknowledges it to the leader', () => {
  const [network, leader] = wide();
  const answered = new Set<string>();
  const relayed = new Set<string>();
  network.delivers = (from, to, { type }) => {
    if (type === 'append-response') {
      assert.equal(to, '0');
      answered.add(from);
    }
    if (type === 'relay' && from !== '0') relayed.add(to);
    return true;
  };
  leader.raft.propose(payload('x'));
  network.settle();
  assert.equal(answered.size, 12);
  assert.equal(relayed.size, 9, 'the leader itself reaches three');
});

test('an append is passed on before it is durable, and whatever the node itself makes of it', () => {
  const relay: Relay = {
    type: 'relay',
    view: view(1),
    leader: id('0'),
    targets: ids('2345'),
    append: {
      type: 'append',
      view: view(1),
      previous: { height: height(7), view: view(1) },
      committed: height(0),
      round: 0,
      retire: false,
      entries: [entry(1, 8)],
    },
  };
  const node = new TestNode('1', {
    ...options('1', thirteen),
    distribution: treeDistribution(2),
  });
  node.persists = false;
  assert.equal(node.step('0', relay), undefined);
  const out = node.work();
  const passedOn = out.filter(({ message }) => message.type === 'relay');
  assert.deepEqual(
    passedOn.map(({ to, message }) => [to, (message as Relay).targets]),
    [
      [id('2'), ids('4')],
      [id('3'), ids('5')],
    ],
  );
  const nack = out.find(({ message }) => message.type === 'append-response');
  assert.equal(nack?.to, id('0'), 'it does not hold what is before');
});

test('a dead inner node holds up those behind it for a few heartbeats at most', () => {
  const [network, leader] = wide();
  // 1, 2 and 3 are the first branches; nobody hears of 1 any more.
  network.isolate('1');
  leader.raft.propose(payload('x'));
  network.settle();
  assert.ok(!agreed(network, '1'), 'some are behind 1');
  const ticks = ticksUntilAgreed(network, '1');
  assert.ok(ticks <= 8, `${ticks} ticks, a heartbeat is 2`);
  for (let at = 0; at < 20; at += 1) {
    leader.raft.propose(payload('y'));
    network.settle();
    assert.ok(agreed(network, '1'), 'nothing goes by way of 1 now');
    network.run(1);
  }
  network.heal();
  network.run(8);
  leader.raft.propose(payload('z'));
  network.settle();
  assert.ok(agreed(network));
  for (const node of network.nodes.values()) assert.equal(node.status.view, 1);
});

test('an inner node that answers and passes nothing on is soon not relied on', () => {
  const [network, leader] = wide();
  network.delivers = (from, _, { type }) => !(from === '1' && type === 'relay');
  let late = 0;
  for (let tick = 0; tick < 90; tick += 1) {
    leader.raft.propose(payload('x'));
    network.settle();
    if (!agreed(network)) late += 1;
    network.run(1);
  }
  assert.ok(late > 0 && late <= 8, `${late} of 90 ticks`);
  assert.equal(leader.status.view, 1);
});

test('a slow inner node costs those behind it no more than a few heartbeats either', () => {
  const [network, leader] = wide();
  const held: [string, Message][] = [];
  network.delivers = (from, to, message) => {
    if (from !== '1' || message.type !== 'relay') return true;
    held.push([to, message]);
    return false;
  };
  for (let tick = 0; tick < 60; tick += 1) {
    leader.raft.propose(payload('x'));
    network.run(1);
    // What 1 passes on arrives ten messages late, and thus out of order.
    while (held.length > 10) {
      const [to, message] = held.shift() as [string, Message];
      network.node(to).step('1', message);
    }
  }
  network.settle();
  assert.ok(ticksUntilAgreed(network) <= 8);
  for (const node of network.nodes.values()) assert.deepEqual(node.disk, leader.disk);
});

test('a relay of a stranger, in a circle, or of an earlier view is refused and goes no further', () => {
  const [network, leader] = wide();
  const append: Append = {
    type: 'append',
    view: view(1),
    previous: { height: height(1), view: view(1) },
    committed: height(1),
    round: 0,
    retire: false,
    entries: [entry(1, 2)],
  };
  const relay: Relay = {
    type: 'relay',
    view: view(1),
    leader: id('0'),
    targets: ids('56'),
    append,
  };
  const node = network.node('4');
  assert.equal(node.step('f', relay)?.code, 'UNKNOWN_PEER', 'no voter, and no learner we feed');
  assert.equal(node.step('f', { ...relay, leader: id('f') })?.code, 'UNKNOWN_PEER');
  assert.equal(node.step('1', { ...relay, leader: id('2') })?.code, 'SECOND_LEADER');
  assert.equal(node.step('1', { ...relay, targets: ids('455') })?.code, 'MALFORMED');
  assert.equal(node.step('1', { ...relay, targets: ids('4') })?.code, 'MALFORMED');
  assert.equal(node.step('1', { ...relay, targets: ids('0') })?.code, 'MALFORMED');
  assert.equal(node.step('1', { ...relay, view: view(2) })?.code, 'MALFORMED');
  const stale = { ...relay, view: view(0), append: { ...append, view: view(0) } };
  assert.equal(node.step('1', stale)?.code, 'STALE_VIEW');
  assert.equal(leader.step('1', relay)?.code, 'UNEXPECTED');
  const out = [...node.work(), ...leader.work()];
  assert.deepEqual(
    out.filter(({ message }) => message.type === 'relay'),
    [],
  );
  assert.equal(node.status.lastHeight, 1);
  assert.equal(node.step('1', relay), undefined);
  assert.equal(node.status.lastHeight, 2);
});

test('a learner is reached down the tree as well, and one that is behind directly', () => {
  const [network, leader] = wide(2);
  for (let at = 0; at < 5; at += 1) leader.raft.propose(payload('before'));
  network.settle();
  network.add('d', thirteen);
  for (const node of network.nodes.values()) node.raft.addLearner(id('d'));
  network.run(2);
  assert.equal(network.node('d').status.lastHeight, 6);
  const by = new Set<string>();
  network.delivers = (from, to) => {
    if (to === 'd') by.add(from);
    return true;
  };
  leader.raft.propose(payload('after'));
  network.settle();
  assert.equal(network.node('d').committed, 7);
  assert.deepEqual([by.size, by.has('0')], [1, false]);
});

test('the way entries go can be changed while they go', () => {
  const network = new TestNetwork(thirteen);
  const leader = network.elect('0');
  network.run(2);
  let relays = 0;
  network.delivers = (_, __, { type }) => {
    if (type === 'relay') relays += 1;
    return true;
  };
  leader.raft.propose(payload('x'));
  network.settle();
  assert.equal(relays, 0);
  leader.raft.distributeBy(treeDistribution(4));
  leader.raft.propose(payload('y'));
  network.settle();
  assert.ok(relays > 0);
  assert.ok(agreed(network));
  leader.raft.distributeBy(directDistribution);
  relays = 0;
  leader.raft.propose(payload('z'));
  network.settle();
  assert.equal(relays, 0);
});

test('reads are confirmed by those that are reached by way of others', () => {
  const [network, leader] = wide(2);
  leader.raft.readIndex('r');
  network.settle();
  assert.deepEqual(leader.reads, ['r@1']);
});

test('no more appends are in flight down a tree than to a peer directly', () => {
  const network = new TestNetwork('abc', {
    distribution: treeDistribution(2),
    maxAppendBytes: 1,
    maxInflightAppends: 4,
  });
  const a = network.elect('a');
  network.run(2);
  network.delivers = () => false;
  for (let at = 0; at < 10; at += 1) a.raft.propose(payload('x'));
  const sent = a.work().filter(({ message }) => message.type === 'append');
  assert.equal(sent.length, 8);
  network.heal();
  network.run(4);
  assert.equal(network.node('c').committed, 11);
});
