/** Flexible quorums: a configuration may ask for more or fewer voters than a majority. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  type Configuration,
  quorumSizesFault,
  sameConfiguration,
  type VoteResponse,
} from '../index.ts';
import {
  among,
  empty,
  entry,
  height,
  ids,
  options,
  payload,
  TestNetwork,
  TestNode,
  view,
} from './network.ts';

/** Five nodes with these quorum sizes, all of them started. */
const five = (replication: number, election: number): TestNetwork => {
  const configuration = among('abcde', replication, election);
  return new TestNetwork('abcde', { initial: { ...empty('abcde'), configuration } });
};

const granted = (inView: number, pre: boolean): VoteResponse => ({
  type: 'vote-response',
  view: view(inView),
  pre,
  granted: true,
  committed: { height: height(0), view: view(0) },
});

/** Every choice of `size` of the numbers below `count`, as bits. */
function subsets(count: number, size: number): number[] {
  const found: number[] = [];
  for (let bits = 0; bits < 1 << count; bits += 1) {
    if (bits.toString(2).replaceAll('0', '').length === size) found.push(bits);
  }
  return found;
}

test('sizes are safe exactly when every quorum meets every election quorum', () => {
  const meet = (voters: number, one: number, other: number) =>
    subsets(voters, one).every((a) => subsets(voters, other).every((b) => (a & b) !== 0));
  for (let voters = 1; voters <= 6; voters += 1) {
    for (let replication = 1; replication <= voters; replication += 1) {
      for (let election = 1; election <= voters; election += 1) {
        const safe = meet(voters, replication, election) && meet(voters, election, election);
        const fault = quorumSizesFault({ replication, election }, voters);
        assert.equal(fault === undefined, safe, `${replication}, ${election} of ${voters}`);
      }
    }
  }
  for (const size of [0, -1, 1.5, 4, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.match(quorumSizesFault({ replication: size, election: 3 }, 3) ?? '', /replication/);
    assert.match(quorumSizesFault({ replication: 3, election: size }, 3) ?? '', /election/);
  }
});

test('two of five commit when an election takes four', () => {
  const network = five(2, 4);
  const a = network.elect('a');
  network.delivers = (from, to) => 'ab'.includes(from) && 'ab'.includes(to);
  a.raft.propose(payload('held by a and b'));
  network.run(3);
  assert.equal(a.committed, 2);
  network.isolate('a');
  a.raft.propose(payload('held by a'));
  network.run(3);
  assert.equal(a.committed, 2);
});

test('three of five commit nothing when a commit takes four', () => {
  const network = five(4, 3);
  const a = network.elect('a');
  network.isolate('abc');
  a.raft.propose(payload('held by a, b and c'));
  network.run(3);
  assert.equal(a.committed, 1);
  network.isolate('abcd');
  network.run(3);
  assert.equal(a.committed, 2);
});

test('pre-vote and vote take an election quorum', () => {
  const configuration = among('abcde', 2, 4);
  const node = new TestNode('a', {
    ...options('a', 'abcde'),
    initial: { ...empty('abcde'), configuration },
  });
  for (let tick = 0; tick < 40 && node.status.role !== 'pre-candidate'; tick += 1) node.raft.tick();
  for (const voter of 'bc') node.step(voter, granted(1, true));
  assert.equal(node.status.role, 'pre-candidate', 'three of five are a majority and not enough');
  node.step('d', granted(1, true));
  assert.equal(node.status.role, 'candidate');
  for (const voter of 'bc') node.step(voter, granted(1, false));
  assert.equal(node.status.role, 'candidate');
  node.step('e', granted(1, false));
  assert.equal(node.status.role, 'leader');
});

test('a leader stays with a replication quorum, and goes without one', () => {
  const small = five(2, 4);
  const a = small.elect('a');
  small.isolate('ab');
  small.run(40);
  assert.equal(a.status.role, 'leader', 'two of five can still commit');
  small.isolate('a');
  small.run(15);
  assert.notEqual(a.status.role, 'leader');
  const large = five(4, 3);
  const b = large.elect('b');
  large.isolate('abc');
  large.run(15);
  assert.notEqual(b.status.role, 'leader', 'a majority answers, but commits nothing');
});

test('a read is confirmed by a replication quorum', () => {
  const network = five(4, 3);
  const a = network.elect('a');
  network.isolate('abc');
  a.raft.readIndex('r1');
  network.run(3);
  assert.deepEqual(a.reads, []);
  network.isolate('abcd');
  network.run(3);
  assert.deepEqual(a.reads, ['r1@1']);
});

test('a change of the sizes alone is a reconfiguration that both sizes must commit', () => {
  const network = new TestNetwork('abcde');
  const a = network.elect('a');
  const next = among('abcde', 4, 3);
  network.isolate('abc');
  assert.equal(a.raft.propose(payload('four commit'), next).ok, true);
  network.run(3);
  assert.equal(a.committed, 1, 'three commit by the old sizes, not by the new');
  assert.deepEqual(a.status.configurations, [among('abcde'), next]);
  network.heal();
  network.run(4);
  assert.equal(a.committed, 2);
  const back = among('abcde', 2, 4);
  network.isolate('ab');
  a.raft.propose(payload('two commit'), back);
  network.run(3);
  assert.equal(a.committed, 2, 'two commit by the new sizes, not by the old');
  network.heal();
  network.run(4);
  for (const node of network.nodes.values()) {
    assert.equal(node.committed, 3);
    assert.deepEqual(node.status.configurations, [back]);
  }
});

test('a removed node goes once so many successors know that every election meets one of them', () => {
  const network = new TestNetwork('abc');
  for (const name of 'de') network.add(name, '');
  const a = network.elect('a');
  // Of the four to come, two that know would do for a majority; an election by three asks no more.
  const next = among('abde', 3, 3);
  network.delivers = (_, to, message) =>
    !('de'.includes(to) && message.type === 'append' && message.committed >= 2);
  a.raft.propose(payload('c goes'), next);
  network.run(6);
  assert.equal(a.committed, 2);
  assert.equal(network.node('c').status.retired, false, 'only a and b know');
  network.heal();
  network.run(6);
  assert.equal(network.node('c').status.retired, true);
});

test('sizes that could be unsafe are neither proposed nor taken from a leader', () => {
  const network = new TestNetwork('abc');
  const a = network.elect('a');
  const unsafe: Configuration[] = [
    among('abc', 1, 2),
    among('abc', 3, 1),
    among('abc', 0, 3),
    among('abc', 3, 4),
    among('abcd', 4, 2),
    { voters: ids('abc'), quorums: { replication: 2.5, election: 2 } },
  ];
  for (const configuration of unsafe) {
    assert.equal(a.raft.proposalRefusal(configuration), 'INVALID_CONFIGURATION');
    assert.equal(a.raft.propose(payload('x'), configuration).ok, false);
    const refusal = network.node('b').step('a', {
      type: 'append',
      view: view(1),
      previous: { height: height(1), view: view(1) },
      committed: height(1),
      round: 0,
      retire: false,
      entries: [{ ...entry(1, 2), configuration }],
    });
    assert.equal(refusal?.code, 'MALFORMED');
  }
  assert.equal(network.node('b').status.lastHeight, 1);
});

test('two configurations are the same when they ask the same of the same voters', () => {
  assert.ok(sameConfiguration(among('abc'), among('abc', 2, 2)));
  assert.ok(sameConfiguration(undefined, undefined));
  assert.ok(!sameConfiguration(among('abc'), undefined));
  assert.ok(!sameConfiguration(undefined, among('abc')));
  assert.ok(!sameConfiguration(among('abc'), among('abc', 1, 3)));
  assert.ok(!sameConfiguration(among('abc', 3, 2), among('abc', 3, 3)));
  assert.ok(!sameConfiguration(among('abc'), among('acb')));
  assert.ok(!sameConfiguration(among('abc'), among('ab')));
});
