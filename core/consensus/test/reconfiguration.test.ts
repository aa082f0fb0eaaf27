import assert from 'node:assert/strict';
import test from 'node:test';
import type { Append, Message } from '../index.ts';
import {
  among,
  empty,
  height,
  id,
  options,
  payload,
  TestNetwork,
  TestNode,
  view,
} from './network.ts';

test('one transaction replaces every voter, and the last leader hands over and retires', () => {
  const network = new TestNetwork('abc');
  for (const name of 'def') network.add(name, 'abc');
  const a = network.elect('a');
  for (const name of 'def') a.raft.addLearner(id(name));
  network.run(5);
  assert.equal(network.node('d').committed, 1, 'a learner is fed before it votes');
  assert.equal(network.node('d').status.role, 'learner');
  assert.equal(a.raft.propose(payload('all others'), among('def')).ok, true);
  network.run(40);
  for (const name of 'abc') assert.equal(network.node(name).status.retired, true, name);
  const leaders = [...'def'].filter((name) => network.node(name).status.role === 'leader');
  assert.equal(leaders.length, 1);
  assert.equal(network.node(leaders[0] as string).raft.propose(payload('on')).ok, true);
  network.run(5);
  for (const name of 'def')
    assert.deepEqual(network.node(name).status.configurations, [among('def')]);
  assert.equal(network.node('d').disk.length, network.node('f').committed);
});

test('a second reconfiguration waits for the first, and nonsense is refused', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  const code = (names: string) => {
    const proposed = a.raft.propose(payload('x'), among(names));
    return proposed.ok ? 'OK' : proposed.code;
  };
  assert.equal(code(''), 'INVALID_CONFIGURATION');
  assert.equal(code('aab'), 'INVALID_CONFIGURATION');
  network.isolate('a');
  assert.equal(code('ab'), 'OK');
  assert.equal(code('abc'), 'CONFIGURATION_PENDING');
  network.heal();
  network.run(4);
  assert.equal(code('abc'), 'OK');
});

test('a learner counts in no quorum and never campaigns', () => {
  const network = new TestNetwork('abc');
  network.add('d', 'abc');
  const a = network.elect('a');
  a.raft.addLearner(id('d'));
  network.run(2);
  network.isolate('ad');
  a.raft.propose(payload('only d holds it too'));
  network.run(4);
  assert.equal(a.committed, 1);
  assert.equal(network.node('d').status.lastHeight, 2);
  network.isolate('d');
  network.run(100);
  assert.equal(network.node('d').status.role, 'learner');
  assert.equal(network.node('d').status.view, 1);
});

test('a node removed while it was away is told when it is back, and disturbs nobody', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  network.isolate('c');
  a.raft.propose(payload('c goes'), among('ab'));
  network.run(1500);
  assert.equal(a.status.progress.has(id('c')), false, 'forgotten after a long silence');
  network.heal();
  network.run(40);
  assert.equal(network.node('c').status.retired, true);
  assert.equal(a.status.role, 'leader');
  assert.equal(a.status.view, 1);
});

test('leadership moves on request without an election timeout, and proposals wait for it', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  assert.equal(a.raft.transferLeadership(id('d')), false);
  assert.equal(a.raft.transferLeadership(id('b')), true);
  assert.deepEqual(a.raft.propose(payload('x')), { ok: false, code: 'TRANSFERRING' });
  network.settle();
  assert.equal(network.node('b').status.role, 'leader');
  assert.equal(network.node('b').status.view, 2);
  assert.equal(a.status.leader, id('b'));
});

test('a transfer to a node that does not answer ends after an election timeout', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  network.delivers = (from, to) => from !== 'b' && to !== 'b';
  assert.equal(a.raft.transferLeadership(id('b')), true);
  network.run(11);
  assert.equal(a.status.role, 'leader');
  assert.equal(a.raft.propose(payload('x')).ok, true);
  assert.equal(a.raft.transferLeadership(id('b')), false, 'it is known to be silent now');
});

test('a stale or foreign request to take over is refused', () => {
  const network = new TestNetwork('abc');
  network.elect('a');
  const b = network.node('b');
  assert.equal(b.step('c', { type: 'timeout-now', view: view(1) })?.code, 'UNEXPECTED');
  assert.equal(b.step('a', { type: 'timeout-now', view: view(0) })?.code, 'STALE_VIEW');
  assert.equal(b.status.role, 'follower');
  assert.equal(b.committed, height(1));
});

test('a learner that knows of a commit frees its successor from voters who are gone', () => {
  const network = new TestNetwork('a');
  for (const name of 'bc') network.add(name, 'a');
  const a = network.elect('a');
  for (const name of 'bc') a.raft.addLearner(id(name));
  network.run(3);
  // b holds the change and acknowledges it; only c hears that it is committed before a dies.
  network.delivers = (from, to, message) =>
    !(to === 'b' && message.type === 'append' && message.committed >= 2) && from !== 'c';
  a.raft.propose(payload('to b'), among('b'));
  network.run(2);
  assert.equal(network.node('c').committed, 2);
  network.delivers = (from, to) => from !== 'a' && to !== 'a';
  const b = network.node('b');
  assert.deepEqual(b.status.configurations, [among('a'), among('b')]);
  network.run(60);
  assert.deepEqual(b.status.configurations, [among('b')]);
  assert.equal(b.status.role, 'leader');
});

