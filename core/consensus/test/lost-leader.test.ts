import assert from 'node:assert/strict';
import test from 'node:test';
import { id, payload, TestNetwork, type TestNode } from './network.ts';

/** Ten ticks of election timeout at least, two of heartbeat. */
const heartbeat = 2;

/** A network led by the first of the names, whose process then ends. */
function leaderless(names: string, options: { told: string }) {
  const network = new TestNetwork(names);
  const leader = network.elect(names[0] as string);
  leader.raft.propose(payload('kept'));
  network.settle();
  network.nodes.delete(id(leader.name));
  for (const name of options.told) network.node(name).raft.connectionLost(id(leader.name));
  return network;
}

const leaders = (network: TestNetwork): string[] =>
  [...network.nodes.values()]
    .filter(({ status }) => status.role === 'leader')
    .map(({ name }) => name);

/** Ticks until somebody leads. */
function ticksUntilLed(network: TestNetwork): number {
  for (let ticks = 1; ticks < 100; ticks += 1) {
    network.run(1);
    if (leaders(network).length > 0) return ticks;
  }
  throw new Error('nobody leads');
}

test('a leader whose connections broke is replaced after a heartbeat of silence', () => {
  assert.equal(ticksUntilLed(leaderless('abc', { told: 'bc' })), heartbeat + 1);
  const unaware = ticksUntilLed(leaderless('abc', { told: '' }));
  assert.ok(unaware >= 10, `${unaware} ticks without the hint`);
});

test('voters ask in the order of their ids, so that the second one need not', () => {
  for (const told of ['bc', 'cb']) {
    const network = leaderless('abc', { told });
    ticksUntilLed(network);
    network.run(20);
    assert.deepEqual(leaders(network), ['b']);
    assert.equal(network.node('b').status.view, 2);
  }
});

test('when the first to ask is gone as well, the next one asks a heartbeat later', () => {
  const network = leaderless('abcde', { told: 'cde' });
  network.nodes.delete(id('b'));
  assert.equal(ticksUntilLed(network), 2 * heartbeat + 1);
  assert.deepEqual(leaders(network), ['c']);
});

test('when the first to ask lacks entries, another one leads', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  network.isolate('b');
  a.raft.propose(payload('kept'));
  network.settle();
  network.heal();
  network.nodes.delete(id('a'));
  for (const name of 'bc') network.node(name).raft.connectionLost(id('a'));
  assert.ok(ticksUntilLed(network) <= 2 * heartbeat + 2);
  assert.deepEqual(leaders(network), ['c']);
});

test('a broken connection to a leader that lives changes nothing, and is forgotten', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  for (const name of 'bc') network.node(name).raft.connectionLost(id('a'));
  network.run(50);
  assert.deepEqual([leaders(network), a.status.view], [['a'], 1]);
  network.nodes.delete(id('a'));
  const ticks = ticksUntilLed(network);
  assert.ok(ticks >= 8, `${ticks} ticks: the whole election timeout counts again`);
});

test('one that alone lost the leader is refused by those who hear it', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  network.delivers = (from, to) => ![`${from}${to}`, `${to}${from}`].includes('ac');
  network.node('c').raft.connectionLost(id('a'));
  network.run(50);
  assert.deepEqual([leaders(network), a.status.view], [['a'], 1]);
  a.raft.propose(payload('goes on'));
  network.run(2);
  assert.equal(a.status.committed, 2);
  network.heal();
  network.run(5);
  assert.deepEqual([network.node('c').status.leader, a.status.view], [id('a'), 1]);
  assert.equal(network.node('c').committed, 2);
});

test('a voter that has just heard the leader refuses although its connection broke', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  network.delivers = (from, to) => ![`${from}${to}`, `${to}${from}`].includes('ac');
  for (const name of 'bc') network.node(name).raft.connectionLost(id('a'));
  network.run(20);
  assert.deepEqual([leaders(network), a.status.view], [['a'], 1]);
});

test('the connection of one that does not lead means nothing', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  const state = ({ raft }: TestNode) => JSON.stringify(raft.status);
  const before = [...network.nodes.values()].map(state);
  a.raft.connectionLost(id('b'));
  a.raft.connectionLost(id('a'));
  network.node('b').raft.connectionLost(id('c'));
  network.node('b').raft.connectionLost(id('f'));
  assert.deepEqual([...network.nodes.values()].map(state), before);
  network.nodes.delete(id('a'));
  assert.ok(ticksUntilLed(network) >= 10);
});

test('a node that does not vote asks nobody', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  network.add('d', 'abc');
  a.raft.addLearner(id('d'));
  network.run(4);
  const learner = network.node('d');
  assert.equal(learner.status.role, 'learner');
  for (const name of 'abc') network.nodes.delete(id(name));
  learner.raft.connectionLost(id('a'));
  network.run(60);
  assert.equal(learner.status.view, 1);
  assert.equal(learner.status.role, 'learner');
});