test('what a learner tells unasked disturbs nobody', () => {
  const network = new TestNetwork('abc');
  network.add('d', 'abc');
  const a = network.elect('a');
  a.raft.addLearner(id('d'));
  network.run(3);
  for (const node of network.nodes.values()) node.refusals.length = 0;
  network.delivers = (_, to) => to !== 'd';
  network.run(100);
  assert.equal(a.status.role, 'leader');
  assert.equal(a.status.view, 1);
  for (const node of network.nodes.values()) assert.deepEqual(node.refusals, []);
});

test('a removed node is let go although it lacks what the leader has written since', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  const [b, c] = [network.node('b'), network.node('c')];
  network.delivers = (_, to, message) =>
    !(to === 'c' && message.type === 'append' && message.retire);
  a.raft.propose(payload('c goes'), among('ab'));
  network.run(3);
  assert.deepEqual([c.committed, c.status.retired], [2, false], 'it was not told');
  network.isolate('c');
  network.run(1500);
  for (let at = 0; at < 5; at += 1) a.raft.propose(payload('without c'));
  network.settle();
  assert.equal(b.committed, 7);
  assert.equal(a.status.progress.has(id('c')), false);
  network.heal();
  // Every entry is lost on its way to c: it never holds what the leader's word follows.
  network.delivers = (_, to, message) =>
    !(to === 'c' && message.type === 'append' && message.entries.length > 0);
  network.run(60);
  assert.equal(c.status.retired, true);
  assert.ok(c.status.lastHeight < 7);
});

test('a node that would vote if its log were committed is not let go by a leader that lacks that', () => {
  const initial = {
    ...empty('abc'),
    view: view(1),
    lastView: view(1),
    lastHeight: height(2),
    committed: height(1),
    configuration: among('ade'),
    configurationHeight: height(2),
    earlierConfigurations: [{ height: height(0), configuration: among('abc') }],
    viewHistory: [{ view: view(1), fromHeight: height(1) }],
  };
  const d = new TestNode('d', { ...options('d', 'abc'), initial });
  const retire = (at: number): Append => ({
    type: 'append',
    view: view(2),
    previous: { height: height(at), view: view(1) },
    committed: height(1),
    round: 1,
    retire: true,
    entries: [],
  });
  for (const at of [1, 2, 7]) {
    d.step('b', retire(at));
    assert.equal(d.status.retired, false, `after height ${at}`);
  }
});

/** c was told that it may go, the word or its answer is lost, and it is added again. */
function readded(lost: (message: Message) => boolean): TestNetwork {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  network.delivers = (_, __, message) => !lost(message);
  a.raft.propose(payload('c goes'), among('ab'));
  network.run(3);
  assert.equal(a.status.progress.has(id('c')), true, 'it has not answered');
  assert.equal(a.raft.propose(payload('c stays'), among('abc')).ok, true);
  return network;
}

test('a voter that was to go and is added again is fed on, and counts', () => {
  // The answers of c come, and come after it is added again: they once were the sign that it knew.
  let late = true;
  const network = readded((message) => late && message.type === 'append' && message.retire);
  const a = network.node('a');
  late = false;
  network.run(3);
  assert.equal(a.status.progress.has(id('c')), true);
  network.isolate('b');
  a.raft.propose(payload('held by a and c'));
  network.run(30);
  assert.equal(a.status.role, 'leader', 'c answers it');
  assert.equal(network.node('c').committed, a.status.lastHeight);
  assert.equal(network.node('c').status.retired, false);
});

test('a node that is added again and removed once more is told anew that it may go', () => {
  const network = readded((message) => message.type === 'append' && message.retire);
  const [a, c] = [network.node('a'), network.node('c')];
  const retire: boolean[] = [];
  network.delivers = (_, to, message) => {
    if (to === 'c' && message.type === 'append') retire.push(message.retire);
    return true;
  };
  network.run(3);
  assert.deepEqual(
    retire,
    retire.map(() => false),
    'nobody tells a voter to go',
  );
  a.raft.propose(payload('c goes after all'), among('ab'));
  network.run(3);
  assert.equal(c.status.retired, true);
  assert.equal(a.status.progress.has(id('c')), false);
});

test('a removed node that is wanted as a learner is fed on, and not told to go', () => {
  const network = new TestNetwork('abc');
  const [a, c] = [network.elect('a'), network.node('c')];
  network.delivers = (_, __, message) => !(message.type === 'append' && message.retire);
  a.raft.propose(payload('c goes'), among('ab'));
  network.run(3);
  a.raft.addLearner(id('c'));
  network.heal();
  network.run(3);
  a.raft.propose(payload('for learners, too'));
  network.run(3);
  assert.deepEqual([c.committed, c.status.role, c.status.retired], [3, 'learner', false]);
});
